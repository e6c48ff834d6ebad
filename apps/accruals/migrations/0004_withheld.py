from django.db import migrations, models

# Sales by a known card, or claimed, that are not counted, or were not until the resident confirmed them. What follows
# a sale now says itself in which run it was settled; until now its entries said it.
CREATE = """
CREATE TABLE accruals_withheld (
    resident_ref uuid NOT NULL,
    terminal_id integer NOT NULL,
    seq integer NOT NULL,
    tax_year smallint NOT NULL,
    at timestamptz NOT NULL,
    card bigint,
    counter bigint CHECK (counter BETWEEN 0 AND 4294967295),
    status text NOT NULL CHECK (status IN ('held', 'rejected', 'counted')),
    code text NOT NULL,
    answer text NOT NULL DEFAULT '' CHECK (answer IN ('', 'confirmed', 'denied')),
    decided_at timestamptz NOT NULL,
    CONSTRAINT accruals_withheld_of_a_card CHECK ((card IS NULL) = (counter IS NULL)),
    CONSTRAINT accruals_withheld_counted CHECK (status <> 'counted' OR answer = 'confirmed' AND code = ''),
    CONSTRAINT accruals_withheld_denied CHECK (answer <> 'denied' OR status = 'rejected'),
    PRIMARY KEY (resident_ref, terminal_id, seq)
);
CREATE INDEX accruals_withheld_purchase ON accruals_withheld (terminal_id, seq);
CREATE INDEX accruals_withheld_year ON accruals_withheld (tax_year);
UPDATE purchases_followup f SET runs = e.runs
FROM (SELECT terminal_id, seq, jsonb_object_agg(tax_year, run) AS runs
      FROM (SELECT terminal_id, seq, tax_year, min(run) AS run FROM accruals_entry
            WHERE of_seq IS NOT NULL AND run > 0 GROUP BY terminal_id, seq, tax_year) first
      GROUP BY terminal_id, seq) e
WHERE (e.terminal_id, e.seq) = (f.terminal_id, f.seq);
"""
DROP = """
DROP TABLE accruals_withheld;
"""


class Migration(migrations.Migration):

    dependencies = [("accruals", "0003_dense_totals"), ("purchases", "0003_rulings")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="Withheld",
                    fields=[
                        ("pk", models.CompositePrimaryKey("resident_ref", "terminal_id", "seq", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("resident_ref", models.UUIDField()),
                        ("terminal_id", models.IntegerField()),
                        ("seq", models.IntegerField()),
                        ("tax_year", models.SmallIntegerField()),
                        ("at", models.DateTimeField()),
                        ("card", models.BigIntegerField(null=True)),
                        ("counter", models.BigIntegerField(null=True)),
                        ("status", models.TextField()),
                        ("code", models.TextField(blank=True)),
                        ("answer", models.TextField(blank=True, default="")),
                        ("decided_at", models.DateTimeField()),
                    ],
                ),
            ],
        ),
        migrations.AddField(
            "archivepart",
            "erased",
            models.PositiveIntegerField(default=0, help_text="Entries erased since its files were written"),
        ),
        migrations.AddField("archivepart", "erased_at", models.DateTimeField(null=True)),
    ]

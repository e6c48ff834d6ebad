import django.contrib.postgres.fields
from django.db import migrations, models

# Entries of returns, voids and corrections beside those of sales; sales that were claimed without a card.
CHANGE = """
ALTER TABLE accruals_entry
    ALTER COLUMN card DROP NOT NULL,
    ALTER COLUMN counter DROP NOT NULL,
    ADD COLUMN kind text NOT NULL DEFAULT 'sale',
    ADD COLUMN of_terminal_id integer,
    ADD COLUMN of_seq integer,
    ADD COLUMN purchases smallint[],
    ADD CONSTRAINT accruals_entry_of CHECK (
        (kind = 'sale') = (of_seq IS NULL) AND (of_seq IS NULL) = (of_terminal_id IS NULL));
UPDATE accruals_entry SET purchases = array_fill(1::smallint, ARRAY[cardinality(tiers)]);
ALTER TABLE accruals_entry
    ALTER COLUMN purchases SET NOT NULL,
    ADD CONSTRAINT accruals_entry_purchases CHECK (cardinality(purchases) = cardinality(tiers)),
    DROP CONSTRAINT accruals_entry_pkey,
    ADD PRIMARY KEY (resident_ref, tax_year, terminal_id, seq, at);
"""
BACK = """
ALTER TABLE accruals_entry DROP CONSTRAINT accruals_entry_pkey, ADD PRIMARY KEY (resident_ref, tax_year, terminal_id, seq);
ALTER TABLE accruals_entry DROP COLUMN kind, DROP COLUMN of_terminal_id, DROP COLUMN of_seq, DROP COLUMN purchases;
ALTER TABLE accruals_entry ALTER COLUMN card SET NOT NULL, ALTER COLUMN counter SET NOT NULL;
"""


class Migration(migrations.Migration):

    dependencies = [("accruals", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CHANGE, BACK)],
            state_operations=[
                migrations.AlterField(
                    "entry",
                    "pk",
                    models.CompositePrimaryKey("resident_ref", "tax_year", "terminal_id", "seq", "at", blank=True, editable=False, primary_key=True, serialize=False),
                ),
                migrations.AlterField("entry", "card", models.BigIntegerField(null=True)),
                migrations.AlterField("entry", "counter", models.BigIntegerField(null=True)),
                migrations.AddField("entry", "kind", models.TextField(default="sale")),
                migrations.AddField("entry", "of_terminal_id", models.IntegerField(null=True)),
                migrations.AddField("entry", "of_seq", models.IntegerField(null=True)),
                migrations.AddField(
                    "entry",
                    "purchases",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), default=list, size=None),
                    preserve_default=False,
                ),
            ],
        ),
        migrations.CreateModel(
            name="ClaimAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resident_ref", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("succeeded", models.BooleanField()),
            ],
            options={"indexes": [models.Index(fields=["resident_ref", "at"], name="claim_attempts_of_resident")]},
        ),
    ]

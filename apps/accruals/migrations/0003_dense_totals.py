import django.contrib.postgres.fields
from django.db import migrations, models

# A total is a row of twelve months, with what single purchases bring where the year's scheme asks for that. The parent's
# constraints are inherited by its partitions; how full their pages are is set for each, as a partitioned table has none.
CREATE = """
CREATE TABLE accruals_total (
    resident_ref uuid NOT NULL,
    tax_year smallint NOT NULL,
    run smallint NOT NULL CHECK (run >= 0),
    tier text NOT NULL,
    amounts_minor bigint[] NOT NULL
        CHECK (cardinality(amounts_minor) = 12 AND array_position(amounts_minor, NULL) IS NULL),
    purchases integer[] NOT NULL CHECK (cardinality(purchases) = 12 AND array_position(purchases, NULL) IS NULL),
    bases_minor bigint[] CHECK (cardinality(bases_minor) = 12 AND array_position(bases_minor, NULL) IS NULL),
    CONSTRAINT accruals_total_no_bases_of_all_tiers CHECK (tier <> '' OR bases_minor IS NULL),
    PRIMARY KEY (resident_ref, tax_year, run, tier)
) PARTITION BY LIST (tax_year);
"""
CREATE_OLD = """
CREATE TABLE accruals_total (
    resident_ref uuid NOT NULL,
    tax_year smallint NOT NULL,
    run smallint NOT NULL CHECK (run >= 0),
    month smallint NOT NULL CHECK (month BETWEEN 1 AND 12),
    tier text NOT NULL,
    amount_minor bigint NOT NULL,
    purchases integer NOT NULL,
    PRIMARY KEY (resident_ref, tax_year, run, month, tier)
) PARTITION BY LIST (tax_year);
"""
KEEP = """
CREATE TEMPORARY TABLE kept_years ON COMMIT DROP AS
    SELECT relid::regclass::text AS partition, right(relid::regclass::text, 4)::int AS tax_year
    FROM pg_partition_tree('accruals_total') WHERE isleaf AND level > 0;
CREATE TEMPORARY TABLE kept_totals ON COMMIT DROP AS SELECT * FROM accruals_total;
DROP TABLE accruals_total;
"""
ATTACH = """
DO $$
DECLARE kept record;
BEGIN
    FOR kept IN SELECT * FROM kept_years LOOP
        EXECUTE format('CREATE TABLE %s (LIKE accruals_total INCLUDING ALL) {storage}', kept.partition);
        EXECUTE format('ALTER TABLE accruals_total ATTACH PARTITION %s FOR VALUES IN (%s)',
                       kept.partition, kept.tax_year);
    END LOOP;
END $$;
"""


def twelve(column, type_):
    months = ", ".join(f"coalesce(sum({column}) FILTER (WHERE month = {month}), 0)" for month in range(1, 13))
    return f"ARRAY[{months}]::{type_}[]"


FILL = f"""
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
SELECT resident_ref, tax_year, run, tier, {twelve("amount_minor", "bigint")}, {twelve("purchases", "integer")}
FROM kept_totals GROUP BY resident_ref, tax_year, run, tier;
DROP TABLE kept_totals, kept_years;
"""
FILL_OLD = """
INSERT INTO accruals_total (resident_ref, tax_year, run, month, tier, amount_minor, purchases)
SELECT resident_ref, tax_year, run, month, tier, amount_minor, counted
FROM kept_totals, unnest(amounts_minor, kept_totals.purchases) WITH ORDINALITY AS m (amount_minor, counted, month)
WHERE tier <> '' AND (amount_minor <> 0 OR counted <> 0);
DROP TABLE kept_totals, kept_years;
"""
FORWARD = KEEP + CREATE + ATTACH.format(storage="WITH (fillfactor = 70)") + FILL
BACK = KEEP + CREATE_OLD + ATTACH.format(storage="") + FILL_OLD


class Migration(migrations.Migration):

    dependencies = [("accruals", "0002_all_kinds")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, BACK)],
            state_operations=[
                migrations.DeleteModel("Total"),
                migrations.CreateModel(
                    name="Total",
                    fields=[
                        ("pk", models.CompositePrimaryKey("resident_ref", "tax_year", "run", "tier", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("resident_ref", models.UUIDField()),
                        ("tax_year", models.SmallIntegerField()),
                        ("run", models.SmallIntegerField()),
                        ("tier", models.TextField(blank=True)),
                        ("amounts_minor", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                        ("purchases", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                        ("bases_minor", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                    ],
                ),
            ],
        ),
    ]

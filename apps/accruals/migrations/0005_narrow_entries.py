from django.db import migrations, models

# What an entry takes on disk: columns of eight bytes come first, so that none is padded. The key begins with what an
# entry is found by; a resident's entries are found, month by month, by an index that keeps equal values once. How many
# purchases an entry adds was read by nobody: it follows from the amounts.
CREATE = """
CREATE TABLE accruals_entry (
    at timestamptz NOT NULL,
    card bigint,
    counter bigint CHECK (counter BETWEEN 0 AND 4294967295),
    resident_ref uuid NOT NULL,
    terminal_id integer NOT NULL,
    seq integer NOT NULL,
    of_terminal_id integer,
    of_seq integer,
    tax_year smallint NOT NULL,
    run smallint NOT NULL CHECK (run >= 0),
    part smallint NOT NULL CHECK (part >= 1),
    month smallint NOT NULL CHECK (month BETWEEN 1 AND 12),
    kind text NOT NULL DEFAULT 'sale',
    tiers text[] NOT NULL,
    amounts_minor bigint[] NOT NULL CHECK (cardinality(amounts_minor) = cardinality(tiers)),
    CONSTRAINT accruals_entry_of CHECK (
        (kind = 'sale') = (of_seq IS NULL) AND (of_seq IS NULL) = (of_terminal_id IS NULL)),
    PRIMARY KEY (terminal_id, seq, resident_ref, tax_year, at)
) PARTITION BY LIST (tax_year);
CREATE INDEX accruals_entry_resident ON accruals_entry (resident_ref, tax_year, month);
-- Parts follow each other as entries are counted, so a few pages of index find a part.
CREATE INDEX accruals_entry_part ON accruals_entry USING brin (part);
"""
CREATE_OLD = """
CREATE TABLE accruals_entry (
    resident_ref uuid NOT NULL,
    tax_year smallint NOT NULL,
    terminal_id integer NOT NULL,
    seq integer NOT NULL,
    run smallint NOT NULL CHECK (run >= 0),
    part smallint NOT NULL CHECK (part >= 1),
    month smallint NOT NULL CHECK (month BETWEEN 1 AND 12),
    at timestamptz NOT NULL,
    card bigint,
    counter bigint CHECK (counter BETWEEN 0 AND 4294967295),
    tiers text[] NOT NULL,
    amounts_minor bigint[] NOT NULL CHECK (cardinality(amounts_minor) = cardinality(tiers)),
    kind text NOT NULL DEFAULT 'sale',
    of_terminal_id integer,
    of_seq integer,
    purchases smallint[] NOT NULL,
    CONSTRAINT accruals_entry_of CHECK (
        (kind = 'sale') = (of_seq IS NULL) AND (of_seq IS NULL) = (of_terminal_id IS NULL)),
    CONSTRAINT accruals_entry_purchases CHECK (cardinality(purchases) = cardinality(tiers)),
    PRIMARY KEY (resident_ref, tax_year, terminal_id, seq, at)
) PARTITION BY LIST (tax_year);
CREATE INDEX accruals_entry_purchase ON accruals_entry (terminal_id, seq);
CREATE INDEX accruals_entry_part ON accruals_entry USING brin (part);
"""
KEEP = """
CREATE TEMPORARY TABLE kept_years ON COMMIT DROP AS
    SELECT relid::regclass::text AS partition, right(relid::regclass::text, 4)::int AS tax_year
    FROM pg_partition_tree('accruals_entry') WHERE isleaf AND level > 0;
CREATE TEMPORARY TABLE kept_entries ON COMMIT DROP AS SELECT * FROM accruals_entry;
DROP TABLE accruals_entry;
"""
ATTACH = """
DO $$
DECLARE kept record;
BEGIN
    FOR kept IN SELECT * FROM kept_years LOOP
        EXECUTE format('CREATE TABLE %s (LIKE accruals_entry INCLUDING ALL) WITH (fillfactor = 100)', kept.partition);
        EXECUTE format('ALTER TABLE accruals_entry ATTACH PARTITION %s FOR VALUES IN (%s)',
                       kept.partition, kept.tax_year);
    END LOOP;
END $$;
"""
COLUMNS = """
    resident_ref, tax_year, terminal_id, seq, run, part, month, at, card, counter, tiers, amounts_minor, kind,
    of_terminal_id, of_seq"""
FILL = f"""
INSERT INTO accruals_entry ({COLUMNS}) SELECT {COLUMNS} FROM kept_entries;
DROP TABLE kept_entries, kept_years;
"""
# By how many the purchases with something left of a tier grow with each entry of a sale, in the order of runs.
FILL_OLD = f"""
WITH cells AS (
    SELECT resident_ref, tax_year, terminal_id, seq, at, place, amount_minor, sum(amount_minor) OVER (
        PARTITION BY resident_ref, tax_year, at, coalesce(of_terminal_id, terminal_id), coalesce(of_seq, seq), tier
        ORDER BY run, of_seq IS NOT NULL, part, terminal_id, seq ROWS UNBOUNDED PRECEDING) AS left_minor
    FROM kept_entries, unnest(tiers, amounts_minor) WITH ORDINALITY AS c (tier, amount_minor, place)
), counted AS (
    SELECT resident_ref, tax_year, terminal_id, seq, at, array_agg(
        ((left_minor > 0)::int - (left_minor - amount_minor > 0)::int)::smallint ORDER BY place) AS purchases
    FROM cells GROUP BY resident_ref, tax_year, terminal_id, seq, at
)
INSERT INTO accruals_entry ({COLUMNS}, purchases) SELECT {COLUMNS}, purchases
FROM kept_entries JOIN counted USING (resident_ref, tax_year, terminal_id, seq, at);
DROP TABLE kept_entries, kept_years;
"""


class Migration(migrations.Migration):

    dependencies = [("accruals", "0004_withheld")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(KEEP + CREATE + ATTACH + FILL, KEEP + CREATE_OLD + ATTACH + FILL_OLD)
            ],
            state_operations=[
                migrations.AlterField(
                    "entry",
                    "pk",
                    models.CompositePrimaryKey("terminal_id", "seq", "resident_ref", "tax_year", "at", blank=True, editable=False, primary_key=True, serialize=False),
                ),
                migrations.RemoveField("entry", "purchases"),
            ],
        ),
    ]

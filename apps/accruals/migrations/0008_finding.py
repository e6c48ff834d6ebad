from django.db import migrations

# What auditors find entries by, beside terminals and residents. Entries come nearly in order of their times and runs: a
# few bytes for each megabyte are enough, and nothing is summed up while entries are written. Sums repeat, so their index
# keeps equal ones once, some seven bytes an entry. Few entries are no plain sale by card. Most purchases have one tier
# or two: the function is put into the statement by the planner, and only more tiers cost a call.
MAKE = """
CREATE FUNCTION accruals_sum_of_many(amounts bigint[]) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE total bigint := 0; amount bigint;
BEGIN
    FOREACH amount IN ARRAY amounts LOOP total := total + amount; END LOOP;
    RETURN total;
END $$;
CREATE FUNCTION accruals_sum(amounts bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE cardinality(amounts) WHEN 1 THEN amounts[1] WHEN 2 THEN amounts[1] + amounts[2]
                ELSE accruals_sum_of_many(amounts) END;
CREATE INDEX accruals_entry_time ON accruals_entry
    USING brin (at timestamptz_minmax_multi_ops, run) WITH (autosummarize = on);
CREATE INDEX accruals_entry_sum ON accruals_entry (accruals_sum(amounts_minor));
CREATE INDEX accruals_entry_other ON accruals_entry (kind, at) WHERE kind <> 'sale' OR card IS NULL;
"""
DROP = """
DROP INDEX accruals_entry_time, accruals_entry_sum, accruals_entry_other;
DROP FUNCTION accruals_sum, accruals_sum_of_many;
"""


class Migration(migrations.Migration):

    dependencies = [("accruals", "0007_annulled")]

    operations = [migrations.RunSQL(MAKE, DROP)]

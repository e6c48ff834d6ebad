from django.db import migrations

# For what was sold at a time, whoever sold it: an officer looks whether a purchase that is reported missing is there.
# Purchases come nearly in order of their times, so some bytes for each megabyte are enough; tills that were long without
# a network come later, so each keeps several spans of time. Nothing is summed up while purchases are accepted, but by
# autovacuum afterwards. On a cluster it goes to each shard.
MAKE = """
CREATE INDEX purchases_purchase_at ON purchases_purchase
    USING brin (at timestamptz_minmax_multi_ops) WITH (autosummarize = on);
"""
DROP = "DROP INDEX purchases_purchase_at;"


class Migration(migrations.Migration):

    dependencies = [("purchases", "0004_indexes")]

    operations = [migrations.RunSQL(MAKE, DROP)]

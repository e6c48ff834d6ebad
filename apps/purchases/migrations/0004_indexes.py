from django.db import migrations

# Batches are numbered as they come, whatever their lane: by number alone an index grows at its end, where its pages are
# filled. By lane first, each lane's end is in the midst, and pages stay half empty.
# A freeze asks again and again what is not counted, set aside or not: the indexes of what waits have both.
CHANGE = """
DROP INDEX purchases_purchase_batch, purchases_batch_uncounted, purchases_followup_due;
CREATE INDEX purchases_purchase_batch ON purchases_purchase (batch_id);
CREATE INDEX purchases_batch_uncounted ON purchases_batch (lane, id) INCLUDE (records, failed_at)
    WHERE counted_at IS NULL;
CREATE INDEX purchases_followup_due ON purchases_followup (position) WHERE due;
"""
BACK = """
DROP INDEX purchases_purchase_batch, purchases_batch_uncounted, purchases_followup_due;
CREATE INDEX purchases_purchase_batch ON purchases_purchase (lane, batch_id);
CREATE INDEX purchases_batch_uncounted ON purchases_batch (lane, id) INCLUDE (records)
    WHERE counted_at IS NULL AND failed_at IS NULL;
CREATE INDEX purchases_followup_due ON purchases_followup (position) WHERE due AND NOT failed;
"""


class Migration(migrations.Migration):

    dependencies = [("purchases", "0003_rulings")]

    operations = [migrations.RunSQL(CHANGE, BACK)]

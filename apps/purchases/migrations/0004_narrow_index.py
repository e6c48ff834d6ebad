from django.db import migrations

# Batches are numbered as they come, whatever their lane: by number alone an index grows at its end, where its pages are
# filled. By lane first, each lane's end is in the midst, and pages stay half empty.
CHANGE = """
DROP INDEX purchases_purchase_batch;
CREATE INDEX purchases_purchase_batch ON purchases_purchase (batch_id);
"""
BACK = """
DROP INDEX purchases_purchase_batch;
CREATE INDEX purchases_purchase_batch ON purchases_purchase (lane, batch_id);
"""


class Migration(migrations.Migration):

    dependencies = [("purchases", "0003_rulings")]

    operations = [migrations.RunSQL(CHANGE, BACK)]

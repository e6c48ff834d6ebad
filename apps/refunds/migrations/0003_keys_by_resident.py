from django.db import migrations

# Keys of a big table contain the column that it is distributed by. Django goes on telling rows apart by their id.
BY_RESIDENT = """
ALTER TABLE refunds_settlement DROP CONSTRAINT refunds_settlement_pkey, ADD PRIMARY KEY (resident_ref, id);
ALTER TABLE refunds_lapsewarning DROP CONSTRAINT refunds_lapsewarning_pkey, ADD PRIMARY KEY (resident_ref, id);
"""
BY_ID = """
ALTER TABLE refunds_lapsewarning DROP CONSTRAINT refunds_lapsewarning_pkey, ADD PRIMARY KEY (id);
ALTER TABLE refunds_settlement DROP CONSTRAINT refunds_settlement_pkey, ADD PRIMARY KEY (id);
"""


class Migration(migrations.Migration):

    dependencies = [("refunds", "0002_signed_runs")]

    operations = [migrations.RunSQL(BY_RESIDENT, BY_ID)]

from django.db import migrations, models

# The numbers of the refund office's rulings, which are filed under the sale that they are about as terminal 0's.
CREATE = """
ALTER TABLE purchases_followup ADD COLUMN runs jsonb;
CREATE SEQUENCE purchases_ruling_seq AS integer;
"""
DROP = """
DROP SEQUENCE purchases_ruling_seq;
ALTER TABLE purchases_followup DROP COLUMN runs;
"""


class Migration(migrations.Migration):

    dependencies = [("purchases", "0002_all_kinds")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[migrations.AddField("followup", "runs", models.JSONField(null=True))],
        ),
    ]

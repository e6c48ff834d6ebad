from django.db import migrations

# What two auditors annulled stays remembered as what a resident denied does.
CHECKS = """
ALTER TABLE accruals_withheld
    DROP CONSTRAINT accruals_withheld_answer_check,
    DROP CONSTRAINT accruals_withheld_denied,
    ADD CONSTRAINT accruals_withheld_answer_check CHECK (answer IN ({answers})),
    ADD CONSTRAINT accruals_withheld_denied CHECK (answer NOT IN ({off}) OR status = 'rejected');
"""
NOW = CHECKS.format(answers="'', 'confirmed', 'denied', 'annulled'", off="'denied', 'annulled'")
BEFORE = CHECKS.format(answers="'', 'confirmed', 'denied'", off="'denied'")


class Migration(migrations.Migration):

    dependencies = [("accruals", "0006_disputes")]

    operations = [migrations.RunSQL(NOW, BEFORE)]

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payouts', '0003_stripe'),
    ]

    operations = [
        migrations.AddField(
            model_name='obligation',
            name='payee_kind',
            field=models.CharField(choices=[('resident', 'Resident'), ('parent', 'Parent'), ('head', 'Head')], default='resident', max_length=8),
        ),
        migrations.RunSQL(
            "UPDATE payouts_obligation SET payee_kind = 'parent' WHERE payee_ref <> resident_ref", migrations.RunSQL.noop
        ),
        migrations.AddIndex(
            model_name='obligation',
            index=models.Index(condition=models.Q(('payee_kind', 'resident'), _negated=True), fields=['payee_ref'], name='shares_paid_to_another'),
        ),
        migrations.AddConstraint(
            model_name='obligation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('payee_kind', 'resident'), ('payee_ref', models.F('resident_ref'))), models.Q(('payee_kind__in', ('parent', 'head')), models.Q(('payee_ref', models.F('resident_ref')), _negated=True)), _connector='OR'), name='obligation_payee'),
        ),
    ]

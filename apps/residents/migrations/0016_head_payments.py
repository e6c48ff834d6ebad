
import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('residents', '0015_drop_vault_account'),
    ]

    operations = [
        migrations.CreateModel(
            name='HeadPaymentConsent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('household_ref', models.UUIDField()),
                ('valid', django.contrib.postgres.fields.ranges.DateTimeRangeField()),
                ('withdrawn_by', models.CharField(blank=True, max_length=150)),
                ('head', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='residents.resident')),
                ('resident', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='head_payment_consents', to='residents.resident')),
            ],
            options={
                'indexes': [models.Index(fields=['household_ref'], name='head_payments_of_household')],
                'constraints': [django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('resident', '='), ('valid', '&&')], name='one_head_payment_consent_at_a_time'), models.CheckConstraint(condition=models.Q(('valid__isempty', False), ('valid__lower_inf', False), models.Q(models.Q(('valid__upper_inf', True), ('withdrawn_by', '')), models.Q(('valid__upper_inf', False), models.Q(('withdrawn_by', ''), _negated=True)), _connector='OR')), name='head_payment_consent_withdrawn_by_somebody')],
            },
        ),
    ]

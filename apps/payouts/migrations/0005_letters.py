import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payouts', '0004_payees'),
    ]

    operations = [
        migrations.CreateModel(
            name='PayableLetter',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('code_hash', models.BinaryField(max_length=32, unique=True)),
                ('valid_until_date', models.DateField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='batch',
            name='batch_rail',
        ),
        migrations.RemoveConstraint(
            model_name='batch',
            name='one_batch_written_at_a_time',
        ),
        migrations.AlterField(
            model_name='attempt',
            name='account_id',
            field=models.UUIDField(help_text='The row of the payment account, or of the letter'),
        ),
        migrations.AlterField(
            model_name='batch',
            name='bank',
            field=models.ForeignKey(help_text='None for Stripe and for letters', null=True, on_delete=django.db.models.deletion.PROTECT, to='payouts.sendingbank'),
        ),
        migrations.AlterField(
            model_name='resultfile',
            name='bank',
            field=models.ForeignKey(help_text="None of the post office's", null=True, on_delete=django.db.models.deletion.PROTECT, to='payouts.sendingbank'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('bank__isnull', False), ('rail', 'zengin')), models.Q(('bank', None), ('rail__in', ('stripe', 'letter'))), _connector='OR'), name='batch_rail'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'writing')), fields=('tax_year', 'run', 'rail', 'bank'), name='one_batch_written_at_a_time', nulls_distinct=False),
        ),
        migrations.AddField(
            model_name='payableletter',
            name='attempt',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='letter', to='payouts.attempt'),
        ),
    ]

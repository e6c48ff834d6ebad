import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConformanceReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('product', models.CharField(max_length=100, verbose_name='product')),
                ('version', models.CharField(max_length=100, verbose_name='version')),
                ('report', models.TextField(verbose_name='report')),
                ('sha256', models.BinaryField(max_length=32)),
                ('accepted_at', models.DateTimeField(verbose_name='accepted at')),
            ],
            options={
                'verbose_name': 'conformance report',
                'verbose_name_plural': 'conformance reports',
            },
        ),
        migrations.CreateModel(
            name='EnrolmentCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.BinaryField(max_length=32, unique=True)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='TerminalKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_key', models.BinaryField(max_length=32, verbose_name='public key')),
                ('registered_at', models.DateTimeField(verbose_name='registered at')),
                ('superseded_at', models.DateTimeField(null=True, verbose_name='superseded at')),
            ],
            options={
                'verbose_name': 'key of a terminal',
                'verbose_name_plural': 'keys of a terminal',
            },
        ),
        migrations.CreateModel(
            name='Vendor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='name')),
                ('conformance_required', models.BooleanField(default=True, help_text='No live key is issued until a conformance report is on record.', verbose_name='conformance required')),
            ],
            options={
                'verbose_name': 'software maker',
                'verbose_name_plural': 'software makers',
            },
        ),
        migrations.CreateModel(
            name='VendorAuthorisation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('authorised_at', models.DateTimeField(verbose_name='authorised at')),
                ('withdrawn_at', models.DateTimeField(null=True, verbose_name='withdrawn at')),
            ],
            options={
                'verbose_name': 'authorisation',
                'verbose_name_plural': 'authorisations',
            },
        ),
        migrations.AlterModelOptions(
            name='apikey',
            options={'verbose_name': 'API key', 'verbose_name_plural': 'API keys'},
        ),
        migrations.AlterModelOptions(
            name='merchant',
            options={'verbose_name': 'merchant', 'verbose_name_plural': 'merchants'},
        ),
        migrations.AlterModelOptions(
            name='store',
            options={'verbose_name': 'store', 'verbose_name_plural': 'stores'},
        ),
        migrations.AlterModelOptions(
            name='terminal',
            options={'verbose_name': 'terminal', 'verbose_name_plural': 'terminals'},
        ),
        migrations.RemoveConstraint(
            model_name='terminal',
            name='place_is_whole',
        ),
        migrations.AddField(
            model_name='apikey',
            name='expires_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='expires at'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='last_used_at',
            field=models.DateTimeField(null=True, verbose_name='last used at'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='mode',
            field=models.CharField(choices=[('live', 'Live'), ('test', 'Test')], default='live', max_length=4, verbose_name='mode'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='apikey',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('report', 'report purchases'), ('read', 'read records back'), ('enrol', 'enrol terminals')], max_length=6), default=list, size=None, verbose_name='scopes'),
            preserve_default=False,
        ),
        # The keys there are were their merchant's, for everything.
        migrations.RunSQL(
            "UPDATE merchants_apikey k SET mode = m.mode, scopes = '{report,read,enrol}'"
            " FROM merchants_merchant m WHERE m.id = k.merchant_id",
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name='apikey',
            name='stores',
            field=models.ManyToManyField(blank=True, help_text='The key sees only these stores; all, if none is chosen.', related_name='keys', to='merchants.store', verbose_name='stores'),
        ),
        migrations.AddField(
            model_name='terminal',
            name='public_key',
            field=models.BinaryField(max_length=32, null=True, verbose_name='public key'),
        ),
        migrations.AddField(
            model_name='terminal',
            name='replaced_at',
            field=models.DateTimeField(null=True, verbose_name='replaced at'),
        ),
        migrations.AddField(
            model_name='terminal',
            name='replaced_by',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaces', to='merchants.terminal', verbose_name='replaced by'),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='created_at',
            field=models.DateTimeField(verbose_name='created at'),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='hint',
            field=models.CharField(help_text="The key's first characters, to tell keys apart", max_length=16, verbose_name='hint'),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='merchant',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='name',
            field=models.CharField(max_length=100, verbose_name='name'),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='revoked_at',
            field=models.DateTimeField(null=True, verbose_name='revoked at'),
        ),
        migrations.AlterField(
            model_name='merchant',
            name='created_at',
            field=models.DateTimeField(verbose_name='created at'),
        ),
        migrations.AlterField(
            model_name='merchant',
            name='mode',
            field=models.CharField(choices=[('live', 'Live'), ('test', 'Test')], default='live', max_length=4, verbose_name='mode'),
        ),
        migrations.AlterField(
            model_name='merchant',
            name='name',
            field=models.CharField(max_length=200, verbose_name='name'),
        ),
        migrations.AlterField(
            model_name='merchant',
            name='registration_number',
            field=models.CharField(blank=True, help_text='T and 13 digits, as on a qualified invoice (Consumption Tax Act, article 57-2)', max_length=14, validators=[django.core.validators.RegexValidator('^T[0-9]{13}\\Z', 'T and 13 digits.')], verbose_name='registration number'),
        ),
        migrations.AlterField(
            model_name='merchant',
            name='trade',
            field=models.CharField(blank=True, help_text='Code of the Japan Standard Industrial Classification', max_length=8, verbose_name='trade'),
        ),
        migrations.AlterField(
            model_name='store',
            name='merchant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stores', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='store',
            name='name',
            field=models.CharField(max_length=200, verbose_name='name'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='code',
            field=models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9-]{0,62}\\Z', 'a-z, 0-9 and -, at most 63, not starting with -.')], verbose_name='code'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='enrolled_at',
            field=models.DateTimeField(verbose_name='enrolled at'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='latitude',
            field=models.DecimalField(blank=True, decimal_places=5, max_digits=8, null=True, verbose_name='latitude'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='longitude',
            field=models.DecimalField(blank=True, decimal_places=5, max_digits=8, null=True, verbose_name='longitude'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='merchant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terminals', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='region',
            field=models.CharField(blank=True, help_text='Code of the prefecture (JIS X 0401) or municipality', max_length=8, validators=[django.core.validators.RegexValidator('^[0-9A-Za-z-]*\\Z', 'Letters, digits and -.')], verbose_name='region'),
        ),
        migrations.AlterField(
            model_name='terminal',
            name='store',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terminals', to='merchants.store', verbose_name='store'),
        ),
        migrations.AddConstraint(
            model_name='terminal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('latitude__isnull', True), ('longitude__isnull', True)), models.Q(('latitude__isnull', False), ('longitude__isnull', False), ('latitude__range', (-90, 90)), ('longitude__range', (-180, 180))), _connector='OR'), name='place_is_whole', violation_error_message='Give latitude and longitude together, in degrees.'),
        ),
        migrations.AddConstraint(
            model_name='terminal',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.Exact(models.Func(models.F('public_key'), function='octet_length', output_field=models.IntegerField()), 32), name='public_key_is_32_bytes'),
        ),
        migrations.AddConstraint(
            model_name='terminal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('replaced_at__isnull', True), ('replaced_by__isnull', True)), models.Q(('replaced_at__isnull', False), ('replaced_by__isnull', False), models.Q(('replaced_by', models.F('id')), _negated=True)), _connector='OR'), name='replaced_by_another'),
        ),
        migrations.AddField(
            model_name='enrolmentcode',
            name='terminal',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrolment_codes', to='merchants.terminal'),
        ),
        migrations.AddField(
            model_name='terminalkey',
            name='terminal',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='merchants.terminal'),
        ),
        migrations.AddField(
            model_name='conformancereport',
            name='vendor',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='conformance_reports', to='merchants.vendor', verbose_name='software maker'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='vendor',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='merchants.vendor', verbose_name='software maker'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('merchant__isnull', True), ('vendor__isnull', True), _connector='XOR'), name='key_of_merchant_or_vendor', violation_error_message='A key is of a merchant or of a software maker, one of them.'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['live', 'test'])), name='key_mode'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['report', 'read', 'enrol']), models.Q(('scopes', []), _negated=True)), name='key_scopes'),
        ),
        migrations.AddField(
            model_name='vendorauthorisation',
            name='merchant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='authorisations', to='merchants.merchant', verbose_name='merchant'),
        ),
        migrations.AddField(
            model_name='vendorauthorisation',
            name='vendor',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='authorisations', to='merchants.vendor', verbose_name='software maker'),
        ),
        migrations.AddConstraint(
            model_name='terminalkey',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.Exact(models.Func(models.F('public_key'), function='octet_length', output_field=models.IntegerField()), 32), name='old_key_is_32_bytes'),
        ),
        migrations.AddConstraint(
            model_name='terminalkey',
            constraint=models.UniqueConstraint(condition=models.Q(('superseded_at', None)), fields=('terminal',), name='one_key_of_a_terminal_in_force'),
        ),
        migrations.AddConstraint(
            model_name='conformancereport',
            constraint=models.UniqueConstraint(fields=('vendor', 'sha256'), name='conformance_report_once'),
        ),
        migrations.AddConstraint(
            model_name='vendorauthorisation',
            constraint=models.UniqueConstraint(condition=models.Q(('withdrawn_at', None)), fields=('vendor', 'merchant'), name='authorised_once_at_a_time'),
        ),
    ]

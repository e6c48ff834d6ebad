from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("schemes", "0003_names_in_the_administration")]

    operations = [
        migrations.AddField(
            "taxyear", "erased_at", models.DateTimeField(null=True, help_text="From when on its purchases are erased")
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("residents", "0008_household_index")]

    operations = [
        migrations.AddIndex(
            "membership",
            models.Index(fields=["payee"], name="children_of_payee", condition=models.Q(("payee__isnull", False))),
        ),
    ]

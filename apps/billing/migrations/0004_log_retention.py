import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_stripe"),
    ]

    operations = [
        migrations.AddField(
            model_name="plan",
            name="log_retention_days",
            field=models.PositiveIntegerField(
                null=True,
                validators=[django.core.validators.MinValueValidator(30)],
                verbose_name="days that bodies of audit entries are kept",
            ),
        ),
    ]

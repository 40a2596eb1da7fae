import apps.audit.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0011_dropped_queries"),
        ("tenants", "0003_sso"),
    ]

    operations = [
        migrations.AlterField(
            model_name="entry",
            name="time",
            field=apps.audit.models.Moment(verbose_name="when"),
        ),
        migrations.AlterField(
            model_name="word",
            name="time",
            field=apps.audit.models.Moment(),
        ),
        migrations.AddConstraint(
            model_name="seal",
            constraint=models.CheckConstraint(condition=models.Q(("seq__gte", 0)), name="audit_seal_from_zero"),
        ),
    ]

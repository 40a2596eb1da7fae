from django.db import migrations

from apps.tenants.policies import before_tenant


class Migration(migrations.Migration):
    dependencies = [("flags", "0003_told")]

    operations = [before_tenant("flags_flag")]

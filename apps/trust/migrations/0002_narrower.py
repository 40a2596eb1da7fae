from django.db import migrations

from apps.tenants.policies import before_tenant


class Migration(migrations.Migration):
    dependencies = [("trust", "0001_policy")]

    operations = [before_tenant("trust_candidatepolicy")]

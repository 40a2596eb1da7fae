"""A key tells who made it, and so who knows its text; of older ones nobody wrote that down."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations

import apps.tenants.models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_family_parent")]

    operations = [
        migrations.AddField(
            "apikey",
            "made_by",
            apps.tenants.models.TenantForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.member",
            ),
        ),
    ]

"""A family of refresh tokens that another one's access token opened knows that one, and ends with it."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_service_accounts")]

    operations = [
        migrations.AddField(
            "tokenfamily",
            "parent",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tokenfamily"
            ),
        ),
    ]

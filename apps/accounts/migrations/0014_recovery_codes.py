"""Recovery codes as salted hashes, behind the policy of the people they belong to."""

from __future__ import annotations

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.tenants.clock
import apps.tenants.ids

people = import_module("apps.accounts.migrations.0001_initial").people


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_sso")]

    operations = [
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.tenants.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("finds", models.CharField(max_length=4)),
                ("hashed", models.CharField(max_length=160)),
                ("made_at", models.DateTimeField(default=apps.tenants.clock.now, editable=False)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        people("accounts_recoverycode", "user_id"),
    ]

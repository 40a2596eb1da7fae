"""allauth's addresses follow the policy of the people they belong to."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

people = import_module("apps.accounts.migrations.0001_initial").people


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [people("account_emailaddress", "user_id")]

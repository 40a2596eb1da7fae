"""Second factors follow the policy of the people they belong to."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

people = import_module("apps.accounts.migrations.0001_initial").people


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_meters"), ("mfa", "0003_authenticator_type_uniq")]

    operations = [people("mfa_authenticator", "user_id")]

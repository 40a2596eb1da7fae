"""Accounts without a person: no password by constraint, never an owner, and outside the seats that a plan counts."""

from __future__ import annotations

from django.db import migrations, models

from apps.billing.meters import meter

UNCOUNTED = (
    "DROP TRIGGER orkestra_meter_accounts_member ON accounts_member; DROP FUNCTION orkestra_meter_accounts_member()"
)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_recovery_codes")]

    operations = [
        migrations.AddField("user", "is_service", models.BooleanField(default=False, verbose_name="service account")),
        migrations.AddField("member", "is_service", models.BooleanField(default=False, verbose_name="service account")),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(
                condition=models.Q(is_service=False) | models.Q(("password__startswith", "!"), is_platform_admin=False),
                name="accounts_user_service_has_no_password",
            ),
        ),
        migrations.AddConstraint(
            "member",
            models.CheckConstraint(
                condition=models.Q(is_service=False) | ~models.Q(role="owner"),
                name="accounts_member_service_owns_nothing",
            ),
        ),
        migrations.RunSQL(UNCOUNTED, migrations.RunSQL.noop),
        meter("accounts_member", "members", "(row.is_active AND NOT row.is_service)::int"),
    ]

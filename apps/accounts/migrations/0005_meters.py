"""Members and open invitations share one count: an invitation keeps a seat until it is used or ends."""

from __future__ import annotations

from django.db import migrations

from apps.billing.meters import meter


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_revocations"), ("billing", "0002_plans_and_count")]

    operations = [
        meter("accounts_member", "members", "row.is_active::int"),
        meter("accounts_invitation", "members", "(row.accepted_at IS NULL AND row.revoked_at IS NULL)::int"),
    ]

"""A change of the audit key among logs that other tests have damaged for good."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.management.commands.rotate_audit_key import Command
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant


def of_whole_logs(monkeypatch: pytest.MonkeyPatch, *companies: Any) -> None:
    """Let `rotate_audit_key` know these tenants and the platform alone: it does not finish while a log cannot be signed."""
    tenants = [*(company.tenant for company in companies), Tenant(pk=PLATFORM_TENANT_ID, slug="platform")]
    monkeypatch.setattr(Command, "_tenants", lambda self: tenants)

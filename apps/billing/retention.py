"""How long the bodies of audit entries are kept: what the tenant's plan says."""

from __future__ import annotations

from apps.audit.pruning import prune

from .usage import subscription


def retention_days() -> int | None:
    """Days that the tenant in force has bought; None is for ever."""
    found = subscription()
    return found.plan.log_retention_days if found else None


def prune_log() -> int:
    """Prune the log of the tenant in force as its plan says; returns how many places lack their body now."""
    days = retention_days()
    return prune(days) if days else 0

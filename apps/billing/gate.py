"""After a trial: everything can be read, taken out and paid for; nothing new is written. `exempt.py` says what goes on."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.tenants.context import TenantContext, current
from apps.tenants.refusals import PaymentRequired

from .exempt import passes
from .usage import subscription, upgrade_url


def refuse_after_trial(request: HttpRequest, context: TenantContext) -> None:
    """Raise PaymentRequired for a write of a tenant whose trial is over. What takes away stays open."""
    if context.tenant is not None and not passes(request.method or "", request.path_info, lambda: request.POST):
        refuse_when_trial_is_over()


def refuse_when_trial_is_over() -> None:
    """Raise PaymentRequired where the tenant in force may write nothing new; public addresses ask it themselves."""
    found = subscription()
    if found is None or not found.trial_is_over:
        return
    raise PaymentRequired(
        _("The trial of this tenant is over: everything can be read and taken out, and nothing new can be written."),
        code="trial_expired",
        plan=found.plan.key,
        limit_source="trial",
        trial_ended_at=found.trial_ends_at.isoformat() if found.trial_ends_at else None,
        upgrade_url=upgrade_url(found),
        retryable=False,
    )


def banner(request: HttpRequest) -> str:
    """What every page of the tenant says about its trial; empty without one."""
    if current().tenant is None:
        return ""
    found = subscription()
    if found is None or found.trial_ends_at is None:
        return ""
    if found.trial_is_over:
        return str(
            _("The trial is over: everything can be read, and nothing new can be written until a plan is chosen.")
        )
    day = found.trial_ends_at.date().isoformat()
    return str(
        _("This is a trial until %(day)s; after that everything can be read, and nothing new written.") % {"day": day}
    )

"""After a trial: everything can be read, taken out and paid for; nothing new is written.

Each exempt route stands here with its reason; whatever is not here and may write is locked, by its method and by name.
"""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.tenants.context import TenantContext, current
from apps.tenants.refusals import PaymentRequired

from .usage import subscription, upgrade_url

READS = frozenset({"GET", "HEAD", "OPTIONS"})
EXEMPT: dict[str, str] = {
    r"/api/v1/auth/": "Signing in and switching tenants.",
    r"/ofrep/v1/": "It computes and writes nothing.",
    r"/api/v1/audit/verify\Z": "Verifying reads.",
    r"/t/[^/]+/settings/audit-log/\Z": "Verifying reads.",
    r"/t/[^/]+/settings/audit-log/exports/\Z": "Taking the log out stays open.",
    r"/t/[^/]+/forms/[^/]+/preview/\Z": "It computes and writes nothing.",
    r"/t/[^/]+/settings/api-keys/[^/]+/\Z": "Ending a key takes access away.",
    r"/t/[^/]+/stand-in/[^/]+/end/\Z": "Ending it takes power away.",
    r"/t/[^/]+/settings/data/\Z": "Taking one's data out stays open.",
    r"/t/[^/]+/(forms|submissions)/[^/]+/(delete|discard)/\Z": "Deleting stays open.",
    r"/t/[^/]+/settings/billing/": "Paying is how the lock ends.",
    r"/t/[^/]+/settings/ai/switch/\Z": "Stopping what leaves the house works always.",
}
_exempt = re.compile("|".join(EXEMPT))


def refuse_after_trial(request: HttpRequest, context: TenantContext) -> None:
    """Raise PaymentRequired for a write of a tenant whose trial is over. Deleting stays open."""
    if context.tenant is not None and not passes(request.method or "", request.path_info):
        refuse_when_trial_is_over()


def passes(method: str, path: str) -> bool:
    """Whether such a request is let through when a trial is over."""
    return method in READS or method == "DELETE" or _exempt.match(path) is not None


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

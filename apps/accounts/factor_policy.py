"""Settings → Security: whether this tenant asks each member for a second factor, and from when on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants import clock
from apps.tenants.context import current, require
from apps.tenants.freshness import SHOWN, require_fresh
from apps.tenants.pages import PageRequest, turl
from apps.tenants.refusals import Refused

from . import actions, second_factor
from .models import Member

NEVER = "never"
DAYS = [
    (NEVER, gettext_lazy("No: each person decides")),
    ("0", gettext_lazy("Yes, at once")),
    ("7", gettext_lazy("Yes, in a week")),
    ("14", gettext_lazy("Yes, in two weeks")),
    ("30", gettext_lazy("Yes, in a month")),
]


class FactorPolicyInput(forms.Form):
    """From when on a second factor is needed."""

    days = forms.ChoiceField(label=gettext_lazy("Is a second factor required?"), choices=DAYS)


def panel(request: HttpRequest) -> dict[str, Any]:
    """How it stands, and how many members have one."""
    tenant = request.tenant  # type: ignore[attr-defined]
    members = list(Member.objects.people().values_list("user_id", flat=True))
    return {
        "input": FactorPolicyInput(initial={"days": NEVER if tenant.factor_required_from is None else "0"}),
        "begins": tenant.factor_required_from,
        "is_due": tenant.factor_required_from is not None and tenant.factor_required_from <= clock.now(),
        "members": len(members),
        "protected": second_factor.how_many(members),
        "may_write": current().allows("members.write"),
    }


def change(request: PageRequest, tenant: str) -> HttpResponse:
    """POST says from when on; it is in force at each member's next request after that."""
    require("settings.write")
    require("members.write")
    require_fresh("factor.require")
    asked = FactorPolicyInput(request.POST)
    try:
        if asked.is_valid():
            days = asked.cleaned_data["days"]
            actions.require_factor(request.tenant, days=None if days == NEVER else int(days), by=request.member)
            messages.success(request, _("Saved."))
    except Refused as refused:
        messages.error(request, str(refused.detail))
    return redirect(turl(request, "trust:security"))


def banner(request: HttpRequest) -> str:
    """While there is still time, for whoever came without a second factor."""
    tenant = getattr(request, "tenant", None)
    begins = getattr(tenant, "factor_required_from", None)
    acting = current()
    if begins is None or begins <= clock.now() or acting.credential != "session" or SHOWN & set(acting.amr):
        return ""
    day = timezone.localtime(begins).date().isoformat()
    text = _("From %(day)s on a second factor is needed here. Set one up before, under your name: Second factor.")
    return text % {"day": day}

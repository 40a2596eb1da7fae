"""What this room puts into the shell, the home page and the Security page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import Member
from apps.approvals.models import Assignment
from apps.tenants.context import as_system, current
from apps.tenants.models import Tenant
from apps.tenants.slots import Finding, HomePanel, NavigationItem, Probe, SettingsPage, Tally, slots

from . import counted
from .models import Submission
from .stored import KINDS

SHOWN = 6
PROBED = 4
TENANTS_PROBED = 20


def fill_slots() -> None:
    """Called once, when the room is ready."""
    slots.navigation.add(NavigationItem("home", gettext_lazy("Home"), "trust:home", "house", order=10))
    slots.navigation.add(
        NavigationItem(
            "tasks", gettext_lazy("Tasks"), "forms:tasks", "inbox", order=20, permission="tasks.decide", count=waiting
        )
    )
    slots.navigation.add(NavigationItem("forms", gettext_lazy("Forms"), "forms:list", "clipboard-list", order=30))
    slots.navigation.add(
        NavigationItem("submissions", gettext_lazy("Submissions"), "forms:submissions", "files", order=40)
    )
    slots.settings_pages.add(SettingsPage("data", gettext_lazy("Data"), "data.export", "forms:data", 90, "database"))
    slots.home_panels.add(HomePanel("tasks", "forms/panels/tasks.html", tasks_panel, 10, "tasks.decide"))
    slots.home_panels.add(HomePanel("mine", "forms/panels/mine.html", mine_panel, 20))
    for name, count in (("forms", counted.forms), ("submissions", counted.submissions), ("storage", counted.storage)):
        slots.tallies.add(Tally(f"forms.{name}", name, count))
    slots.stored.fill(KINDS)
    slots.probes.add(Probe("forms.private_files", private_files))
    slots.probes.add(Probe("forms.access", access_holds, of_tenants=True))


def waiting() -> int:
    """How many tasks wait for the person of this request."""
    member = current().member
    return Assignment.objects.waiting_for(member).count() if member else 0


def tasks_panel(request: HttpRequest) -> Mapping[str, Any]:
    rows = Assignment.objects.waiting_for(request.member.pk).with_case()  # type: ignore[attr-defined]
    return {"tasks": list(rows[:SHOWN])}


def mine_panel(request: HttpRequest) -> Mapping[str, Any]:
    rows = Submission.objects.filter(submitter=request.member).with_all()  # type: ignore[attr-defined]
    return {"submissions": list(rows.order_by("-changed_at")[:SHOWN])}


def access_holds() -> Finding:
    """For some members and submissions: what the list shows is what each single look shows. Of all tenants, in a few."""
    if current().tenant is None:
        return _access_holds_in_some()
    pairs = 0
    for member in Member.objects.active().select_related("user").order_by("?")[:PROBED]:
        listed = set(Submission.objects.visible_to(member).values_list("pk", flat=True))
        for pk in Submission.objects.order_by("?").values_list("pk", flat=True)[:PROBED]:
            pairs += 1
            if Submission.objects.visible_to(member).filter(pk=pk).exists() != (pk in listed):
                return Finding(False, _("A list and a single look disagree."))
    return Finding(True, _("%(n)s pairs of member and submission tried: lists and single looks agree.") % {"n": pairs})


def _access_holds_in_some() -> Finding:
    for tenant in Tenant.objects.filter(is_active=True).order_by("?")[:TENANTS_PROBED]:
        with as_system(tenant.pk):
            if not access_holds().holds:
                return Finding(False, _("A list and a single look disagree."))
    return Finding(True, _("In some tenants, chosen by chance, lists and single looks agree."))


def private_files() -> Finding:
    """Attachments lie in a folder that other users of the machine cannot read."""
    root = settings.ATTACHMENTS_ROOT
    if not root.exists():
        return Finding(None, _("There is no file yet."))
    closed = not root.stat().st_mode & 0o077
    return Finding(closed, _("The folder of the files is closed to other users of the machine."))

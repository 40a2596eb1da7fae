"""What this room puts into the shell, the home page and the Security page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.approvals.models import Assignment
from apps.tenants.context import current
from apps.tenants.slots import Finding, HomePanel, NavigationItem, Probe, slots

from .models import Submission

SHOWN = 6


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
    slots.home_panels.add(HomePanel("tasks", "forms/panels/tasks.html", tasks_panel, order=10))
    slots.home_panels.add(HomePanel("mine", "forms/panels/mine.html", mine_panel, order=20))
    slots.probes.add(Probe("forms.private_files", private_files))


def waiting() -> int:
    """How many tasks wait for the person of this request."""
    member = current().member
    return Assignment.objects.filter(person_id=member).waiting().count() if member else 0


def tasks_panel(request: HttpRequest) -> Mapping[str, Any]:
    rows = Assignment.objects.of(request.member).waiting().with_case()  # type: ignore[attr-defined]
    return {"tasks": list(rows[:SHOWN])}


def mine_panel(request: HttpRequest) -> Mapping[str, Any]:
    rows = Submission.objects.filter(submitter=request.member).with_all()  # type: ignore[attr-defined]
    return {"submissions": list(rows.order_by("-changed_at")[:SHOWN])}


def private_files() -> Finding:
    """Attachments lie in a folder that other users of the machine cannot read."""
    root = settings.ATTACHMENTS_ROOT
    if not root.exists():
        return Finding(None, _("There is no file yet."))
    closed = not root.stat().st_mode & 0o077
    return Finding(closed, _("The folder of the files is closed to other users of the machine."))

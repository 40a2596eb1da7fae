"""What this room puts into the shell: stand-ins in the settings, and the sentence while one is in force."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.tenants.slots import Banner, SettingsPage, slots

from .models import Delegation


def fill_slots() -> None:
    """Called once, when the room is ready."""
    title = gettext_lazy("Stand-ins")
    slots.settings_pages.add(SettingsPage("stand-ins", title, "members.write", "approvals:stand-ins", 13, "user-check"))
    title = gettext_lazy("What stands still")
    slots.settings_pages.add(SettingsPage("stuck", title, "settings.write", "approvals:stuck", 52, "octagon-pause"))
    slots.banners.add(Banner("approvals.stand_in", banner))


def banner(request: HttpRequest) -> str:
    """Who decides for this person now, and for whom this person does; empty where nobody does."""
    member = getattr(request, "member", None)
    if member is None:
        return ""
    said = []
    for row in Delegation.objects.running().concerning(member).with_people().order_by("ends_at"):
        local = timezone.localtime(row.last, ZoneInfo(request.tenant.timezone))  # type: ignore[attr-defined]
        until = date_format(local, "j M Y, H:i", use_l10n=False)
        if row.person_id == member.pk:
            text = _("%(name)s decides in your place until %(until)s. You may still decide yourself.")
            said.append(text % {"name": row.stand_in.name, "until": until})
        else:
            said.append(_("You stand in for %(name)s until %(until)s.") % {"name": row.person.name, "until": until})
    return " ".join(said)

"""Where anyone reports a vulnerability of this installation, and how fast such reports are really answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Min
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.approvals.models import Case, Decision
from apps.approvals.rules.deadlines import business_time, due_after
from apps.forms.actions.disclosure import SLUG
from apps.forms.models import Form
from apps.forms.public import address_of, find_form
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.models import Tenant
from apps.tenants.slots import Finding

PROMISED_BUSINESS_DAYS = 1


@dataclass(frozen=True)
class Answered:
    """Figures over all reports: how many there are, were answered in time or late, and wait with time left."""

    total: int = 0
    in_time: int = 0
    late: int = 0
    waiting: int = 0
    median: timedelta | None = None

    @property
    def judged(self) -> int:
        """Reports whose time is up or that were answered; one that waits with time left says nothing yet."""
        return self.in_time + self.late

    @property
    def percent(self) -> int:
        return round(100 * self.in_time / self.judged) if self.judged else 0

    @property
    def sentence(self) -> str:
        """The measured figure in words; a plain one where there is nothing to measure."""
        if not self.total:
            return _("No report yet, so there is nothing to measure.")
        if not self.judged:
            return _("No report was due yet; %(n)s wait.") % {"n": self.waiting}
        text = _("%(in_time)s of %(judged)s reports were acknowledged within one business day (%(percent)s %%).")
        said = text % {"in_time": self.in_time, "judged": self.judged, "percent": self.percent}
        if self.median is not None:
            said += " " + _("Half of the answers came within %(time)s, weekends not counted.") % {
                "time": in_hours(self.median)
            }
        if self.waiting:
            waits = ngettext("%(n)s more waits with time left.", "%(n)s more wait with time left.", self.waiting)
            said += " " + waits % {"n": self.waiting}
        return said


def address() -> str:
    """The full address of the public report form; empty where this installation has none."""
    if find_form(settings.DISCLOSURE_TENANT, SLUG) is None:
        return ""
    return f"{settings.PUBLIC_URL}{address_of(settings.DISCLOSURE_TENANT, SLUG)}"


def answered() -> Answered | None:
    """What was measured over the real cases; None where there is no report form."""
    found = find_form(settings.DISCLOSURE_TENANT, SLUG)
    if found is None:
        return None
    tenant, form = found
    with as_system(tenant):
        zone = ZoneInfo(Tenant.objects.get(pk=tenant).timezone)
        first = Decision.objects.filter(step__case__collection_id=form).values_list("step__case_id")
        said: dict[UUID, datetime] = dict(first.annotate(Min("decided_at")))
        cases = list(Case.objects.filter(collection_id=form).values_list("pk", "opened_at"))
    return measure([(opened, said.get(pk)) for pk, opened in cases], zone, clock.now())


def measure(reports: list[tuple[datetime, datetime | None]], zone: ZoneInfo, now: datetime) -> Answered:
    """Count reports, each as (arrived, first answered or None), against the end of the next business day."""
    in_time = late = waiting = 0
    for arrived, answer in reports:
        if (answer or now) > due_after(arrived, PROMISED_BUSINESS_DAYS, zone):
            late += 1
        elif answer:
            in_time += 1
        else:
            waiting += 1
    spans = [business_time(arrived, answer, zone).total_seconds() for arrived, answer in reports if answer]
    return Answered(len(reports), in_time, late, waiting, timedelta(seconds=median(spans)) if spans else None)


def in_hours(span: timedelta) -> str:
    """`40 min`, `3 h`, `2 d 4 h`: a day has 24 hours."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def probe() -> Finding:
    """The form is open, its path is due in one business day and has four eyes, and what was measured is told."""
    found = find_form(settings.DISCLOSURE_TENANT, SLUG)
    if found is None:
        return Finding(None, _("This installation has no report form; write to the address in security.txt."))
    with as_system(found[0]):
        version = Form.objects.select_related("live_version__path_version").get(pk=found[1]).live_version
        assert version is not None
        assert version.path_version is not None
        steps = version.path_version.steps
    holds = steps[0].due_business_days == PROMISED_BUSINESS_DAYS and any(step.not_same_as for step in steps)
    figures = answered() or Answered()
    return Finding(holds, figures.sentence)

"""What operators and Super Admins look at: security events and the job queue."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from apps.accounts.models import User
from apps.tenants.admin import LookOnly
from apps.tenants.models import Tenant

from . import actions
from .models import Alarm, AlarmQuerySet


class SeenFilter(admin.SimpleListFilter):
    """Unseen ones, or all that somebody has marked."""

    title = gettext_lazy("seen")
    parameter_name = "seen"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("not seen yet")), ("yes", _("seen"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> QuerySet[Alarm]:
        if self.value() not in {"no", "yes"}:
            return queryset
        return queryset.filter(seen_at__isnull=self.value() == "no")


@admin.register(Alarm)
class AlarmAdmin(LookOnly):
    """Marking as seen is the one act here; it is in the platform's log."""

    list_display = ["at", "kind", "what", "tenant", "person", "count", "is_seen"]
    list_filter = [SeenFilter, "kind", "at"]
    search_fields = ["request_id"]
    ordering = ["-at", "-id"]
    date_hierarchy = "at"
    actions = ["mark_seen"]  # type: ignore[assignment]
    fields = ["at", "kind", "what", "count", "tenant", "person", "request_id", "seen_at", "seen_by"]
    readonly_fields = ["what", "tenant", "person"]
    show_full_result_count = False

    @admin.action(description=gettext_lazy("Mark as seen"))
    def mark_seen(self, request: HttpRequest, queryset: AlarmQuerySet) -> None:
        count = actions.mark_seen(queryset, by=request.user)  # type: ignore[arg-type]
        text = ngettext("%(n)s event is marked as seen.", "%(n)s events are marked as seen.", count)
        self.message_user(request, text % {"n": count}, messages.SUCCESS)

    @admin.display(description=gettext_lazy("facts"))
    def what(self, alarm: Alarm) -> str:
        return ", ".join(f"{name}: {value}" for name, value in alarm.facts.items()) or "–"

    @admin.display(description=gettext_lazy("tenant"))
    def tenant(self, alarm: Alarm) -> str:
        return _name_of(Tenant, alarm.about_tenant)

    @admin.display(description=gettext_lazy("person"))
    def person(self, alarm: Alarm) -> str:
        return _name_of(User, alarm.about_user)

    @admin.display(description=gettext_lazy("seen"), boolean=True, ordering="seen_at")
    def is_seen(self, alarm: Alarm) -> bool:
        return alarm.seen_at is not None


def _name_of(model: Any, pk: Any) -> str:
    """The row's name where it still exists."""
    if pk is None:
        return "–"
    row = model.objects.filter(pk=pk).first()
    return str(row) if row else str(pk)


class EventInline(admin.TabularInline):  # type: ignore[type-arg]
    """What became of a job."""

    model = ProcrastinateEvent
    fields = ["at", "type"]
    readonly_fields = ["at", "type"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(ProcrastinateJob)
class JobAdmin(LookOnly):
    """The queue: what waits, runs or has failed. A job that was done is gone."""

    list_display = ["id", "task_name", "status", "queue_name", "attempts", "scheduled_at", "arguments"]
    list_filter = ["status", "queue_name", "task_name"]
    ordering = ["-id"]
    inlines = [EventInline]
    fields = ["id", "task_name", "status", "queue_name", "attempts", "scheduled_at", "arguments", "queueing_lock"]
    readonly_fields = ["arguments"]
    show_full_result_count = False

    @admin.display(description=gettext_lazy("ids"))
    def arguments(self, job: ProcrastinateJob) -> str:
        return ", ".join(f"{name}: {value}" for name, value in job.args.items()) or "–"

"""What is open for me: sessions of browsers, tokens of programs, API keys; and ending each or all others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.tenants import clock
from apps.tenants.context import TenantContext, current, tenant_context
from apps.tenants.ids import id_in

from . import actions
from .devices import in_words
from .models import ApiKey, BrowserSession, TokenFamily, User
from .people import memberships
from .sessions import public_name, stored_key


@dataclass(frozen=True)
class Opened:
    """One thing that lets somebody act as me."""

    kind: str
    id: str
    title: str
    place: str
    since: datetime | None
    used: datetime | None
    is_this: bool = False
    about: str = ""


def sessions(request: HttpRequest) -> HttpResponse:
    """The list; POST ends one (`end` is kind:id) or all but this session."""
    user: User = request.user  # type: ignore[assignment]
    if request.method == "POST":
        kind, _colon, identity = request.POST.get("end", "").partition(":")
        _end(user, kind, identity, request.session.session_key or "")
        messages.success(request, _("Ended."))
        return redirect("account_sessions")
    context = {
        "sessions": _sessions(user, request.session.session_key or ""),
        "families": _families(user),
        "keys": _keys(user),
    }
    return render(request, "account/sessions.html", context)


def _end(user: User, kind: str, identity: str, this: str) -> None:
    if kind == "others":
        actions.end_sessions(user.pk, but=this)
        actions.end_families(user.pk)
    elif kind == "session":
        actions.end_sessions(user.pk, but=this, only=identity)
    elif kind == "tokens":
        actions.end_family(id_in(identity), of=user.pk)
    elif kind == "key":
        for member in memberships(user.pk):
            with _as(member):
                actions.end_api_keys(member, only=id_in(identity))


def _sessions(user: User, this: str) -> list[Opened]:
    rows = BrowserSession.objects.filter(user_id=user.pk, expire_date__gt=clock.now()).order_by("-seen_at")
    return [
        Opened(
            "session",
            public_name(row.session_key),
            in_words(row.agent),
            row.address or "",
            row.opened_at,
            row.seen_at,
            row.session_key == stored_key(this),
        )
        for row in rows
    ]


def _families(user: User) -> list[Opened]:
    now, names = clock.now(), {member.tenant_id: member.tenant.name for member in memberships(user.pk)}
    rows = TokenFamily.objects.filter(user=user, revoked_at=None, idle_expires_at__gt=now, expires_at__gt=now)
    return [
        Opened(
            "tokens",
            str(row.pk),
            " · ".join(filter(None, [in_words(row.agent), names.get(row.tenant_id)])),
            row.address or "",
            row.created_at,
            row.rotated_at or row.created_at,
        )
        for row in rows.order_by("-created_at")
    ]


def _keys(user: User) -> list[Opened]:
    found = []
    for member in memberships(user.pk):
        with _as(member):
            rows = list(ApiKey.objects.alive().filter(member=member).order_by("-created_at"))
        found += [
            Opened(
                "key",
                str(row.pk),
                row.name,
                row.last_address or "",
                row.created_at,
                row.last_used_at,
                about=f"{row.shown} · {member.tenant.name}",
            )
            for row in rows
        ]
    return found


def _as(member: Any) -> Any:
    """Act as this membership of mine; its tenant is the one in force."""
    context = TenantContext(
        tenant=member.tenant_id,
        user=member.user_id,
        member=member.pk,
        credential="session",
        request_id=current().request_id,
    )
    return tenant_context(context)

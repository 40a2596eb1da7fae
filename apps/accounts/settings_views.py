"""Settings: general, members, teams and roles."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apps.tenants.context import require
from apps.tenants.ids import id_in
from apps.tenants.pages import PageRequest, done, page, refusal_on, turl
from apps.tenants.refusals import Conflict, Invalid, Refused

from . import actions
from .inputs import InvitationInput, LeavingInput, SeatInput, TeamInput, TenantInput
from .models import Invitation, Member, Team
from .rules import MATRIX, PERMISSIONS, Role
from .ties import ties_of


def general(request: PageRequest, tenant: str) -> HttpResponse:
    """The tenant's name and time zone."""
    require("settings.read")
    start = {"name": request.tenant.name, "timezone": request.tenant.timezone}
    asked = TenantInput(request.POST or None, initial=start)
    if request.method == "POST":
        require("settings.write")
        if asked.is_valid():
            actions.change_tenant(request.tenant, by=request.member, **asked.cleaned_data)
            return done(request, _("Saved."), "accounts:general")
    return page(request, "settings/general.html", {"input": asked}, status=422 if asked.errors else 200)


def members(request: PageRequest, tenant: str) -> HttpResponse:
    """Everybody with their role, and open invitations; POST invites."""
    require("settings.read")
    asked = InvitationInput(request.POST or None, teams=Team.objects.order_by("name"))
    if request.method == "POST":
        require("members.write")
        if asked.is_valid():
            with refusal_on(asked):
                actions.invite(by=request.member, **asked.cleaned_data)
                return done(request, _("The invitation is on its way."), "accounts:members")
    return _members(request, asked, status=422 if asked.errors else 200)


def _members(request: PageRequest, asked: InvitationInput, status: int = 200) -> HttpResponse:
    context = {
        "input": asked,
        "members": Member.objects.filter(is_service=False).select_related("user").order_by("-is_active", "user__name"),
        "invitations": Invitation.objects.open().select_related("invited_by__user").order_by("-created_at"),
        "roles": Role.choices,
        "may_write": request.context.allows("members.write"),
    }
    return page(request, "settings/members.html", context, status=status)


def member(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST changes one member: `do` is role, deactivate or reactivate."""
    require("members.write")
    found = get_object_or_404(Member.objects.filter(is_service=False).select_related("user", "tenant"), pk=pk)
    asked = request.POST.get("do", "")
    try:
        if asked == "role":
            actions.change_role(found, request.POST.get("role", ""), by=request.member)
        elif asked == "deactivate":
            if ties_of(found):
                return redirect(turl(request, "accounts:leave", pk=pk))
            actions.deactivate(found, by=request.member)
        elif asked == "reactivate":
            actions.reactivate(found, by=request.member)
        elif asked == "erase":
            actions.erase_private_values(found, by=request.member)
    except (Refused, Invalid, Conflict) as refused:
        messages.error(request, f"{found.name}: {refused.detail}")
        return redirect(turl(request, "accounts:members"))
    return done(request, _("%(name)s is changed.") % {"name": found.name}, "accounts:members")


def leave(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """What depends on a member; POST shuts them out and hands each thing to the person chosen for it."""
    require("members.write")
    found = get_object_or_404(Member.objects.people().select_related("user", "tenant"), pk=pk)
    people = Member.objects.people().exclude(pk=pk).select_related("user", "tenant").order_by("user__name")
    sent = request.POST if request.method == "POST" else None
    asked = LeavingInput(sent, ties=ties_of(found), people=people)
    if request.method == "POST" and asked.is_valid():
        with refusal_on(asked):
            heirs = dict(asked.cleaned_data)
            keep_keys = heirs.pop("keep_keys", False)
            actions.deactivate(found, by=request.member, heirs=heirs, keep_keys=keep_keys)
            return done(request, _("%(name)s is shut out.") % {"name": found.name}, "accounts:members")
    return page(request, "settings/leave.html", {"one": found, "input": asked}, status=422 if asked.errors else 200)


def withdraw_invitation(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """POST ends an open invitation, or mails its link again (`do` is resend)."""
    require("members.write")
    found = get_object_or_404(Invitation, pk=pk)
    if request.POST.get("do") == "resend":
        try:
            actions.resend_invitation(found, by=request.member)
        except Refused as refused:
            messages.error(request, str(refused.detail))
            return redirect(turl(request, "accounts:members"))
        return done(request, _("A new link is on its way; the one before ends."), "accounts:members")
    actions.withdraw_invitation(found, by=request.member)
    return done(request, _("The invitation is withdrawn."), "accounts:members")


def teams(request: PageRequest, tenant: str) -> HttpResponse:
    """Teams and who is in them; POST makes one."""
    require("settings.read")
    asked = TeamInput(request.POST or None)
    if request.method == "POST":
        require("teams.write")
        if asked.is_valid():
            with refusal_on(asked):
                made = actions.create_team(by=request.member, **asked.cleaned_data)
                return redirect(turl(request, "accounts:team", pk=made.pk))
    rows = Team.objects.prefetch_related("memberships__member__user").order_by("name")
    context = {"input": asked, "teams": rows, "may_write": request.context.allows("teams.write")}
    return page(request, "settings/teams.html", context, status=422 if asked.errors else 200)


def team(request: PageRequest, tenant: str, pk: UUID) -> HttpResponse:
    """One team; POST puts a member in, or takes one out (`leave`)."""
    require("settings.read")
    found = get_object_or_404(Team, pk=pk)
    inside = Member.objects.in_team(found.pk).select_related("user").order_by("user__name")
    outside = Member.objects.people().exclude(pk__in=inside.values("pk")).select_related("user").order_by("user__name")
    asked = SeatInput(request.POST or None, members=outside)
    if request.method == "POST":
        require("teams.write")
        if "leave" in request.POST:
            try:
                actions.leave_team(found, get_object_or_404(inside, pk=id_in(request.POST["leave"])), by=request.member)
            except Conflict as conflict:
                messages.error(request, str(conflict.detail))
            return redirect(turl(request, "accounts:team", pk=pk))
        if asked.is_valid():
            actions.join_team(found, asked.cleaned_data["member"], by=request.member)
            return redirect(turl(request, "accounts:team", pk=pk))
    context = {"team": found, "inside": inside, "input": asked, "may_write": request.context.allows("teams.write")}
    return page(request, "settings/team.html", context, status=422 if asked.errors else 200)


def roles(request: PageRequest, tenant: str) -> HttpResponse:
    """The matrix, drawn from the very table that is enforced."""
    require("settings.read")
    table: list[dict[str, Any]] = [
        {"name": name, "title": title, "cells": [name in MATRIX[role] for role in Role]}
        for name, title in PERMISSIONS.items()
    ]
    return page(request, "settings/roles.html", {"roles": list(Role), "table": table})

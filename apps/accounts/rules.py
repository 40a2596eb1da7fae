"""The matrix of tenant roles: what each may do at most. On a form, grants decide within it."""

from __future__ import annotations

import re
from functools import lru_cache

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A member's role in one tenant."""

    OWNER = "owner", _("owner")
    MEMBER = "member", _("member")
    VIEWER = "viewer", _("viewer")


# Every permission there is, and what it lets a person do; a test holds that the rooms ask for no other.
PERMISSIONS = {
    "forms.read": _("See forms"),
    "forms.fill_named": _("Fill a form that names them"),
    "forms.fill": _("Fill any published form"),
    "forms.create": _("Make a form, and own it"),
    "forms.edit": _("Change and publish forms that a grant opens to them"),
    "submissions.read": _("See their own submissions, and others that a grant or a task opens to them"),
    "tasks.decide": _("Decide where a path asks them"),
    "members.read": _("See members and teams"),
    "members.write": _("Invite, change and shut out members"),
    "teams.write": _("Make teams and choose their members"),
    "settings.read": _("See the tenant's settings"),
    "settings.write": _("Change the tenant's settings"),
    "data.export": _("Take all of the tenant's data out"),
    "api_keys.write": _("Make and end API keys"),
    "audit.read": _("Read and verify the audit log"),
}

VIEWER = frozenset({"forms.read", "forms.fill_named", "submissions.read", "members.read"})
MEMBER = VIEWER | {"forms.create", "forms.edit", "forms.fill", "tasks.decide"}
OWNER = MEMBER | {
    "audit.read",
    "settings.read",
    "settings.write",
    "members.write",
    "teams.write",
    "api_keys.write",
    "data.export",
}

# What takes a person, whatever the role says: a service account holds none of it.
FOR_PEOPLE = frozenset({"tasks.decide"})

MATRIX: dict[Role, frozenset[str]] = {Role.OWNER: OWNER, Role.MEMBER: MEMBER, Role.VIEWER: VIEWER}


@lru_cache(maxsize=16)
def permissions_of(role: str) -> frozenset[str]:
    """What the role may do at most; nothing for a role that is not in the matrix."""
    return MATRIX.get(Role(role), frozenset()) if role in Role.values else frozenset()


# Addresses of tenants that nobody gets: words of our own addresses, and names that would pass for ours.
RESERVED_ADDRESSES = frozenset(
    [
        "about",
        "abuse",
        "account",
        "accounts",
        "admin",
        "api",
        "app",
        "auth",
        "billing",
        "blog",
        "demo",
        "docs",
        "help",
        "legal",
        "link",
        "login",
        "logout",
        "mail",
        "me",
        "none",
        "official",
        "orkestra",
        "platform",
        "privacy",
        "public",
        "root",
        "security",
        "settings",
        "signin",
        "signup",
        "sso",
        "static",
        "status",
        "support",
        "system",
        "team",
        "test",
        "trust",
        "www",
    ]
)
ADDRESS = re.compile(r"[a-z0-9](-?[a-z0-9]){1,62}\Z")


def may_be_address(text: str) -> bool:
    """Whether a tenant's pages can be at /t/<text>/."""
    return len(text) <= 63 and ADDRESS.match(text) is not None

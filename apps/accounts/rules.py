"""The matrix of tenant roles: what each may do at most. On a form, grants decide within it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A member's role in one tenant."""

    OWNER = "owner", _("owner")
    MEMBER = "member", _("member")
    VIEWER = "viewer", _("viewer")


VIEWER = frozenset({"forms.read", "forms.fill_named", "submissions.read", "members.read"})
MEMBER = VIEWER | {"forms.create", "forms.edit", "forms.fill", "tasks.decide"}
OWNER = MEMBER | {"audit.read", "settings.read", "settings.write", "members.write", "teams.write"}

MATRIX: dict[Role, frozenset[str]] = {Role.OWNER: OWNER, Role.MEMBER: MEMBER, Role.VIEWER: VIEWER}


def permissions_of(role: str) -> frozenset[str]:
    """What the role may do at most; nothing for a role that is not in the matrix."""
    return MATRIX.get(Role(role), frozenset()) if role in Role.values else frozenset()

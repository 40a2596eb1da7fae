"""Who may fill a published form, within the ceiling of the tenant role; no database."""

from __future__ import annotations

from collections.abc import Set

from django.db import models
from django.utils.translation import gettext_lazy as _


class Filling(models.TextChoices):
    """To whom a form is open. Whoever it names as a filler may fill it in each of these."""

    MEMBERS = "members", _("every owner and member")
    NAMED = "named", _("only those who are named as fillers")
    PUBLIC = "public", _("anyone who has the address, without signing in")


def open_to(permissions: Set[str], *, named: bool) -> frozenset[Filling]:
    """The kinds of form that somebody with these permissions may fill, named by it or not."""
    if named and "forms.fill_named" in permissions:
        return frozenset(Filling)
    return frozenset({Filling.MEMBERS, Filling.PUBLIC}) if "forms.fill" in permissions else frozenset()

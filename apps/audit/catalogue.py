"""Every kind of act that may be recorded: its words, what an entry of it means, its facts, and since when.

Filled by each room when it is ready. A page and the API list it, and tests compare it with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from django.apps import apps
from django.utils.translation import gettext_lazy as _

from apps.tenants.refusals import Text

FIRST = "0.1"
OUTCOMES: dict[str, Text] = {"done": _("done"), "refused": _("refused"), "failed": _("failed")}

ACTORS: dict[str, Text] = {
    "member": _("a member"),
    "service_account": _("a service account"),
    "system": _("Orkestra itself"),
    "anonymous": _("somebody not signed in"),
    "user": _("a Super Admin or a person outside"),
}
WAYS: dict[str, Text] = {"support": _("support"), "behalf": _("a stand-in")}


@dataclass(frozen=True)
class Act:
    """A kind of act: `fields` are the names that its facts may have, `since` the first version that records it.

    `sentence` says one act whole, with {who}, {about} and its facts; `variants` say it otherwise by a fact's value, as
    `verdict=approve`.
    """

    title: Text
    meaning: Text = ""
    fields: tuple[str, ...] = ()
    since: str = FIRST
    sentence: Text = ""
    variants: Mapping[str, Text] = field(default_factory=dict)


class Named(NamedTuple):
    """An act with the name that entries carry."""

    name: str
    act: Act


_acts: dict[str, Act] = {}


def register(actions: Mapping[str, Act | Text]) -> None:
    """Add a room's acts, plain words standing for an act without more; a name that is taken raises ValueError."""
    if taken := set(actions) & set(_acts):
        raise ValueError(f"Registered twice: {sorted(taken)}")
    _acts.update({name: act if isinstance(act, Act) else Act(act) for name, act in actions.items()})


def title(action: str) -> Text:
    """The words for an act; its name when a later version no longer knows it."""
    found = _acts.get(action)
    return action if found is None else found.title


def find(action: str) -> Act | None:
    """The act of this name; None when a later version no longer knows it."""
    return _acts.get(action)


def known() -> dict[str, Text]:
    """The words of all acts by name."""
    return {name: act.title for name, act in listed()}


def listed() -> list[Named]:
    """All acts by name."""
    return [Named(name, act) for name, act in sorted(_acts.items())]


def kinds() -> list[str]:
    """What an entry may be about, as the models say: form, submission, member and so on.

    No model stands for the installation, nor for what an address is called that nobody has.
    """
    named = {getattr(model, "audit_type", "") for model in apps.get_models()}
    return sorted((named | {"installation", "account"}) - {""})

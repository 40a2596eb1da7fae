"""Entries as pages show them: a sentence, before and after, who stood behind it, and what is still known of where from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.tenants.refusals import Text
from apps.tenants.slots import slots

from . import canonical, catalogue, private
from .models import Entry, PrivateValue
from .private import Fate

BEFORE, MEMBER = "before", "member"
ID_LENGTH = 36


@dataclass(frozen=True)
class Change:
    """One value before and after an act."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Row:
    """One entry, ready for a template.

    `kept` are the private values that it commits to; `erased` names those whose erasure the log attests, `missing` those
    that are gone or are others, with nothing that attests it.
    """

    entry: Entry
    seq: int | None
    who: str
    sentence: str
    credential: str = ""
    on_behalf_of: str = ""
    impersonator: str = ""
    changes: tuple[Change, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    kept: dict[str, str] = field(default_factory=dict)
    erased: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    readable: bool = True

    @property
    def address(self) -> str:
        return self.kept.get("address", "")

    @property
    def agent(self) -> str:
        return self.kept.get("agent", "")

    @property
    def outcome(self) -> Text:
        """How it ended, in words."""
        return catalogue.OUTCOMES.get(self.entry.outcome, self.entry.outcome)


def rows_of(entries: Sequence[Entry]) -> list[Row]:
    """The rows of one page, with three short queries for all of them; `seals` are prefetched."""
    documents = {entry.pk: _document(entry) for entry in entries}
    names = slots.actor_names(_people(entries, documents))
    held: dict[UUID, dict[str, private.Held]] = {}
    for one in PrivateValue.objects.filter(entry_id__in=list(documents)):
        held.setdefault(one.entry_id, {})[one.name] = bytes(one.salt), one.value
    erasures = private.Erasures()
    return [_row(entry, documents[entry.pk], names, held.get(entry.pk, {}), erasures) for entry in entries]


def _row(
    entry: Entry,
    said: dict[str, Any] | None,
    names: dict[UUID, str],
    held: dict[str, private.Held],
    erasures: private.Erasures,
) -> Row:
    seal = next(iter(entry.seals.all()), None)  # type: ignore[attr-defined]
    seq, who = (seal.seq if seal else None), _who(entry, names, str((said or {}).get("credential")))
    if said is None:
        return Row(entry, seq, who, _fallback(entry, who, _about(entry, names)), readable=False)
    facts = said.get("facts") or {}
    behalf = _named(said.get("on_behalf_of"), names)
    both = _("%(who)s for %(whom)s") % {"who": who, "whom": behalf} if behalf else who
    facts = _with_names(facts, names)
    fates = {name: fate for name, fate, _seq in private.fates(entry.pk, bytes(entry.body), held, erasures)}
    return Row(
        entry,
        seq,
        who,
        sentence(entry, both, facts, names),
        credential=str(said.get("credential") or ""),
        on_behalf_of=behalf,
        impersonator=_named(said.get("impersonator"), names),
        changes=changes(entry.action, facts),
        facts=tuple((name, _plain(value)) for name, value in facts.items()),
        kept={name: held[name][1] for name, fate in fates.items() if fate is Fate.KEPT},
        erased=tuple(name for name, fate in fates.items() if fate is Fate.ERASED),
        missing=tuple(name for name, fate in fates.items() if fate in {Fate.LOST, Fate.BROKEN}),
        others=tuple(one["label"] or one["type"] for one in said.get("targets", [])[1:]),
    )


def sentence(entry: Entry, who: str, facts: dict[str, Any], names: dict[UUID, str]) -> str:
    """What happened, as the act's own sentence where it has one that fits, else the act, its doer and its object."""
    about = _about(entry, names)
    act = catalogue.find(entry.action)
    if act is None:
        return _fallback(entry, who, about)
    fitting = (words for key, words in act.variants.items() if _fits(key, facts))
    words = str(next(fitting, act.sentence))
    values = {name: _plain(value) for name, value in facts.items()} | {
        "who": who,
        "about": about or entry.target_type.replace("_", " "),
    }
    try:
        return words.format_map(values) if words else _fallback(entry, who, about)
    except KeyError:  # an entry of a version that recorded less
        return _fallback(entry, who, about)


def changes(action: str, facts: dict[str, Any]) -> tuple[Change, ...]:
    """Values before and after where both are recorded: `before` beside `after`, `before` of what stands there, `x_before`."""
    found = [
        Change(name.removesuffix("_before"), _plain(value), _plain(facts[name.removesuffix("_before")]))
        for name, value in facts.items()
        if name.endswith("_before") and name.removesuffix("_before") in facts
    ]
    if BEFORE not in facts:
        return tuple(found)
    before = facts[BEFORE]
    after = facts.get("after", {key: facts.get(key) for key in before} if isinstance(before, dict) else None)
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return (*found, *(Change(key, _plain(before.get(key)), _plain(after.get(key))) for key in keys))
    name = _named_before(action) if "after" not in facts else ""
    return (*found, Change(name, _plain(before), _plain(facts.get(name, after))))


def _named_before(action: str) -> str:
    """The fact whose former value `before` is: the one that the catalogue names right before it, a plan's name first."""
    act = catalogue.find(action)
    fields = act.fields if act else ()
    place = fields.index(BEFORE) if BEFORE in fields else 0
    names = [name for name in fields[:place] if name != "version"]
    return names[-1] if names else ""


def _fits(key: str, facts: dict[str, Any]) -> bool:
    name, _equals, value = key.partition("=")
    return str(facts.get(name)) == value


def _fallback(entry: Entry, who: str, about: str) -> str:
    return f"{who}: {entry.title} · {about}" if about else f"{who}: {entry.title}"


def _about(entry: Entry, names: dict[UUID, str]) -> str:
    """The label that was recorded; of a member, whose name no entry keeps, the name of today; else nothing."""
    person = entry.target_id if entry.target_type == MEMBER else None
    return entry.target_label or (names.get(person, "") if person else "")


def _who(entry: Entry, names: dict[UUID, str], credential: str) -> str:
    if entry.actor_id in names:
        return names[entry.actor_id]
    outside = {"support": _("A Super Admin of Orkestra"), "invitation": _("Whoever was invited")}
    user = outside.get(credential, _("A person outside the tenant"))
    words = {"system": "Orkestra", "anonymous": _("Somebody not signed in"), "user": user}
    return words.get(entry.actor_type, _("A former member"))


def _named(one: Any, names: dict[UUID, str]) -> str:
    """A second identity: its name where it is a member's, else what it is and its id."""
    if not isinstance(one, dict) or not one.get("id"):
        return ""
    key = _uuid(one["id"])
    return (names.get(key, "") if key else "") or f"{one.get('type', '')} {one['id']}".strip()


def _people(entries: Sequence[Entry], documents: dict[UUID, dict[str, Any] | None]) -> set[UUID]:
    found = {entry.actor_id for entry in entries if entry.actor_id}
    found |= {entry.target_id for entry in entries if entry.target_id and entry.target_type == MEMBER}
    for said in documents.values():
        for name in ("on_behalf_of", "impersonator"):
            one = (said or {}).get(name)
            if isinstance(one, dict) and (key := _uuid(one.get("id"))):
                found.add(key)
        found |= set(_ids_in((said or {}).get("facts")))
    return found


def _ids_in(value: Any) -> Iterator[UUID]:
    """Whatever in the facts has the form of an id; some are people's."""
    if isinstance(value, str) and len(value) == ID_LENGTH and (key := _uuid(value)):
        yield key
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _ids_in(part)


def _with_names(value: Any, names: dict[UUID, str]) -> Any:
    """The facts with people's names for their ids."""
    if isinstance(value, dict):
        return {key: _with_names(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_names(part, names) for part in value]
    key = _uuid(value) if isinstance(value, str) and len(value) == ID_LENGTH else None
    return names.get(key, value) if key else value


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _document(entry: Entry) -> dict[str, Any] | None:
    try:
        return entry.document
    except canonical.NotCanonical:
        return None


def _plain(value: Any) -> str:
    """A fact as a person reads it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(part)}" for key, part in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(_plain(part) for part in value) or "–"
    return str(value)

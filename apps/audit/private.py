"""Values that name a person beside an act: committed to in the entry, kept apart, and erasable without breaking the chain.

An entry holds HMAC-SHA256(salt, value) under a random salt of 32 bytes; salt and value lie in a table of their own. With
both gone nobody can test a guess against the entry, and its bytes and its leaf are what they were.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.tenants.caller import caller
from apps.tenants.context import current

from .models import Entry, PrivateValue

SALT_BYTES = 32
BATCH = 2000
MARK = b'"private":['
COLUMNS = ("name", "salt", "value")
Attestation = tuple[set[str], UUID, int]
Held = tuple[bytes, str]


class Fate(Enum):
    """What became of a value that an entry commits to."""

    KEPT = "kept"
    ERASED = "erased"
    LOST = "lost"
    BROKEN = "broken"


Became = tuple[str, Fate, int]  # the value's name, and the seq that attests its erasure


def drawn() -> list[PrivateValue]:
    """The private values of the request in force, each under a fresh salt; none where there is no request."""
    said = caller()
    person = current().impersonator or current().user or said.person
    found = {"address": said.address, "agent": said.agent}
    return [
        PrivateValue(name=name, person=person, salt=secrets.token_bytes(SALT_BYTES), value=value)
        for name, value in found.items()
        if value
    ]


def commitments(values: list[PrivateValue]) -> dict[str, list[dict[str, str]]]:
    """What the entry's bytes say of them; nothing where there are none."""
    said = [{"name": one.name, "commitment": commitment(bytes(one.salt), one.value)} for one in values]
    return {"private": said} if said else {}


def commitment(salt: bytes, value: str) -> str:
    """HMAC-SHA256 as hex."""
    return hmac.new(salt, value.encode(), hashlib.sha256).hexdigest()


def beside(values: list[PrivateValue], entry: Entry) -> None:
    """Let them name the entry that they stand beside; they are stored with it."""
    for one in values:
        one.entry = entry


def nobodys(person: UUID) -> Counter[tuple[str, UUID]]:
    """What those entries are about that are nobody's, while this person's values stand beside them: (kind, id) -> values.

    An erasure of the person alone would not attest these, since neither hand nor account stands in the entry.
    """
    values = PrivateValue.objects.filter(person=person, entry__actor_id=None)
    rows = values.values_list("entry__target_type", "entry__target_id", "entry__body")
    said = ((kind, pk, promised(bytes(body))) for kind, pk, body in rows.iterator(BATCH))
    return Counter((kind, pk) for kind, pk, entry in said if pk and entry and whose(entry) == str(pk))


@transaction.atomic
def erase(person: UUID) -> int:
    """Delete salts and values of every entry of this person in the tenant in force; returns how many there were.

    The app's role may not delete a row of that table; a function of the owner deletes one person's, in the bound tenant.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT orkestra_erase_private(%s)", [person])
        return int(cursor.fetchone()[0])


@dataclass
class Private:
    """What became of the values that the entries of a tenant commit to; `erased` counts by the seq that attests it."""

    kept: int = 0
    erased: dict[int, int] = field(default_factory=dict)
    lost: int = 0
    broken: list[UUID] = field(default_factory=list)

    @property
    def in_words(self) -> str:
        """One line for a command."""
        parts = [f"{self.kept} private values kept"]
        parts += [f"{count} erased, attested at #{seq}" for seq, count in sorted(self.erased.items())]
        if self.lost:
            parts.append(f"{self.lost} MISSING with no attestation")
        if self.broken:
            parts.append(f"{len(self.broken)} NOT what their entries commit to, first in entry {self.broken[0]}")
        return ", ".join(parts)


def examine() -> Private:
    """Compare every commitment of the tenant in force with what is kept, and every absence with an attestation."""
    found = Private()
    for entry, (_name, fate, seq) in _everywhere():
        if fate is Fate.KEPT:
            found.kept += 1
        elif fate is Fate.ERASED:
            found.erased[seq] = found.erased.get(seq, 0) + 1
        elif fate is Fate.LOST:
            found.lost += 1
        else:
            found.broken.append(entry)
    return found


def differing() -> Iterator[UUID]:
    """The ids of entries beside which a value is gone with nothing that attests it, or is another."""
    return (entry for entry, (_name, fate, _seq) in _everywhere() if fate in {Fate.LOST, Fate.BROKEN})


def _everywhere() -> Iterator[tuple[UUID, Became]]:
    """What became of each value, by its entry."""
    erasures = Erasures()
    low: UUID | None = None
    while True:
        rows = Entry.objects.filter(pk__gt=low) if low else Entry.objects.all()
        high = next(iter(rows.order_by("pk").values_list("pk", flat=True)[BATCH - 1 : BATCH]), None)
        rows = rows.filter(pk__lte=high) if high else rows
        # One statement, so that what retention takes together is seen together; of bodies those that matter.
        kept = rows.order_by("pk").values_list("pk", "body", *(f"private_values__{name}" for name in COLUMNS))
        erasures.fresh = False
        for pk, group in groupby(kept, key=itemgetter(0)):
            values = list(group)
            held = {name: (bytes(salt), value) for _pk, _body, name, salt, value in values if name is not None}
            yield from ((pk, one) for one in fates(pk, bytes(values[0][1]), held, erasures))
        if high is None:
            return
        low = high


def fates(entry: UUID, body: bytes, kept: Mapping[str, Held], erasures: Erasures) -> Iterator[Became]:
    """What became of the values that an entry commits to, and of what stands beside it that it does not commit to."""
    said = promised(body)
    names = set()
    for promise in said.get("private", []):
        names.add(name := promise["name"])
        if one := kept.get(name):
            yield name, Fate.KEPT if commitment(*one) == promise["commitment"] else Fate.BROKEN, -1
        else:
            seq = erasures.find(whose(said), entry)
            yield name, Fate.LOST if seq is None else Fate.ERASED, -1 if seq is None else seq
    yield from ((name, Fate.BROKEN, -1) for name in kept if name not in names)


def promised(body: bytes) -> dict[str, Any]:
    """The entry's document where it commits to values and can be read; what else became of its bytes, the walk tells."""
    if MARK not in body:
        return {}
    try:
        said: dict[str, Any] = json.loads(body)
        whose(said)
        return said if all({"name", "commitment"} <= set(one) for one in said["private"]) else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


class Erasures:
    """The erasures that the log tells of; read where none that fits is known, unless they are `fresh`.

    They must be read after the values whose absence they attest, or one that comes in between is missed.
    """

    def __init__(self) -> None:
        self.rows: list[Attestation] = []
        self.fresh = False

    def find(self, who: str, entry: UUID) -> int | None:
        """The seq of the first one that covers this person's value beside this entry; -1 while it is not sealed."""
        found = self._find(who, entry)
        if found is None and not self.fresh:
            self.rows, self.fresh = _attestations(), True
            found = self._find(who, entry)
        return found

    def _find(self, who: str, entry: UUID) -> int | None:
        return next((seq for people, made, seq in self.rows if who in people and made >= entry), None)


def _attestations() -> list[Attestation]:
    """(ids of the person, the id of the entry, its seq) of each erasure."""
    rows = []
    for entry in Entry.objects.filter(action="privacy.erased").prefetch_related("seals").order_by("time", "id"):
        seal = next(iter(entry.seals.all()), None)  # type: ignore[attr-defined]
        facts = entry.facts
        people = {str(entry.target_id), *(str(facts[name]) for name in ("person", "account") if name in facts)}
        rows.append((people, entry.pk, seal.seq if seal else -1))
    return rows


def whose(said: dict[str, Any]) -> str:
    """Whose an entry's private values are: the hand's that did it; where nobody was signed in, whom it is about."""
    by = (said.get("impersonator") or said["actor"] or {}).get("id")
    return str(by or said["facts"].get("account") or next((one["id"] for one in said["targets"]), None))

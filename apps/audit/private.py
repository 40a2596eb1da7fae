"""Values that name a person beside an act: committed to in the entry, kept apart, and erasable without breaking the chain.

An entry holds HMAC-SHA256(salt, value) under a random salt of 32 bytes; salt and value lie in a table of their own. With
both gone nobody can test a guess against the entry, and its bytes and its leaf are what they were.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.tenants.caller import caller
from apps.tenants.context import current

from . import canonical
from .models import Entry, PrivateValue

SALT_BYTES = 32
BATCH = 2000
MARK = b'"private":['
Attestation = tuple[set[str], Entry, int]


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
    found, attested = Private(), _attestations()
    entries = Entry.objects.order_by("time", "id").prefetch_related("private_values")
    for entry in entries.iterator(BATCH):
        if MARK not in bytes(entry.body):
            continue
        try:
            said = entry.document
        except canonical.NotCanonical:
            continue
        kept = {one.name: one for one in entry.private_values.all()}  # type: ignore[attr-defined]
        for promise in said.get("private", []):
            one = kept.get(promise["name"])
            if one is None:
                _count_absence(found, attested, said, entry)
            elif commitment(bytes(one.salt), one.value) != promise["commitment"]:
                found.broken.append(entry.pk)
            else:
                found.kept += 1
    return found


def _attestations() -> list[Attestation]:
    """(ids of the person, the entry, its seq) of each erasure."""
    rows = []
    for entry in Entry.objects.filter(action="privacy.erased").prefetch_related("seals").order_by("time", "id"):
        seal = next(iter(entry.seals.all()), None)  # type: ignore[attr-defined]
        facts = entry.facts
        people = {str(entry.target_id), *(str(facts[name]) for name in ("person", "account") if name in facts)}
        rows.append((people, entry, seal.seq if seal else -1))
    return rows


def whose(said: dict[str, Any]) -> str:
    """Whose an entry's private values are: the hand's that did it; where nobody was signed in, whom it is about."""
    by = (said.get("impersonator") or said["actor"] or {}).get("id")
    return str(by or said["facts"].get("account") or next((one["id"] for one in said["targets"]), None))


def _count_absence(found: Private, attested: list[Attestation], said: dict[str, Any], entry: Entry) -> None:
    who = whose(said)
    later = (seq for people, made, seq in attested if who in people and made.pk >= entry.pk)
    seq = next(later, None)
    if seq is None:
        found.lost += 1
    else:
        found.erased[seq] = found.erased.get(seq, 0) + 1

"""Proofs for people outside: that an entry is in the signed log, and that one signed head continues another."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.tenants.context import as_system, current_tenant
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.refusals import Conflict, Invalid, NotFound

from . import keys, storage, tree
from .checkpoints import INSTANCE, NotSigned, checkpoint, checkpoint_instance, newest_checkpoint
from .models import Checkpoint, Entry, Seal
from .sealer import seal
from .statements import consistency_text, proof_text, text_of


def fresh_checkpoint() -> Checkpoint:
    """The signed head over everything that is committed now. Raises Conflict where the log may not be signed."""
    tenant = current_tenant()
    seal(tenant)
    try:
        made = checkpoint(tenant)
    except NotSigned as fault:
        raise Conflict(_("The log cannot be signed: %(why)s") % {"why": fault}, code="log_not_signed") from None
    if made is None:
        raise Conflict(_("Nothing is in the log yet."), code="log_empty")
    return made


@dataclass(frozen=True)
class Witnessed:
    """That a checkpoint is a leaf of the signed instance log."""

    checkpoint: Checkpoint
    place: int
    proof: list[bytes]

    def text(self) -> str:
        """As c2sp.org/tlog-proof has it."""
        return proof_text(self.place, self.proof, self.checkpoint.note)

    def as_json(self) -> dict[str, Any]:
        return {
            "checkpoint": self.checkpoint.note,
            "origin": self.checkpoint.origin,
            "index": self.place,
            "size": self.checkpoint.size,
            "proof": [text_of(part) for part in self.proof],
            "tlog_proof": self.text(),
            "keys": keys.verifier_keys(self.checkpoint.origin),
        }


def witnessed(made: Checkpoint) -> Witnessed | None:
    """The place of a checkpoint in the instance log, as it is signed now; None where that may not be signed."""
    try:
        whole = checkpoint_instance()
    except NotSigned:
        return None
    if whole is None or made.place is None or made.place >= whole.size:
        return None
    with as_system(PLATFORM_TENANT_ID):
        return Witnessed(whole, made.place, tree.prove_inclusion(made.place, whole.size, INSTANCE))


@dataclass(frozen=True)
class Included:
    """That an entry stands at `index` of the log that the checkpoint signs."""

    entry: Entry
    index: int
    leaf: bytes
    proof: list[bytes]
    checkpoint: Checkpoint

    def as_json(self) -> dict[str, Any]:
        return {
            "entry": str(self.entry.pk),
            "body": base64.b64encode(bytes(self.entry.body)).decode(),
            "index": self.index,
            "leaf": text_of(self.leaf),
            "size": self.checkpoint.size,
            "root": text_of(bytes(self.checkpoint.root)),
            "proof": [text_of(part) for part in self.proof],
            "checkpoint": self.checkpoint.note,
            "tlog_proof": proof_text(self.index, self.proof, self.checkpoint.note),
            "keys": keys.verifier_keys(self.checkpoint.origin),
        }


def inclusion(entry: UUID) -> Included:
    """Prove that an entry of the tenant in force is in its log. Raises NotFound, Conflict."""
    made = newest_checkpoint()
    place = Seal.objects.select_related("entry").filter(entry_id=entry).first()
    if place is not None and not place.entry.body:
        raise NotFound()  # retention took its body: there is nothing left to prove
    if made is None or place is None or place.seq >= made.size:
        if not Entry.objects.filter(pk=entry).exists():
            raise NotFound()
        made = fresh_checkpoint()
        place = Seal.objects.select_related("entry").get(entry_id=entry)
    try:
        proof = tree.prove_inclusion(place.seq, made.size, storage.ENTRIES)
        tree.check_inclusion(proof, place.seq, made.size, tree.leaf_hash(bytes(place.entry.body)), bytes(made.root))
    except (storage.MissingHash, tree.BadProof) as fault:
        raise Conflict(_("The log is damaged: %(why)s") % {"why": fault}, code="log_damaged") from None
    return Included(place.entry, place.seq, bytes(place.leaf), proof, made)


def consistency(old: int, new: int | None) -> dict[str, Any]:
    """Prove that the log of `new` entries continues that of `old`; `new` is what is signed now when left out.

    Raises Invalid for sizes that the log never had, Conflict where it is damaged.
    """
    signed = fresh_checkpoint()
    size = signed.size if new is None else new
    if not 0 <= old <= size <= signed.size:
        raise Invalid({"from": [_("Give sizes with 0 ≤ from ≤ to ≤ %(n)s.") % {"n": signed.size}]})
    try:
        proof = tree.prove_consistency(old, size, storage.ENTRIES)
        roots = [tree.root(at, storage.ENTRIES) for at in (old, size)]
    except storage.MissingHash as fault:
        raise Conflict(_("The log is damaged: %(why)s") % {"why": fault}, code="log_damaged") from None
    return {
        "from": old,
        "to": size,
        "from_root": text_of(roots[0]),
        "to_root": text_of(roots[1]),
        "proof": [text_of(part) for part in proof],
        "tlog_consistency": consistency_text(old, proof),
        "checkpoint": signed.note,
        "keys": keys.verifier_keys(signed.origin),
    }


def checkpoint_json(made: Checkpoint) -> dict[str, Any]:
    """A checkpoint with its place in the instance log."""
    found = witnessed(made)
    return {
        "checkpoint": made.note,
        "origin": made.origin,
        "size": made.size,
        "root": text_of(bytes(made.root)),
        "made_at": made.made_at,
        "keys": keys.verifier_keys(made.origin),
        "fingerprints": [keys.fingerprint(public) for public in keys.public_keys()],
        "instance": found.as_json() if found else None,
    }

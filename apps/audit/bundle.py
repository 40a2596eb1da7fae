"""The export: a ZIP with entries as their exact bytes, and everything that a stranger needs to verify them.

Members: entries.jsonl (one entry a line, in the order of the log), checkpoint.txt, instance.tlog-proof, receipts.jsonl,
keys.txt, manifest.json, README.txt, for a selection proofs.jsonl (one inclusion proof a line, for each entry), private.jsonl
where addresses and agents were asked for, and pruned.txt where retention took bodies (the leaves of those first places).
"""

from __future__ import annotations

import contextvars
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import transaction

from apps.tenants import clock
from apps.tenants.context import current_tenant, refuse_support
from apps.tenants.freshness import require_fresh
from apps.tenants.models import Tenant

from . import canonical, keys, storage, tree
from .actions import record
from .models import Checkpoint, Entry, EntryQuerySet, PrivateValue, Receipt
from .proofs import fresh_checkpoint, witnessed
from .pruning import first_kept, recorded
from .statements import text_of
from .viewing import as_told

FORMAT = "orkestra-audit-bundle/1"
BATCH = 2000
CHUNK_BYTES = 64 * 1024
# Every hash is written down anyway: little is gained by pressing harder, and verifying is as fast as unpacking.
LEVEL = 1
EPOCH = (1980, 1, 1, 0, 0, 0)
README = """This is a part of the audit log of one organisation, as Orkestra exported it.

What it is
  entries.jsonl        the entries, one a line, each the exact bytes that were hashed when the act happened
  checkpoint.txt       the signed head of the log: its name, how many entries it has, the root of their Merkle tree
  pruned.txt           only where bodies were taken by retention: the hashes of those entries, one a line, which stand
                       before entries.jsonl; an entry of the log tells of it
  proofs.jsonl         only in a selection: for each entry its place and its inclusion proof
  instance.tlog-proof  that this checkpoint is itself a leaf of the log of all checkpoints of the installation
  private.jsonl        only where it was asked for: addresses and agents with the salts that entries commit to them by
  receipts.jsonl       signed receipts that were handed out for entries of this file when the acts were committed
  keys.txt             the public keys, those of before too, for comparing only: a verifier must be given the key, or its
                       fingerprint, by somebody you trust; for receipts and checkpoints of before that of then, too

How to verify it, with nothing of ours but one file and no server
  python orkestra_verify.py --key <fingerprint or key> --origin <name of the log> this-file.zip

What it proves
  That every entry here is, byte for byte, in the log that the key has signed; and for a whole log that nothing is
  missing between the first entry and the size that was signed, and that no entry was changed, moved or added since.

What it does not prove
  That a selection holds all entries of its kind. That something was never done without being logged. That nobody else
  was shown another log (compare with a checkpoint or anchor that was kept elsewhere: --checkpoint). Anything after this checkpoint.
"""


@dataclass(frozen=True)
class Bundle:
    """What goes into one file; a `selection` brings a proof for each entry, a whole log needs none."""

    rows: EntryQuerySet
    checkpoint: Checkpoint
    filters: dict[str, Any]
    private: bool = False
    told: Callable[[int], None] | None = None  # hears how many entries are written

    @property
    def is_selection(self) -> bool:
        return bool(self.filters)

    @cached_property
    def pruned_until(self) -> int:
        """The first place that has its body: leaves stand for those before."""
        return first_kept(min(recorded().until, self.checkpoint.size))

    @property
    def name(self) -> str:
        """The file's name: whose log, up to where."""
        slug = Tenant.objects.values_list("slug", flat=True).get(pk=current_tenant())
        part = "selection" if self.is_selection else "log"
        return f"{slug}-audit-{part}-{self.checkpoint.size}.zip"


def export(rows: EntryQuerySet, filters: dict[str, Any], *, private: bool = False) -> Bundle:
    """A bundle of these entries under a checkpoint made now; the export itself is its last entry.

    With `private` it brings the addresses and agents that entries commit to: no later erasure reaches into such a file.
    Raises Conflict where the log may not be signed, and for private ones Forbidden on a support visit and NotFresh.
    """
    if private:
        refuse_support()
        require_fresh("log_export.private")
    with transaction.atomic():
        record("audit.exported", facts={"filters": as_told(filters), "whole": not filters, "private": private})
    return Bundle(rows, fresh_checkpoint(), filters, private)


def stream(bundle: Bundle) -> Iterator[bytes]:
    """The ZIP in pieces, under the context in force now, however late it is read."""
    context, pieces = contextvars.copy_context(), _pieces(bundle)
    return iter(lambda: context.run(next, pieces, b""), b"")


class _Sink:
    """What zipfile writes into: a file that cannot be rewound, emptied again and again."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.held = 0
        self.total = 0

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        self.held += len(data)
        self.total += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing lies behind it."""

    def take(self) -> bytes:
        data, self.parts, self.held = b"".join(self.parts), [], 0
        return data


def _pieces(bundle: Bundle) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as made:  # type: ignore[call-overload]
        for name, lines in _members(bundle):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            with made.open(info, "w", force_zip64=True) as member:
                for line in lines:
                    member.write(line)
                    if sink.held >= CHUNK_BYTES:
                        yield sink.take()
    yield sink.take()


def _members(bundle: Bundle) -> Iterator[tuple[str, Iterable[bytes]]]:
    made = bundle.checkpoint
    yield "README.txt", [README.encode()]
    yield "manifest.json", [json.dumps(_manifest(bundle), indent=1, sort_keys=True).encode() + b"\n"]
    yield "checkpoint.txt", [made.note.encode()]
    if place := witnessed(made):
        yield "instance.tlog-proof", [place.text().encode()]
    yield "keys.txt", [f"{line}\n".encode() for line in keys.verifier_keys(made.origin, before=True)]
    if not bundle.is_selection and (until := bundle.pruned_until):
        yield "pruned.txt", _leaves(until)
    yield "entries.jsonl", _entries(bundle)
    if bundle.is_selection:
        yield "proofs.jsonl", _proofs(bundle)
    yield "receipts.jsonl", _receipts(bundle)
    if bundle.private:
        yield "private.jsonl", _private(bundle)


def _manifest(bundle: Bundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": "selection" if bundle.is_selection else "log",
        "origin": bundle.checkpoint.origin,
        "tenant": str(current_tenant()),
        "size": bundle.checkpoint.size,
        "filters": bundle.filters,
        "made_at": canonical.timestamp(clock.now()),
    }


def _entries(bundle: Bundle) -> Iterator[bytes]:
    done = 0
    for rows in _batches(bundle):
        done += len(rows)
        if bundle.told is not None:
            bundle.told(done)
        yield b"".join(body + b"\n" for _seq, body in rows)


def _batches(bundle: Bundle) -> Iterator[list[tuple[int, bytes]]]:
    """(seq, bytes) in the order of the log, up to what the checkpoint signs."""
    after = -1 if bundle.is_selection else bundle.pruned_until - 1
    rows = bundle.rows.order_by("seals__seq").filter(seals__seq__lt=bundle.checkpoint.size)
    while found := list(rows.filter(seals__seq__gt=after).values_list("seals__seq", "body")[:BATCH]):
        yield [(seq, bytes(body)) for seq, body in found]
        after = found[-1][0]


def _leaves(until: int) -> Iterator[bytes]:
    for low in range(0, until, BATCH):
        found = storage.ENTRIES.stored(0, low, min(low + BATCH, until))
        yield b"".join(leaf.hex().encode() + b"\n" for leaf in found)


def _proofs(bundle: Bundle) -> Iterator[bytes]:
    size = bundle.checkpoint.size
    read = storage.Remembering.over(storage.ENTRIES, size)
    for rows in _batches(bundle):
        lines = []
        for seq, _body in rows:
            proof = [text_of(part) for part in tree.prove_inclusion(seq, size, read)]
            lines.append(json.dumps({"index": seq, "proof": proof}, separators=(",", ":")).encode() + b"\n")
        yield b"".join(lines)


def _receipts(bundle: Bundle) -> Iterator[bytes]:
    after = -1
    rows = Receipt.objects.filter(entry__in=bundle.rows.order_by()) if bundle.is_selection else Receipt.objects.all()
    rows = rows.filter(entry__seals__seq__lt=bundle.checkpoint.size).order_by("entry__seals__seq")
    while found := list(rows.filter(entry__seals__seq__gt=after).values_list("entry__seals__seq", "note")[:BATCH]):
        yield b"".join(json.dumps({"receipt": note}, separators=(",", ":")).encode() + b"\n" for _seq, note in found)
        after = found[-1][0]


def _private(bundle: Bundle) -> Iterator[bytes]:
    """Salts and values, in the order of their entries."""
    for rows in _batches(bundle):
        places = (rows[0][0], rows[-1][0])
        kept = PrivateValue.objects.filter(entry__seals__seq__range=places, entry__in=bundle.rows.order_by())
        for one in kept.order_by("entry__seals__seq", "name"):
            said = {"entry": str(one.entry_id), "name": one.name, "salt": bytes(one.salt).hex(), "value": one.value}
            yield json.dumps(said, separators=(",", ":")).encode() + b"\n"


def bundle_of(entry: Entry) -> Bundle:
    """A bundle with a single entry: a look, no export. Raises Conflict as `export` does."""
    return Bundle(Entry.objects.filter(pk=entry.pk), fresh_checkpoint(), {"entry": str(entry.pk)})

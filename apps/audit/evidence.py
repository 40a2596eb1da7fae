"""What stands around the entries of a log and must agree with them: checkpoints, their leaves, nodes, receipts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from apps.tenants.context import as_system, current_tenant
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.windows import batches

from . import canonical, keys, note, storage, tree
from .models import Checkpoint, Entry, InstanceLeaf, Log, Receipt, Seal, TreeNode, Verified, Waiting
from .statements import BadStatement, Head
from .statements import Receipt as Statement
from .walk import Damage, Kind, counts_agree

if TYPE_CHECKING:
    from .verify import Verification

BATCH = 2000


def sealed_size() -> int:
    """How many entries are sealed, by the last seal."""
    last = Seal.objects.order_by("-seq").values_list("seq", flat=True).first()
    return 0 if last is None else last + 1


def signed_size() -> int:
    """The size of the newest checkpoint."""
    newest = Checkpoint.objects.filter(log=Log.ENTRIES).order_by("-size").values_list("size", flat=True).first()
    return newest or 0


def refuse_a_cut_tail(size: int) -> None:
    """What was signed once must be there. Raises Damage."""
    if signed_size() > size:
        raise Damage(
            Kind.TAIL_CUT, size, f"{signed_size()} entries were signed, and {size} are here: the end is cut off"
        )


def heads_between(start: int, until: int) -> list[tuple[int, bytes]]:
    """(size, root) that were signed over sizes in (start, until], by size."""
    rows = _signed(start, until).order_by("size")
    return [(size, bytes(root)) for size, root in rows.values_list("size", "root")]


def _signed(since: int, until: int) -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(log=Log.ENTRIES, size__gt=since, size__lte=until)


def compare_nodes(made: list[tuple[tree.Node, bytes]]) -> None:
    """The stored nodes must be those that the leaves give. Raises Damage."""
    for level, group in groupby(sorted(made), key=lambda node: node[0][0]):
        nodes = list(group)
        first = nodes[0][0][1]
        rows = TreeNode.objects.filter(log=Log.ENTRIES, level=level, index__gte=first, index__lt=first + len(nodes))
        kept = {index: bytes(found) for index, found in rows.values_list("index", "hash")}
        for (_level, index), found in nodes:
            if kept.get(index) != found:
                raise Damage(Kind.TREE_CHANGED, index << level, "a stored hash of the tree is not that of its entries")


def check_signed(since: int, until: int) -> None:
    """Every checkpoint over (since, until] says what its note says, signed, and is its leaf of the instance log.

    From the beginning, every leaf about this log has its checkpoint here, too. Checkpoint and leaf commit together.
    """
    for rows in batches(_signed(since, until), BATCH, by="size"):
        leaves = _leaves_at([row.place for row in rows if row.place is not None])
        for row in rows:
            check_note(row)
            if leaves.get(row.place) != (row.pk, tree.leaf_hash(row.note.encode())):
                raise Damage(
                    Kind.CHECKPOINT_CHANGED, row.size, "a checkpoint is not the leaf that the instance log has"
                )
    if since == 0:
        _check_none_is_missing(until)
    check_newest(Checkpoint.objects.filter(log=Log.ENTRIES).order_by("-size", "-made_at").first())


def _leaves_at(places: list[int]) -> dict[int | None, tuple[UUID, bytes]]:
    """place -> (checkpoint, leaf) of the leaves of the instance log about the tenant in force."""
    tenant = current_tenant()
    with as_system(PLATFORM_TENANT_ID):
        rows = InstanceLeaf.objects.filter(about=tenant, seq__in=places).values_list("seq", "checkpoint", "leaf")
        return {seq: (checkpoint, bytes(leaf)) for seq, checkpoint, leaf in rows}


def _check_none_is_missing(until: int) -> None:
    tenant, after = current_tenant(), -1
    while True:
        with as_system(PLATFORM_TENANT_ID):
            rows = InstanceLeaf.objects.filter(about=tenant, seq__gt=after).order_by("seq")
            told = list(rows.values_list("seq", "checkpoint")[:BATCH])
        if not told:
            return
        here = set(Checkpoint.objects.filter(pk__in=[pk for _seq, pk in told]).values_list("pk", flat=True))
        for place, pk in told:
            if pk not in here:
                reason = f"the checkpoint at place {place} of the instance log is missing"
                raise Damage(Kind.CHECKPOINT_MISSING, until, reason)
        after = told[-1][0]


def check_note(row: Checkpoint) -> None:
    """What a known key signed must fit; by unknown keys alone it is judged by root, leaf and newest head. Raises Damage."""
    try:
        head = Head.read(note.split(row.note)[0])
        note.open_note(row.note, note.verifiers(row.origin, keys.known_keys()))
    except note.Unsigned:
        pass
    except (note.BadNote, BadStatement) as fault:
        raise Damage(Kind.CHECKPOINT_CHANGED, row.size, f"a checkpoint does not hold: {fault}") from None
    if (head.origin, head.size, head.root) != (row.origin, row.size, bytes(row.root)):
        raise Damage(Kind.CHECKPOINT_CHANGED, row.size, "a checkpoint's columns are not what its note says")
    if not keys.is_origin_of(None if row.log == Log.INSTANCE else row.tenant_id, row.origin):
        raise Damage(Kind.CHECKPOINT_CHANGED, row.size, "a checkpoint is that of another log")


def check_newest(row: Checkpoint | None, by: Sequence[bytes] | None = None) -> None:
    """The newest head of a log binds all that was signed before: a key in force, or one of these, has signed it.

    Raises Damage.
    """
    if row is None:
        return
    check_note(row)
    try:
        note.open_note(row.note, note.verifiers(row.origin, keys.public_keys() if by is None else by))
    except note.BadNote:
        reason = (
            f"no key of {keys.VARIABLE} has signed the newest checkpoint, over {row.size}: put the key that did behind the"
            " one in force, or somebody without the key has written the log anew"
        )
        raise Damage(Kind.HEAD_NOT_OURS, row.size, reason) from None


def check_what_is_around() -> None:
    """No entry is forgotten by the sealer, and every receipt's entry is there as it was. Raises Damage."""
    if not counts_agree() and (forgotten := _first_forgotten()) is not None:
        reason = f"entry {forgotten.pk} is neither sealed nor waits to be: something took it off the list"
        raise Damage(Kind.FORGOTTEN, sealed_size(), reason)
    entry = Entry.objects.filter(pk=OuterRef("entry_id"))
    if lost := Receipt.objects.filter(~Exists(entry)).first():
        reason = f"entry {lost.entry_id} has a receipt and is gone: it was dropped before it was sealed"
        raise Damage(Kind.RECEIPT_BROKEN, sealed_size(), reason)
    known = keys.known_keys()
    for receipt in Receipt.objects.select_related("entry").iterator(BATCH):
        _check_receipt(receipt, known)


def _first_forgotten() -> Entry | None:
    waits = Waiting.objects.filter(pk=OuterRef("pk"))
    sealed = Seal.objects.filter(entry_id=OuterRef("pk"), tenant_id=OuterRef("tenant_id"))
    return Entry.objects.filter(~Exists(waits), ~Exists(sealed)).order_by("pk").first()


def _check_receipt(receipt: Receipt, known: list[bytes]) -> None:
    """It says what its entry is, when and in which log, signed by a key that signs or signed here."""
    entry = receipt.entry
    try:
        said = Statement.read(note.split(receipt.note)[0])
        note.open_note(receipt.note, note.verifiers(said.origin, known))
    except (note.BadNote, BadStatement) as fault:
        raise _broken(entry, f"the receipt of entry {entry.pk} does not hold: {fault}") from None
    if (said.entry, said.leaf, said.time) != (entry.pk, _leaf_of(entry), canonical.timestamp(entry.time)):
        raise _broken(entry, f"entry {entry.pk} is not what its receipt says")
    if not keys.is_origin_of(entry.tenant_id, said.origin):
        raise _broken(entry, f"the receipt of entry {entry.pk} is that of another log")


def _broken(entry: Entry, reason: str) -> Damage:
    place = Seal.objects.filter(entry_id=entry.pk).values_list("seq", flat=True).first()
    return Damage(Kind.RECEIPT_BROKEN, sealed_size() if place is None else place, reason)


def _leaf_of(entry: Entry) -> bytes:
    """Of an entry that was pruned the leaf that is stored; the walk has shown that it is the one that was signed."""
    if entry.body:
        return tree.leaf_hash(bytes(entry.body))
    stored = Seal.objects.filter(entry_id=entry.pk).values_list("leaf", flat=True).first()
    return bytes(stored or b"")


def keep(made: Verification) -> None:
    """Remember what was verified, for the next incremental run and the page."""
    values: dict[str, Any] = {
        "whole": made.whole, "kind": made.kind, "reason": made.reason[:300], "first_bad": made.first_bad,
        "sealed": made.sealed, "until": made.until, "at": made.at,
    }  # fmt: skip
    if made.since == 0 and made.until == made.sealed:
        values |= {"full_at": made.at, "asked_at": None}
    if made.whole:
        size = made.until - made.until % storage.TILE
        place = Seal.objects.filter(seq=size - 1).values_list("chain", flat=True).first()
        values |= {
            "size": size,
            "chain": place or b"",
            "peaks": b"".join(tree.compact_range(size, storage.ENTRIES).peaks),
        }
    Verified.objects.update_or_create(pk=current_tenant(), defaults=values)

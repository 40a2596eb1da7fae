"""The Merkle tree of RFC 6962 (RFC 9162, section 2.1): mathematics only, storage behind one reader.

A node is named by (level, index): it covers the leaves `index·2^level` up to `(index+1)·2^level`. Only such perfect
subtrees have a name; everything else is folded from them, so what is stored never changes as the tree grows. Each
`prove` has its `check`; a check needs no storage at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import add

EMPTY = hashlib.sha256(b"").digest()
HASH_BYTES = 32

Node = tuple[int, int]
HashReader = Callable[[Sequence[Node]], Sequence[bytes]]
# A copy of one that has begun is made in half the time of a new one.
_LEAF, _NODE = hashlib.sha256(b"\x00"), hashlib.sha256(b"\x01")


class BadProof(ValueError):
    """A proof does not show what it says; the message tells why."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry): RFC 6962, section 2.1."""
    return leaf_hashes([entry])[0]


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The same of each."""
    return _hash_each(_LEAF, entries)


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right): RFC 6962, section 2.1."""
    return _hash_each(_NODE, [left + right])[0]


def perfect_hash(hashes: Sequence[bytes]) -> bytes:
    """The root over 2^k hashes of one level. Raises ValueError for another number."""
    if len(hashes).bit_count() != 1:
        raise ValueError("A perfect subtree has 2^k leaves.")
    while len(hashes) > 1:
        hashes = _hash_each(_NODE, map(add, hashes[::2], hashes[1::2]))
    return hashes[0]


def _hash_each(begun: hashlib._Hash, texts: Iterable[bytes]) -> list[bytes]:
    found = []
    for text in texts:
        hashed = begun.copy()
        hashed.update(text)
        found.append(hashed.digest())
    return found


@dataclass
class CompactRange:
    """The state of a growing tree: its size, and the roots of the perfect subtrees that the bits of the size name.

    Largest first. Appending n leaves costs O(n) and reads nothing.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add one leaf, merging subtrees that become perfect."""
        bits = self.size
        while bits & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            bits >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def append_perfect(self, level: int, root: bytes) -> None:
        """Add a whole perfect subtree of 2^level leaves; the size must be a multiple of that."""
        if self.size % (1 << level):
            raise ValueError("A perfect subtree may stand only at a multiple of its own size.")
        bits = self.size >> level
        while bits & 1:
            root = node_hash(self.peaks.pop(), root)
            bits >>= 1
        self.peaks.append(root)
        self.size += 1 << level

    def root(self) -> bytes:
        """The tree's root hash, as RFC 6962, section 2.1, defines it for any size."""
        return fold(self.peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees, largest first; the empty tree's hash where there is none."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def cover(low: int, high: int) -> list[Node]:
    """The perfect subtrees that make up the leaves [low, high), in order; low is a multiple of every one's size.

    These are the ranges that occur in RFC 6962's recursion: low is 0, or a multiple of a power of two ≥ high - low.
    """
    found = []
    while low < high:
        level = (high - low).bit_length() - 1
        found.append((level, low >> level))
        low += 1 << level
    return found


def root(size: int, read: HashReader) -> bytes:
    """The root of the first `size` leaves, in O(log n) reads."""
    return fold(read(cover(0, size)))


def compact_range(size: int, read: HashReader) -> CompactRange:
    """The state of the tree of this size, in O(log n) reads."""
    return CompactRange(size, list(read(cover(0, size))))


def prove_inclusion(index: int, size: int, read: HashReader) -> list[bytes]:
    """The audit path of a leaf, from the leaf's neighbour to the root: PATH(m, D[n]) of RFC 6962, section 2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"Leaf {index} is not in a tree of {size}.")
    return _read_ranges(_inclusion_ranges(index, 0, size), read)


def check_inclusion(proof: Sequence[bytes], index: int, size: int, leaf: bytes, root: bytes) -> None:
    """Raises BadProof unless the leaf stands at `index` in the tree: RFC 9162, section 2.1.3.2."""
    _check_shape(proof)
    if not 0 <= index < size:
        raise BadProof(f"leaf {index} is not in a tree of {size}")
    at, last, found = index, size - 1, leaf
    for other in proof:
        if last == 0:
            raise BadProof("the inclusion proof is too long")
        if at & 1 or at == last:
            found = node_hash(other, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, other)
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the inclusion proof is too short")
    if found != root:
        raise BadProof("the inclusion proof leads to another root")


def prove_consistency(old: int, new: int, read: HashReader) -> list[bytes]:
    """That the first `old` leaves are a prefix of the first `new`: PROOF(m, D[n]) of RFC 6962, section 2.1.2.

    Empty where there is nothing to prove: from the empty tree, and from a tree to itself.
    """
    if not 0 <= old <= new:
        raise ValueError(f"A tree of {old} cannot grow into one of {new}.")
    if old in (0, new):
        return []
    return _read_ranges(_consistency_ranges(old, 0, new, True), read)


def check_consistency(proof: Sequence[bytes], old: int, new: int, old_root: bytes, new_root: bytes) -> None:
    """Raises BadProof unless the tree of size `new` continues that of size `old`: RFC 9162, section 2.1.4.2."""
    _check_shape(proof)
    if not 0 <= old <= new:
        raise BadProof(f"a tree of {old} cannot grow into one of {new}")
    if old in (0, new):
        if proof:
            raise BadProof("the consistency proof is too long")
        if old_root != (new_root if old == new else EMPTY):
            raise BadProof("two roots of one size differ")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise BadProof("the consistency proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for other in path[1:]:
        if last == 0:
            raise BadProof("the consistency proof is too long")
        if at & 1 or at == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, other)
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the consistency proof is too short")
    if first != old_root:
        raise BadProof("the consistency proof does not lead to the old root")
    if second != new_root:
        raise BadProof("the consistency proof does not lead to the new root")


Range = tuple[int, int]


def _split(size: int) -> int:
    """The largest power of two smaller than size."""
    return 1 << ((size - 1).bit_length() - 1)


def _inclusion_ranges(index: int, low: int, high: int) -> list[Range]:
    if high - low == 1:
        return []
    middle = low + _split(high - low)
    if index < middle:
        return [*_inclusion_ranges(index, low, middle), (middle, high)]
    return [*_inclusion_ranges(index, middle, high), (low, middle)]


def _consistency_ranges(old: int, low: int, high: int, whole: bool) -> list[Range]:
    """SUBPROOF(m, D[n], b); `whole` is b: whether the subtree is the old tree itself, which the checker knows."""
    if old == high:
        return [] if whole else [(low, high)]
    middle = low + _split(high - low)
    if old <= middle:
        return [*_consistency_ranges(old, low, middle, whole), (middle, high)]
    return [*_consistency_ranges(old, middle, high, False), (low, middle)]


def _read_ranges(ranges: Iterable[Range], read: HashReader) -> list[bytes]:
    """The hash of each range, with one call of the reader for all of them."""
    covers = [cover(low, high) for low, high in ranges]
    hashes = iter(read([node for nodes in covers for node in nodes]))
    return [fold([next(hashes) for _ in nodes]) for nodes in covers]


def _check_shape(proof: Sequence[bytes]) -> None:
    if any(len(part) != HASH_BYTES for part in proof):
        raise BadProof("a hash of the proof is not 32 bytes long")

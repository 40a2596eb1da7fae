"""Where the hashes of the trees lie: leaves one by one, and the roots of full subtrees at every eighth level.

A proof over any size takes at most 255 hashes of each stored level, read as one range each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from . import tree
from .models import Log, Seal, TreeNode

TILE_LEVELS = 8
TILE = 1 << TILE_LEVELS
REMEMBERED_TILES = 64

Leaves = Callable[[str | None, int, int], list[bytes]]


class MissingHash(LookupError):
    """A hash that must be stored is not there: the log was damaged, or its tree was not made yet."""


@dataclass
class Growing:
    """A tree that grows in memory, and the nodes that must be stored for what was appended."""

    state: tree.CompactRange
    tails: dict[int, list[bytes]]
    made: list[tuple[tree.Node, bytes]] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add a leaf; a full tile becomes a node of the level above, and so on up."""
        self.state.append(leaf)
        self._carry(0, leaf)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add many leaves, a whole tile at once where one begins: its inner nodes are hashed once, and not twice."""
        at = 0
        while at < len(leaves):
            if self.state.size % TILE == 0 and len(leaves) - at >= TILE:
                self.append_tile(tree.perfect_hash(leaves[at : at + TILE]))
                at += TILE
            else:
                self.append(leaves[at])
                at += 1

    def append_tile(self, root: bytes) -> None:
        """Add a whole tile by its root; the size must be whole tiles."""
        self.state.append_perfect(TILE_LEVELS, root)
        self.made.append(((TILE_LEVELS, (self.state.size >> TILE_LEVELS) - 1), root))
        self._carry(TILE_LEVELS, root)

    def _carry(self, level: int, found: bytes) -> None:
        while True:
            tail = self.tails.setdefault(level, [])
            tail.append(found)
            if len(tail) < TILE:
                return
            found = tree.perfect_hash(tail)
            tail.clear()
            level += TILE_LEVELS
            self.made.append(((level, (self.state.size >> level) - 1), found))


@dataclass(frozen=True)
class Stored:
    """The hash reader of one stored tree, for the tenant in force. `alias` lets the sealer read in its transaction."""

    log: Log
    leaves: Leaves
    alias: str | None = None

    def __call__(self, nodes: Sequence[tree.Node]) -> list[bytes]:
        """The hashes of these nodes, each stored level read once. Raises MissingHash."""
        wanted: dict[int, list[tuple[int, int]]] = {}
        for level, index in nodes:
            base = level - level % TILE_LEVELS
            wanted.setdefault(base, []).append((index << (level - base), (index + 1) << (level - base)))
        kept = {base: self._read(base, ranges) for base, ranges in wanted.items()}
        found = []
        for level, index in nodes:
            base = level - level % TILE_LEVELS
            width = 1 << (level - base)
            found.append(tree.perfect_hash(kept[base][index * width, (index + 1) * width]))
        return found

    def growing(self, size: int) -> Growing:
        """The tree of this size, ready to grow. Raises MissingHash."""
        tails: dict[int, list[bytes]] = {}
        level = 0
        while size >> level:
            count = size >> level
            start = count - count % TILE
            tails[level] = self._range(level, start, count)
            level += TILE_LEVELS
        return Growing(tree.compact_range(size, self), tails)

    def count(self, level: int) -> int:
        """How many nodes of a level are stored."""
        return TreeNode.objects.db_manager(self.alias).filter(log=self.log, level=level).count()

    def stored(self, level: int, low: int, high: int) -> list[bytes]:
        """The hashes of one stored level. Raises MissingHash."""
        return self._range(level, low, high)

    def _read(self, level: int, ranges: Iterable[tuple[int, int]]) -> dict[tuple[int, int], list[bytes]]:
        return {(low, high): self._range(level, low, high) for low, high in ranges}

    def _range(self, level: int, low: int, high: int) -> list[bytes]:
        if low == high:
            return []
        found = self.leaves(self.alias, low, high) if level == 0 else self._nodes(level, low, high)
        if len(found) != high - low:
            raise MissingHash(f"Of the hashes {low} to {high - 1} of level {level} only {len(found)} are stored.")
        return found

    def _nodes(self, level: int, low: int, high: int) -> list[bytes]:
        rows = TreeNode.objects.db_manager(self.alias).filter(log=self.log, level=level)
        rows = rows.filter(index__gte=low, index__lt=high).order_by("index")
        return [bytes(found) for found in rows.values_list("hash", flat=True)]


def entry_leaves(alias: str | None, low: int, high: int) -> list[bytes]:
    """The leaves of the tenant's own log by their seq."""
    rows = Seal.objects.db_manager(alias).filter(seq__gte=low, seq__lt=high).order_by("seq")
    return [bytes(found) for found in rows.values_list("leaf", flat=True)]


ENTRIES = Stored(Log.ENTRIES, entry_leaves)


@dataclass(frozen=True)
class Remembering(Stored):
    """A reader for many proofs over one size, in order: each tile is read once and kept for a while."""

    size: int = 0
    tiles: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    @classmethod
    def over(cls, stored: Stored, size: int) -> Remembering:
        """A remembering reader of a tree that has so many leaves."""
        return cls(stored.log, stored.leaves, stored.alias, size)

    def _range(self, level: int, low: int, high: int) -> list[bytes]:
        if low == high:
            return []
        tile = low >> TILE_LEVELS
        start = tile << TILE_LEVELS
        if (level, tile) not in self.tiles:
            while len(self.tiles) >= REMEMBERED_TILES:
                self.tiles.pop(next(iter(self.tiles)))
            end = min(start + TILE, self.size >> level)
            self.tiles[level, tile] = super()._range(level, start, end)
        return self.tiles[level, tile][low - start : high - start]

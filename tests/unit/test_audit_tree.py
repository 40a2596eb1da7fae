"""The Merkle tree is that of RFC 6962: its published vectors, and an implementation that nobody here wrote."""

from __future__ import annotations

from collections.abc import Sequence

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import tree
from apps.audit.storage import Growing

# The test vectors of Certificate Transparency's own tree (merkletree_test, reproduced in several implementations).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {  # (leaf, size) -> audit path
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
BODIES = [f"entry {number}".encode() for number in range(130)]


def reader(entries: Sequence[bytes]) -> tree.HashReader:
    """Hashes of a small tree in memory."""
    leaves = [tree.leaf_hash(entry) for entry in entries]

    def read(nodes: Sequence[tree.Node]) -> list[bytes]:
        return [tree.perfect_hash(leaves[index << level : (index + 1) << level]) for level, index in nodes]

    return read


def grown(entries: Sequence[bytes]) -> tree.CompactRange:
    made = tree.CompactRange()
    for entry in entries:
        made.append(tree.leaf_hash(entry))
    return made


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots_come_out(size):
    assert grown(LEAVES[:size]).root().hex() == ROOTS[size]
    assert tree.root(size, reader(LEAVES)).hex() == ROOTS[size]


@pytest.mark.parametrize("place", PATHS)
def test_the_published_audit_paths_come_out(place):
    index, size = place
    assert [part.hex() for part in tree.prove_inclusion(index, size, reader(LEAVES))] == PATHS[place]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 100, 127, 128, 129])
def test_roots_and_proofs_equal_those_of_pymerkle(size):
    oracle = pymerkle.InmemoryTree.init_from_entries(BODIES[:size], algorithm="sha256")
    root = tree.root(size, reader(BODIES))
    assert root == oracle.get_root()
    for index in range(size):
        ours = tree.prove_inclusion(index, size, reader(BODIES))
        assert ours == oracle.prove_inclusion(index + 1).path[1:]
        tree.check_inclusion(ours, index, size, tree.leaf_hash(BODIES[index]), root)


def test_pymerkle_takes_our_inclusion_proofs():
    oracle = pymerkle.InmemoryTree.init_from_entries(BODIES, algorithm="sha256")
    for index in range(len(BODIES)):
        proof = oracle.prove_inclusion(index + 1)
        leaf = tree.leaf_hash(BODIES[index])
        proof.path = [leaf, *tree.prove_inclusion(index, len(BODIES), reader(BODIES))]
        pymerkle.verify_inclusion(leaf, tree.root(len(BODIES), reader(BODIES)), proof)


@given(st.integers(0, 129), st.data())
def test_a_consistency_proof_holds_between_any_two_sizes(new, data):
    old = data.draw(st.integers(0, new))
    read = reader(BODIES)
    proof = tree.prove_consistency(old, new, read)
    tree.check_consistency(proof, old, new, tree.root(old, read), tree.root(new, read))


@given(st.integers(1, 129), st.data())
def test_a_changed_proof_or_claim_is_refused(size, data):
    read = reader(BODIES)
    index = data.draw(st.integers(0, size - 1))
    root, leaf = tree.root(size, read), tree.leaf_hash(BODIES[index])
    proof = tree.prove_inclusion(index, size, read)
    other = tree.leaf_hash(b"another")
    wrong = [
        (proof, index, size, other, root),
        (proof, index, size, leaf, other),
        ([*proof, other], index, size, leaf, root),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong += [
            (proof[:-1], index, size, leaf, root),
            ([*proof[:at], other, *proof[at + 1 :]], index, size, leaf, root),
        ]
        wrong += [(proof, (index + 1) % size, size, leaf, root)]
    for case in wrong:
        with pytest.raises(tree.BadProof):
            tree.check_inclusion(*case)


@given(st.integers(2, 129), st.data())
def test_a_history_that_was_rewritten_has_no_consistency_proof(new, data):
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    read, other = reader(BODIES), reader([*BODIES[:changed], b"rewritten", *BODIES[changed + 1 :]])
    for proof in (tree.prove_consistency(old, new, read), tree.prove_consistency(old, new, other)):
        with pytest.raises(tree.BadProof):
            tree.check_consistency(proof, old, new, tree.root(old, read), tree.root(new, other))


def test_the_last_leaf_twice_is_another_tree():
    assert grown(BODIES[:3]).root() != grown([*BODIES[:3], BODIES[2]]).root()


@given(st.integers(0, 129), st.data())
def test_the_state_read_from_storage_goes_on_as_if_never_left(size, data):
    kept = data.draw(st.integers(0, size))
    state = tree.compact_range(kept, reader(BODIES))
    for body in BODIES[kept:size]:
        state.append(tree.leaf_hash(body))
    assert state == grown(BODIES[:size])


def test_whole_subtrees_can_be_appended_at_once():
    leaves = [tree.leaf_hash(body) for body in BODIES[:80]]
    state = tree.CompactRange()
    for start in range(0, 80, 16):
        state.append_perfect(4, tree.perfect_hash(leaves[start : start + 16]))
    assert state == grown(BODIES[:80])
    state.append(leaves[0])
    with pytest.raises(ValueError):
        state.append_perfect(4, leaves[0])


@given(st.lists(st.integers(0, 600), max_size=6))
def test_many_leaves_make_the_tree_that_they_make_one_by_one(counts):
    many, single = Growing(tree.CompactRange(), {}), Growing(tree.CompactRange(), {})
    for count in counts:
        leaves = [tree.leaf_hash(number.to_bytes(2)) for number in range(count)]
        many.extend(leaves)
        for leaf in leaves:
            single.append(leaf)
        assert (many.state, many.made) == (single.state, single.made)


@pytest.mark.parametrize("size", [0, 3, 6, 7])
def test_a_perfect_subtree_of_another_size_is_refused(size):
    with pytest.raises(ValueError):
        tree.perfect_hash([tree.EMPTY] * size)


def test_a_proof_costs_a_logarithm_of_reads():
    asked: list[tree.Node] = []

    def read(nodes: Sequence[tree.Node]) -> list[bytes]:
        asked.extend(nodes)
        return [bytes(32)] * len(nodes)

    tree.prove_inclusion(123_456, 1_000_003, read)
    tree.prove_consistency(123_456, 1_000_003, read)
    assert len(asked) < 100

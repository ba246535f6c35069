"""The Merkle tree of RFC 6962: known roots, and every proof against the definition itself."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ledger import tree
from monitor.ledger.tree import EMPTY, Lookup, Tree, leaf_hash, node_hash

#: leaves and roots that implementations of Certificate Transparency test themselves with
KNOWN_LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
KNOWN_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def data(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def naive(leaves: list[bytes]) -> bytes:
    """MTH as the RFC defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    left = max(2**power for power in range(64) if 2**power < len(leaves))
    return sha256(b"\x01" + naive(leaves[:left]) + naive(leaves[left:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH as the RFC defines it."""
    if len(leaves) == 1:
        return []
    left = max(2**power for power in range(64) if 2**power < len(leaves))
    if index < left:
        return [*naive_path(index, leaves[:left]), naive(leaves[left:])]
    return [*naive_path(index - left, leaves[left:]), naive(leaves[:left])]


def naive_subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF as the RFC defines it."""
    if old == len(leaves):
        return [] if whole else [naive(leaves)]
    left = max(2**power for power in range(64) if 2**power < len(leaves))
    if old <= left:
        return [*naive_subproof(old, leaves[:left], whole=whole), naive(leaves[left:])]
    return [*naive_subproof(old - left, leaves[left:], whole=False), naive(leaves[:left])]


def grown(leaves: list[bytes]) -> tuple[Tree, Lookup]:
    """A tree that was grown leaf by leaf, and all that was complete on the way."""
    made, nodes = Tree(), {}
    for leaf in leaves:
        nodes |= {(node.level, node.index): node.hash for node in made.append(leaf_hash(leaf))}
    return made, lambda level, index: nodes[level, index]


sizes = st.integers(1, 70)


@pytest.mark.parametrize("count", range(len(KNOWN_ROOTS)))
def test_the_known_roots_are_found(count: int) -> None:
    made, _ = grown([bytes.fromhex(leaf) for leaf in KNOWN_LEAVES[:count]])
    assert made.root().hex() == KNOWN_ROOTS[count]


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_tree_grown_leaf_by_leaf_has_the_root_of_the_definition(leaves: list[bytes]) -> None:
    made, lookup = grown(leaves)
    assert made.root() == naive(leaves)
    assert len(made.peaks) == len(leaves).bit_count()
    resumed = tree.resume(lookup, len(leaves))
    assert (resumed.size, resumed.peaks) == (made.size, made.peaks)


@given(sizes, st.data())
def test_an_inclusion_proof_is_the_one_of_the_definition_and_proves(size: int, draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, size - 1))
    leaves = data(size)
    made, lookup = grown(leaves)
    path = tree.inclusion(lookup, index, size)
    assert list(path) == naive_path(index, leaves)
    assert tree.included(leaf_hash(leaves[index]), index, size, path, made.root())


@given(sizes, st.data())
def test_a_consistency_proof_is_the_one_of_the_definition_and_proves(new: int, draw: st.DataObject) -> None:
    old = draw.draw(st.integers(1, new))
    leaves = data(new)
    made, lookup = grown(leaves)
    path = tree.consistency(lookup, old, new)
    assert list(path) == naive_subproof(old, leaves, whole=True)
    assert tree.consistent(old, naive(leaves[:old]), new, made.root(), path)


def test_every_changed_part_of_an_inclusion_proof_is_refused() -> None:
    for size in range(1, 18):
        made, lookup = grown(data(size))
        for index in range(size):
            leaf, path, root = leaf_hash(b"%d" % index), tree.inclusion(lookup, index, size), made.root()
            for place in range(len(path)):
                wrong = (*path[:place], bytes([path[place][0] ^ 1]) + path[place][1:], *path[place + 1 :])
                assert not tree.included(leaf, index, size, wrong, root)
                assert not tree.included(leaf, index, size, path[:place] + path[place + 1 :], root)
            assert not tree.included(leaf, index, size, (*path, EMPTY), root)
            assert not tree.included(leaf_hash(b"x"), index, size, path, root)
            assert not tree.included(leaf, index, size, path, leaf_hash(root))
            for other in set(range(-1, size + 1)) - {index}:
                assert not tree.included(leaf, other, size, path, root)


def test_every_changed_part_of_a_consistency_proof_is_refused() -> None:
    for new in range(2, 18):
        made, lookup = grown(data(new))
        for old in range(1, new):
            path, old_root, root = tree.consistency(lookup, old, new), naive(data(old)), made.root()
            for place in range(len(path)):
                wrong = (*path[:place], bytes([path[place][0] ^ 1]) + path[place][1:], *path[place + 1 :])
                assert not tree.consistent(old, old_root, new, root, wrong)
                assert not tree.consistent(old, old_root, new, root, path[:place] + path[place + 1 :])
            assert not tree.consistent(old, old_root, new, root, (*path, EMPTY))
            assert not tree.consistent(old, EMPTY, new, root, path)
            assert not tree.consistent(old, old_root, new, EMPTY, path)
            assert not tree.consistent(new, root, old, old_root, path)


def test_a_tree_whose_past_was_rewritten_does_not_continue_the_old_one() -> None:
    old = data(6)
    made, lookup = grown([b"rewritten", *old[1:], b"new"])
    assert not tree.consistent(6, naive(old), 7, made.root(), tree.consistency(lookup, 6, 7))


def test_nothing_and_everything_need_no_proof() -> None:
    made, lookup = grown(data(5))
    assert tree.consistency(lookup, 0, 5) == tree.consistency(lookup, 5, 5) == ()
    assert tree.consistent(0, EMPTY, 5, made.root(), ())
    assert tree.consistent(5, made.root(), 5, made.root(), ())
    assert tree.consistent(0, EMPTY, 0, EMPTY, ())
    assert not tree.consistent(0, made.root(), 5, made.root(), ())
    assert not tree.consistent(5, made.root(), 5, EMPTY, ())
    assert not tree.consistent(0, EMPTY, 0, made.root(), ())
    assert not tree.consistent(0, EMPTY, 5, made.root(), (EMPTY,))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_is_made_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"a tree of {size} leaves has no leaf {index}"):
        tree.inclusion(grown(data(size))[1], index, size)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_no_proof_is_made_that_a_tree_continues_a_longer_one(old: int, new: int) -> None:
    with pytest.raises(ValueError, match=f"a tree of {new} leaves does not continue one of {old}"):
        tree.consistency(grown(data(new))[1], old, new)


def test_a_leaf_is_never_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)

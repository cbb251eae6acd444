"""A leg is bound under both its parties' entries, and nothing else can be shown to be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor import merkle, model

HKD = "0x" + "11" * 20
BANKS = ["HKBAHKHHXXX", "HKBBHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX"]


def _batch(forest):
    parties = tuple(sorted(forest.entry_trees))
    roots = tuple(forest.entry_root(party) for party in parties)
    return model.Batch("0x" + "99" * 20, 1, 1, (HKD,), parties, roots, (0,) * len(parties))


def _legs(pairs):
    return [
        merkle.BoundLeg(number.to_bytes(32, "big"), 0, 1, model.Leg(payer, payee, 1, HKD, number + 1))
        for number, (payer, payee) in enumerate(pairs)
    ]


pairs = st.lists(
    st.tuples(st.sampled_from(BANKS), st.sampled_from(BANKS)).filter(lambda pair: pair[0] != pair[1]),
    min_size=1,
    max_size=40,
)


@given(pairs)
def test_every_leg_is_proven_under_both_parties_entries(pairs):
    legs = _legs(pairs)
    forest = merkle.LegForest(legs)
    batch = _batch(forest)
    for bound in legs:
        forest.leg_proof(bound).check(batch)
        assert forest.pair_root(bound.pair) != merkle.EMPTY_ROOT


@given(pairs, st.sampled_from(["amount", "payee", "index", "count", "id", "token"]))
def test_no_changed_leg_is_proven(pairs, what):
    legs = _legs(pairs)
    forest = merkle.LegForest(legs)
    proof = forest.leg_proof(legs[0])
    bound, leg = proof.bound, proof.bound.leg
    other = next(bank for bank in BANKS if bank not in (leg.payer, leg.payee))
    changed = {
        "amount": replace(bound, leg=replace(leg, amount_minor=leg.amount_minor + 1)),
        "payee": replace(bound, leg=replace(leg, payee=other)),
        "index": replace(bound, index=1),
        "count": replace(bound, count=2),
        "id": replace(bound, obligation_id=b"\xff" * 32),
        "token": replace(bound, leg=replace(leg, token="0x" + "22" * 20)),
    }[what]
    with pytest.raises(merkle.ProofError):
        replace(proof, bound=changed).check(_batch(forest))


def test_a_leaf_under_only_one_partys_root_proves_nothing():
    honest = merkle.LegForest(_legs([(BANKS[0], BANKS[1]), (BANKS[1], BANKS[2])]))
    secret = _legs([(BANKS[0], BANKS[1])] * 2)
    one_sided = merkle.LegForest(secret)
    batch = _batch(honest)
    roots = (one_sided.entry_root(BANKS[0]), *batch.entry_roots[1:])
    with pytest.raises(merkle.ProofError, match=BANKS[1]):
        one_sided.leg_proof(secret[1]).check(replace(batch, entry_roots=roots))


def test_a_tree_with_a_duplicated_leaf_is_refused():
    with pytest.raises(merkle.ProofError):
        merkle.Tree([b"\x01" * 32, b"\x01" * 32])


@pytest.mark.parametrize("size", range(1, 18))
def test_an_odd_node_is_promoted_and_never_duplicated(size):
    leaves = [bytes([number]) * 32 for number in range(1, size + 1)]
    tree = merkle.Tree(leaves)
    assert all(merkle.proves(leaf, tree.proof(leaf), tree.root) for leaf in leaves)
    assert size == 1 or not merkle.proves(leaves[-1], (leaves[-1], *tree.proof(leaves[-1])), tree.root)


def test_the_empty_root_proves_nothing():
    assert merkle.Tree([]).root == merkle.EMPTY_ROOT
    assert not merkle.proves(merkle.EMPTY_ROOT, (), merkle.EMPTY_ROOT)


def test_a_proof_longer_than_any_tree_is_refused():
    leaf = root = b"\x01" * 32
    for _ in range(33):
        root = merkle._node(root, b"\x02" * 32)
    assert not merkle.proves(leaf, [b"\x02" * 32] * 33, root)

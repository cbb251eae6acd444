"""How a leg is bound under both its parties' roots.

The legs between two banks, in both directions, are the leaves of one *pair tree*. A bank's *entry tree* has one leaf
per counterparty: the pair root with both identities. The same pair root stands under both banks' entries, so each
leg is bound twice and hashed once, and neither bank sees the other's further business.

Leaves are strictly ascending, a node hashes its two children in ascending order, an odd node is promoted and never
duplicated, the empty root is zero and proves nothing. A proof is verified from a leg's fields, never from a hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from corridor.errors import CorridorError
from corridor.model import Batch, Leg
from corridor.typed_data import address_word, bic_word, word

EMPTY_ROOT = bytes(32)
# 2^32 legs between two banks, or counterparties of one, are beyond any batch.
MAX_PROOF_LENGTH = 32


class ProofError(CorridorError):
    """A proof that does not prove what it says."""

    code = "PROOF"


@dataclass(frozen=True, slots=True)
class BoundLeg:
    """A leg with its place in its obligation: leg ``index`` (from 0) of ``count``."""

    obligation_id: bytes
    index: int
    count: int
    leg: Leg

    @property
    def leaf(self) -> bytes:
        """keccak(keccak(abi.encode(id, leg index, leg count, payer, payee, token, amount)))."""
        leg = self.leg
        encoded = b"".join(
            (
                self.obligation_id,
                word(self.index),
                word(self.count),
                bic_word(leg.payer),
                bic_word(leg.payee),
                address_word(leg.token),
                word(leg.amount_minor),
            )
        )
        return keccak(keccak(encoded))

    @property
    def pair(self) -> tuple[str, str]:
        """The two banks, lower identity first."""
        leg = self.leg
        return (leg.payer, leg.payee) if leg.payer < leg.payee else (leg.payee, leg.payer)


def pair_leaf(pair: tuple[str, str], pair_root: bytes) -> bytes:
    """keccak(keccak(abi.encode(lower identity, higher identity, pair root)))."""
    lower, higher = pair
    return keccak(keccak(bic_word(lower) + bic_word(higher) + pair_root))


def _node(one: bytes, other: bytes) -> bytes:
    return keccak(one + other if one < other else other + one)


class Tree:
    """A Merkle tree over ``leaves``; sorts them itself.

    Raises:
        ProofError: a leaf stands twice.
    """

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = sorted(leaves)
        self._place = {leaf: index for index, leaf in enumerate(level)}
        if len(self._place) != len(level):
            raise ProofError("a leaf stands twice in one tree")
        self._levels = [level]
        while len(level) > 1:
            pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            level = pairs + ([level[-1]] if len(level) % 2 else [])
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """The root; :data:`EMPTY_ROOT` of no leaves."""
        top = self._levels[-1]
        return top[0] if top else EMPTY_ROOT

    def proof(self, leaf: bytes) -> tuple[bytes, ...]:
        """Return the siblings from ``leaf`` up to the root; KeyError where it is no leaf."""
        index, siblings = self._place[leaf], []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                siblings.append(level[sibling])
            index //= 2
        return tuple(siblings)


def proves(leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` leads from ``leaf`` to ``root``."""
    if root == EMPTY_ROOT or len(proof) > MAX_PROOF_LENGTH:
        return False
    for sibling in proof:
        if len(sibling) != len(EMPTY_ROOT):
            return False
        leaf = _node(leaf, sibling)
    return leaf == root


@dataclass(frozen=True, slots=True)
class LegProof:
    """A leg with the way to both its parties' entries: what makes a payment undeniable."""

    bound: BoundLeg
    pair_root: bytes
    leg_proof: tuple[bytes, ...]
    payer_proof: tuple[bytes, ...]
    payee_proof: tuple[bytes, ...]

    def check(self, batch: Batch) -> None:
        """Raise :class:`ProofError` unless the leg stands under both parties' entries in ``batch``."""
        leg = self.bound.leg
        if not proves(self.bound.leaf, self.leg_proof, self.pair_root):
            raise ProofError(f"the leg from {leg.payer} to {leg.payee} is not under its pair root")
        leaf = pair_leaf(self.bound.pair, self.pair_root)
        for party, proof in ((leg.payer, self.payer_proof), (leg.payee, self.payee_proof)):
            if party not in batch.participants or not proves(leaf, proof, batch.entry_root(party)):
                raise ProofError(f"the pair root of {leg.payer} and {leg.payee} is not under {party}'s entry")


class LegForest:
    """Every pair tree and every entry tree of a set of legs: what a proposer builds and a bank rebuilds."""

    def __init__(self, legs: Iterable[BoundLeg]) -> None:
        by_pair: dict[tuple[str, str], list[bytes]] = {}
        for bound in legs:
            by_pair.setdefault(bound.pair, []).append(bound.leaf)
        self.pair_trees: Mapping[tuple[str, str], Tree] = {pair: Tree(leaves) for pair, leaves in by_pair.items()}
        by_party: dict[str, list[bytes]] = {}
        for pair, tree in self.pair_trees.items():
            for party in pair:
                by_party.setdefault(party, []).append(pair_leaf(pair, tree.root))
        self.entry_trees: Mapping[str, Tree] = {party: Tree(leaves) for party, leaves in by_party.items()}

    def pair_root(self, pair: tuple[str, str]) -> bytes:
        """Root over all legs between the two banks."""
        return self.pair_trees[pair].root

    def entry_root(self, party: str) -> bytes:
        """Root over the party's counterparties."""
        return self.entry_trees[party].root

    def pair_proof(self, pair: tuple[str, str], party: str) -> tuple[bytes, ...]:
        """Proof that the pair's root stands under ``party``'s entry root."""
        return self.entry_trees[party].proof(pair_leaf(pair, self.pair_root(pair)))

    def leg_proof(self, bound: BoundLeg) -> LegProof:
        """Return the whole evidence for one leg."""
        pair, leg = bound.pair, bound.leg
        return LegProof(
            bound,
            self.pair_root(pair),
            self.pair_trees[pair].proof(bound.leaf),
            self.pair_proof(pair, leg.payer),
            self.pair_proof(pair, leg.payee),
        )

"""From obligations that settle together to the batch everybody signs, and to what each bank is shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corridor.merkle import BoundLeg, LegForest, LegProof
from corridor.model import Batch, Obligation
from corridor.ports import NetProposal
from corridor.typed_data import obligation_id


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A batch with the obligations and trees behind it."""

    batch: Batch
    obligations: tuple[Obligation, ...]
    bound: tuple[BoundLeg, ...]
    forest: LegForest

    def proposal_for(self, bank: str) -> NetProposal:
        """Return what ``bank`` is shown: its own obligations, whole, and the proofs it needs."""
        own = tuple(owed for owed in self.obligations if bank in owed.parties)
        identifiers = {one.obligation_id for one in self.bound if bank in one.pair}
        pairs = {one.pair for one in self.bound if bank in one.pair}
        pair_proofs = {}
        for pair in pairs:
            other = pair[0] if pair[1] == bank else pair[1]
            pair_proofs[other] = self.forest.pair_proof(pair, other)
        others = tuple(
            self.forest.leg_proof(one)
            for one in self.bound
            if one.obligation_id in identifiers and bank not in one.pair
        )
        return NetProposal(self.batch, own, pair_proofs, others)

    def leg_proofs(self, identifier: bytes) -> tuple[LegProof, ...]:
        """Return the evidence for each leg of one obligation."""
        return tuple(self.forest.leg_proof(one) for one in self.bound if one.obligation_id == identifier)


def bound_legs(owed: Obligation) -> list[BoundLeg]:
    """Return the legs of ``owed``, each with its place."""
    identifier = obligation_id(owed)
    return [BoundLeg(identifier, index, len(owed.legs), leg) for index, leg in enumerate(owed.legs)]


def plan_batch(proposer: str, round_: int, deadline_s: int, obligations: Sequence[Obligation]) -> BatchPlan:
    """Net ``obligations`` into a batch for the proposer's round: one entry per bank, one column per token."""
    bound = tuple(one for owed in obligations for one in bound_legs(owed))
    forest = LegForest(bound)
    tokens = tuple(sorted({one.leg.token.lower() for one in bound}))
    participants = tuple(sorted(forest.entry_trees))
    net = {(bank, token): 0 for bank in participants for token in tokens}
    for one in bound:
        leg, token = one.leg, one.leg.token.lower()
        net[leg.payer, token] -= leg.amount_minor
        net[leg.payee, token] += leg.amount_minor
    batch = Batch(
        proposer.lower(),
        round_,
        deadline_s,
        tokens,
        participants,
        tuple(forest.entry_root(bank) for bank in participants),
        tuple(net[bank, token] for bank in participants for token in tokens),
    )
    return BatchPlan(batch, tuple(obligations), bound, forest)

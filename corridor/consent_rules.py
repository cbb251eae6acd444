"""What a bank checks before it signs, in this order, each refusal with its reason.

1. *complete*: from its own list the bank rebuilds its pair roots and its entry root; its own entry stands once.
2. *bound*: each of its pair roots stands under the counterparty's entry too, and so do all other legs of the
   obligations it has part in: an obligation is in the batch whole or not at all.
3. *instructed*: what it pays, it instructed; each obligation is undischarged and in no other live consent.
4. *position*: received minus paid is exactly its position for each token address; its limits hold over all live
   consents together.
5. *stored*: list and proofs are in its own store before its signature leaves. (The agent's part.)

Pure functions over plain data: the agent brings its books.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from corridor.merkle import BoundLeg, LegForest, ProofError, pair_leaf, proves
from corridor.model import (
    SAFETY_MARGIN_S,
    Batch,
    Instruction,
    LockTerms,
    Obligation,
    ObligationError,
    ObligationRecord,
    ObligationState,
    is_address,
    is_bic,
    is_integer,
    obligation,
)
from corridor.ports import ConsentRefused, GrossProposal, NetProposal
from corridor.typed_data import obligation_id, terms_hash

# Rounds count up from one, and both stores keep them in 64 bits.
_MAX_ROUND = 2**63 - 1
# What of the safety margin two ledgers' clocks may use up before a bank locks.
CLOCK_SKEW_S = 60
# A net position is a sum of legs; beyond this it is no 256-bit integer of the contract's.
_MAX_POSITION = 2**255 - 1


@dataclass(frozen=True, slots=True)
class Instructed:
    """One payment that the bank itself instructed; ``state`` is ``open``, ``held``, ``cancelled`` or ``discharged``."""

    uetr: str
    content_hash: bytes
    payee: str
    currency: str
    amount_minor: int
    bought_currency: str | None
    bought_minor: int | None
    state: str


@dataclass(frozen=True, slots=True)
class LiveConsent:
    """A consent that could still take effect. ``debits``: what the bank would pay net, per token address."""

    kind: str
    subject: bytes
    proposer: str | None
    round: int | None
    debits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Books:
    """What the bank knows of its own business, as far as a proposal touches it.

    Attributes:
        instructed: own instructions by UETR.
        live: live consents by what they tie up: an obligation's id in hex, or an own instruction's UETR.
        all_live: every live consent.
        discharged: ids of obligations that are discharged already.
    """

    instructed: Mapping[str, Instructed]
    live: Mapping[str, tuple[LiveConsent, ...]]
    all_live: tuple[LiveConsent, ...]
    discharged: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """The ledger as the bank knows it: chain, token address per currency, and its own debit limit per token.

    ``elsewhere``: chain and token of what it is paid on a second ledger, by currency; it always pays on this one.
    """

    chain_id: int
    tokens: Mapping[str, str]
    debit_limits: Mapping[str, int]
    elsewhere: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def of_bought(self, currency: str) -> tuple[int, str]:
        """Chain and token address in which the bank is paid ``currency``."""
        chain_id, token = self.elsewhere.get(currency) or (self.chain_id, self.tokens[currency])
        return chain_id, token.lower()


def check_gross(bank: str, place: Place, books: Books, proposal: GrossProposal) -> None:
    """Raise :class:`ConsentRefused` unless the bank should consent to settle this obligation now."""
    owed = proposal.obligation
    check_canonical(bank, owed)
    identifier = obligation_id(owed)
    _check_instructed(bank, place, books, owed)
    for consent in _live(bank, books, owed):
        if consent.kind != "gross" or consent.subject != identifier:
            why = "the obligation, or an instruction of it, is in another live consent"
            raise ConsentRefused(bank, "instructed", why, frozenset({identifier}))
    _check_limits(bank, place, books, net_debits(bank, place, (owed,)), gross=identifier)


def check_lock(bank: str, place: Place, books: Books, owed: Obligation) -> None:
    """Raise :class:`ConsentRefused` unless the bank should lock its legs of this obligation now."""
    check_canonical(bank, owed)
    _check_instructed(bank, place, books, owed)
    if _live(bank, books, owed):
        why = "the obligation, or an instruction of it, is in a live consent or lock"
        raise ConsentRefused(bank, "instructed", why, frozenset({obligation_id(owed)}))
    _check_limits(bank, place, books, net_debits(bank, place, (owed,)), gross=obligation_id(owed))


def check_follow(
    bank: str, owed: Obligation, lead: LockTerms, record: ObligationRecord, chain_id: int, *, later_by_s: int
) -> None:
    """Raise :class:`ConsentRefused` unless a bank may lock behind the lead leg that another ledger shows.

    Args:
        lead: the terms as they must stand on the lead ledger.
        record: what a *final* block of the lead ledger says of the obligation.
        chain_id: the lead ledger's.
        later_by_s: how much later than here the lead leg's time is up, each measured by its own ledger's clock.
    """
    lead_legs = sum(1 << place for place, leg in enumerate(owed.legs) if leg.chain_id == chain_id)
    objected = frozenset({obligation_id(owed)})
    if record.state is not ObligationState.LOCKED or record.locked_mask != lead_legs:
        raise ConsentRefused(bank, "terms", f"no final block of chain {chain_id} shows the lead leg locked", objected)
    if record.commitment != terms_hash(lead)[: len(record.commitment)]:
        raise ConsentRefused(bank, "terms", f"on chain {chain_id} the lead leg is locked under other terms", objected)
    if later_by_s < SAFETY_MARGIN_S - CLOCK_SKEW_S:
        why = f"by the ledgers' clocks the lead leg's time ends only {later_by_s} s after this one's"
        raise ConsentRefused(bank, "terms", why, objected)


def check_net(bank: str, place: Place, books: Books, proposal: NetProposal) -> None:
    """Raise :class:`ConsentRefused` unless the bank should consent to its entry in this batch."""
    batch = proposal.batch
    bound = _check_complete(bank, proposal)
    _check_bound(bank, proposal, bound)
    seen: set[str] = set()
    for owed in proposal.obligations:
        _check_instructed(bank, place, books, owed)
        own = own_instructions(bank, owed)
        if not seen.isdisjoint(own):
            why = "one instruction stands in two obligations"
            raise ConsentRefused(bank, "instructed", why, frozenset({obligation_id(owed)}))
        seen.update(own)
        for consent in _live(bank, books, owed):
            if consent.kind != "net" or (consent.proposer, consent.round) != (batch.proposer, batch.round):
                why = "the obligation, or an instruction of it, is in a live consent of another round"
                raise ConsentRefused(bank, "instructed", why, frozenset({obligation_id(owed)}))
    _check_position(bank, proposal)
    debits = net_debits(bank, place, proposal.obligations)
    _check_limits(bank, place, books, debits, net=(batch.proposer, batch.round))


def own_instructions(bank: str, owed: Obligation) -> tuple[str, ...]:
    """Return the UETRs of the instructions in ``owed`` that ``bank`` itself gave."""
    return tuple(instruction.uetr for instruction in owed.instructions if instruction.payer == bank)


def _live(bank: str, books: Books, owed: Obligation) -> tuple[LiveConsent, ...]:
    """Live consents that ``owed`` is part of, or an instruction of the bank's own in it: an operator can put one
    instruction into obligations of different ids, and must not have both discharged."""
    items = (obligation_id(owed).hex(), *own_instructions(bank, owed))
    return tuple(consent for item in items for consent in books.live.get(item, ()))


def check_canonical(bank: str, owed: Obligation) -> None:
    """Part of rule 1: the obligation is written in the one way that its id stands for, and is this bank's business."""
    try:
        canonical = obligation(owed.instructions, owed.legs) == owed
    except ObligationError as error:
        raise ConsentRefused(bank, "complete", error.message) from error
    if not canonical:
        raise ConsentRefused(bank, "complete", "an obligation is not in canonical order")
    if bank not in owed.parties:
        raise ConsentRefused(bank, "complete", "an obligation in the list is none of this bank's")


def _ascending(values: tuple[str, ...]) -> bool:
    return all(one < other for one, other in itertools.pairwise(values))


def check_shape(bank: str, batch: Batch) -> None:
    """Part of rule 1: the batch is well-formed, and the bank's own entry stands in it exactly once."""
    written = all(map(is_bic, batch.participants)) and all(map(is_address, (batch.proposer, *batch.tokens)))
    if not written or not is_integer(batch.round, 0, _MAX_ROUND):
        raise ConsentRefused(bank, "complete", "the batch names a BIC, address or round that is none")
    if not all(is_integer(position, -_MAX_POSITION, _MAX_POSITION) for position in batch.positions):
        raise ConsentRefused(bank, "complete", "a position is no integer of 256 bits")
    if not all(isinstance(root, bytes) and len(root) == 32 for root in batch.entry_roots):
        # Roots of other lengths could be hashed as one list and read from the chain as another.
        raise ConsentRefused(bank, "complete", "an entry root is not 32 bytes")
    tokens = tuple(token.lower() for token in batch.tokens)
    rows = len(batch.participants)
    if not (_ascending(batch.participants) and _ascending(tokens)):
        raise ConsentRefused(bank, "complete", "participants or tokens of the batch are not strictly ascending")
    if len(batch.entry_roots) != rows or len(batch.positions) != rows * len(tokens):
        raise ConsentRefused(bank, "complete", "the batch's columns differ in length")
    if batch.participants.count(bank) != 1:
        raise ConsentRefused(bank, "complete", "the batch has no entry for this bank")


def _check_complete(bank: str, proposal: NetProposal) -> list[BoundLeg]:
    """Rule 1. Return every leg of the listed obligations."""
    check_shape(bank, proposal.batch)
    bound: list[BoundLeg] = []
    for owed in proposal.obligations:
        check_canonical(bank, owed)
        identifier = obligation_id(owed)
        bound.extend(BoundLeg(identifier, index, len(owed.legs), leg) for index, leg in enumerate(owed.legs))
    own = [one for one in bound if bank in one.pair]
    try:
        forest = LegForest(own)
    except ProofError as error:
        raise ConsentRefused(bank, "complete", error.message) from error
    if not own or forest.entry_root(bank) != proposal.batch.entry_root(bank):
        raise ConsentRefused(bank, "complete", "the listed legs are not those under this bank's entry root")
    for pair, tree in forest.pair_trees.items():
        other = pair[0] if pair[1] == bank else pair[1]
        proof = proposal.pair_proofs.get(other, ())
        batch = proposal.batch
        if other not in batch.participants or not proves(pair_leaf(pair, tree.root), proof, batch.entry_root(other)):
            objected = frozenset(one.obligation_id for one in own if one.pair == pair)
            raise ConsentRefused(bank, "bound", f"the legs with {other} do not stand under its entry root", objected)
    return bound


def _check_bound(bank: str, proposal: NetProposal, bound: list[BoundLeg]) -> None:
    """Rule 2 for the legs between two other banks."""
    proofs = {proof.bound: proof for proof in proposal.other_legs}
    for one in bound:
        if bank in one.pair:
            continue
        if one in proofs:
            try:
                proofs[one].check(proposal.batch)
            except ProofError as error:
                raise ConsentRefused(bank, "bound", error.message, frozenset({one.obligation_id})) from error
        else:
            why = f"the leg from {one.leg.payer} to {one.leg.payee} of the same obligation is not proven"
            raise ConsentRefused(bank, "bound", why, frozenset({one.obligation_id}))


def _check_instructed(bank: str, place: Place, books: Books, owed: Obligation) -> None:
    """Rule 3 for one obligation: the legs it pays are exactly what its own instructions ask for."""
    identifier = obligation_id(owed)
    objected = frozenset({identifier})
    if identifier in books.discharged:
        raise ConsentRefused(bank, "instructed", "the obligation is discharged already", objected)
    pays = {(leg.payee, leg.chain_id, leg.token.lower()): leg.amount_minor for leg in owed.legs if leg.payer == bank}
    gets = {(leg.payer, leg.chain_id, leg.token.lower()): leg.amount_minor for leg in owed.legs if leg.payee == bank}
    _check_one_each(bank, owed)
    asked: dict[tuple[str, int, str], int] = {}
    for instruction in owed.instructions:
        if instruction.payer != bank:
            continue
        own = books.instructed.get(instruction.uetr)
        if own is None or (why := _why_not(own, instruction, place)):
            why = f"{instruction.uetr} {'is not what this bank instructed' if own is None else why}"
            raise ConsentRefused(bank, "instructed", why, objected)
        key = (own.payee, place.chain_id, place.tokens[own.currency].lower())
        asked[key] = asked.get(key, 0) + own.amount_minor
        if own.bought_currency is None and any(payer == own.payee for payer, _, _ in gets):
            why = f"{instruction.uetr} is a plain payment, and no side of a trade"
            raise ConsentRefused(bank, "instructed", why, objected)
        if own.bought_currency is not None:
            bought = (own.payee, *place.of_bought(own.bought_currency))
            if gets.get(bought) != own.bought_minor:
                why = f"{instruction.uetr} buys {own.bought_currency}, which the obligation does not bring in full"
                raise ConsentRefused(bank, "instructed", why, objected)
    if pays != asked:
        raise ConsentRefused(bank, "instructed", "the legs to pay are not those this bank instructed", objected)


def _check_one_each(bank: str, owed: Obligation) -> None:
    objected = frozenset({obligation_id(owed)})
    uetrs = {instruction.uetr for instruction in owed.instructions}
    if len(uetrs) != len(owed.instructions):
        raise ConsentRefused(bank, "instructed", "one instruction stands twice in an obligation", objected)
    payers = {instruction.payer for instruction in owed.instructions}
    if len(payers) != len(owed.instructions):
        # Added up in one leg, two payments could be discharged by the money for one, or one trade pay for two.
        raise ConsentRefused(bank, "instructed", "a payer has two instructions in one obligation", objected)


def _why_not(own: Instructed, instruction: Instruction, place: Place) -> str:
    """Why an instruction must not be settled as the obligation says; empty where it may."""
    if own.content_hash != instruction.content_hash:
        return "is not what this bank instructed"
    if own.state != "open":
        return f"is {own.state}"
    if own.currency not in place.tokens:
        return f"is in {own.currency}, which has no token here"
    if own.bought_currency is not None and own.bought_currency not in {*place.tokens, *place.elsewhere}:
        return f"buys {own.bought_currency}, which has no token here"
    return ""


def _check_position(bank: str, proposal: NetProposal) -> None:
    """Rule 4: received minus paid, per token address."""
    batch = proposal.batch
    net: dict[str, int] = {token.lower(): 0 for token in batch.tokens}
    for owed in proposal.obligations:
        for leg in owed.legs:
            if bank not in (leg.payer, leg.payee):
                continue
            token = leg.token.lower()
            if token not in net:
                raise ConsentRefused(bank, "position", f"the batch has no column for token {leg.token}")
            net[token] += leg.amount_minor if leg.payee == bank else -leg.amount_minor
    for token in batch.tokens:
        if net[token.lower()] != batch.position(bank, token):
            why = f"the legs net to {net[token.lower()]} in {token}, the entry says {batch.position(bank, token)}"
            raise ConsentRefused(bank, "position", why)


def net_debits(bank: str, place: Place, owed: tuple[Obligation, ...]) -> dict[str, int]:
    """Return what ``bank`` would pay net, here, per token address if ``owed`` were discharged together."""
    net: dict[str, int] = {}
    for one in owed:
        for leg in one.legs:
            # On another ledger the same address is another token.
            if bank in (leg.payer, leg.payee) and leg.chain_id == place.chain_id:
                token = leg.token.lower()
                net[token] = net.get(token, 0) + (leg.amount_minor if leg.payer == bank else -leg.amount_minor)
    return {token: amount for token, amount in net.items() if amount > 0}


def _check_limits(
    bank: str,
    place: Place,
    books: Books,
    debits: Mapping[str, int],
    *,
    gross: bytes | None = None,
    net: tuple[str, int] | None = None,
) -> None:
    """Limits hold over all live consents; of a round at most one takes effect, so its largest counts."""
    exposure: dict[str, dict[object, int]] = {}
    for consent in books.all_live:
        slot: object = (consent.proposer, consent.round) if consent.kind == "net" else consent.subject
        for token, amount in consent.debits.items():
            per_slot = exposure.setdefault(token, {})
            per_slot[slot] = max(per_slot.get(slot, 0), amount)
    for token, amount in debits.items():
        limit = place.debit_limits.get(token)
        per_slot = exposure.get(token, {})
        own_slot: object = gross if gross is not None else net
        total = sum(value for slot, value in per_slot.items() if slot != own_slot)
        if limit is not None and total + max(amount, per_slot.get(own_slot, 0)) > limit:
            why = f"net debit {total + amount} in {token} would exceed the bank's limit of {limit}"
            raise ConsentRefused(bank, "limits", why)

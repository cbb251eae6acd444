"""Whatever settles together: every honest bank signs its entry, and no change of a single field passes all of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corridor.consent_rules import Books, Instructed, Place, check_net
from corridor.model import Instruction, Leg, obligation
from corridor.ports import ConsentRefused
from corridor.proposals import plan_batch
from tests.actors import CHAIN_ID, HKD, PROPOSER, THB, TOKENS, uetr_of

BANKS = ["HKBAHKHHXXX", "HKBBHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX", "THBCTHBKXXX"]
PLACE = Place(CHAIN_ID, TOKENS, {})
CODES = {token: code for code, token in TOKENS.items()}

two_banks = st.permutations(BANKS).map(lambda order: order[:2])
amounts = st.integers(1, 1_000)


@st.composite
def settlements(draw):
    """Obligations, and what each bank instructed of them: payments, trades and three-bank chains."""
    books = {bank: {} for bank in BANKS}
    obligations = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["payment", "trade", "chain"]))
        one, other, third = draw(st.permutations(BANKS))[:3]
        hkd = Leg(one, other, CHAIN_ID, HKD, draw(amounts))
        sides = {"payment": [hkd], "trade": [hkd, Leg(other, one, CHAIN_ID, THB, draw(amounts))]}
        sides["chain"] = [hkd, Leg(other, third, CHAIN_ID, THB, draw(amounts))]
        instructions = []
        for place, leg in enumerate(sides[kind]):
            uetr, content = uetr_of(10 * number + place), bytes([number, place]).ljust(32, b"\1")
            bought = sides[kind][1 - place] if kind == "trade" else None
            books[leg.payer][uetr] = Instructed(
                uetr,
                content,
                leg.payee,
                CODES[leg.token],
                leg.amount_minor,
                CODES[bought.token] if bought else None,
                bought.amount_minor if bought else None,
                "open",
            )
            instructions.append(Instruction(leg.payer, uetr, content))
        obligations.append(obligation(instructions, sides[kind]))
    return obligations, books


def signers(plan, books, shown=None):
    """The banks that would sign."""
    signing = set()
    for bank in plan.batch.participants:
        proposal = (shown or plan).proposal_for(bank)
        try:
            check_net(bank, PLACE, Books(books[bank], {}, (), frozenset()), replace(proposal, batch=plan.batch))
        except ConsentRefused:
            continue
        signing.add(bank)
    return signing


@settings(max_examples=100, deadline=None, derandomize=True)
@given(settlements())
def test_every_column_sums_to_zero_and_every_honest_bank_signs(drawn):
    obligations, books = drawn
    plan = plan_batch(PROPOSER, 1, 1_000, obligations)
    batch = plan.batch
    width = len(batch.tokens)
    for column in range(width):
        assert sum(batch.positions[column::width]) == 0
    assert signers(plan, books) == set(batch.participants)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(settlements(), st.data())
def test_a_changed_leg_is_not_signed_by_its_payer(drawn, data):
    obligations, books = drawn
    number = data.draw(st.integers(0, len(obligations) - 1))
    owed = obligations[number]
    place = data.draw(st.integers(0, len(owed.legs) - 1))
    leg = owed.legs[place]
    elsewhere = data.draw(st.sampled_from([bank for bank in BANKS if bank not in owed.parties]))
    changed = data.draw(
        st.sampled_from([replace(leg, amount_minor=leg.amount_minor + 1), replace(leg, payee=elsewhere)])
    )
    legs = [*owed.legs[:place], changed, *owed.legs[place + 1 :]]
    lie = [*obligations[:number], obligation(owed.instructions, legs), *obligations[number + 1 :]]
    signing = signers(plan_batch(PROPOSER, 1, 1_000, lie), books)
    assert leg.payer not in signing


@settings(max_examples=100, deadline=None, derandomize=True)
@given(settlements(), st.data())
def test_a_batch_that_leaves_out_what_was_shown_is_signed_by_no_party_to_it(drawn, data):
    obligations, books = drawn
    number = data.draw(st.integers(0, len(obligations) - 1))
    rest = [*obligations[:number], *obligations[number + 1 :]]
    if rest:
        shown = plan_batch(PROPOSER, 1, 1_000, obligations)
        settled = plan_batch(PROPOSER, 1, 1_000, rest)
        assert signers(settled, books, shown) & obligations[number].parties == set()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(settlements(), st.data())
def test_a_moved_position_is_not_signed_by_the_bank_it_is_taken_from(drawn, data):
    obligations, books = drawn
    plan = plan_batch(PROPOSER, 1, 1_000, obligations)
    width = len(plan.batch.tokens)
    column = data.draw(st.integers(0, width - 1))
    poorer, richer = data.draw(st.permutations(range(len(plan.batch.participants))))[:2]
    positions = list(plan.batch.positions)
    positions[poorer * width + column] -= 1
    positions[richer * width + column] += 1
    lie = replace(plan, batch=replace(plan.batch, positions=tuple(positions)))
    signing = signers(lie, books)
    assert {plan.batch.participants[poorer], plan.batch.participants[richer]} & signing == set()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(settlements(), st.data())
def test_a_leg_under_only_one_partys_root_is_not_signed_by_the_other(drawn, data):
    """Each bank's own root is right; the counterparty's is that of a batch without one obligation."""
    obligations, books = drawn
    number = data.draw(st.integers(0, len(obligations) - 1))
    owed = obligations[number]
    rest = [*obligations[:number], *obligations[number + 1 :]]
    plan = plan_batch(PROPOSER, 1, 1_000, obligations)
    victim = owed.legs[0].payee
    without = plan_batch(PROPOSER, 1, 1_000, rest) if rest else None
    roots = tuple(
        root
        if bank == victim or bank not in owed.parties
        else (without.batch.entry_root(bank) if without and bank in without.batch.participants else bytes(32))
        for bank, root in zip(plan.batch.participants, plan.batch.entry_roots, strict=True)
    )
    lie = replace(plan, batch=replace(plan.batch, entry_roots=roots))
    proposal = lie.proposal_for(victim)
    with pytest.raises(ConsentRefused) as refusal:
        check_net(victim, PLACE, Books(books[victim], {}, (), frozenset()), proposal)
    assert refusal.value.rule == "bound"

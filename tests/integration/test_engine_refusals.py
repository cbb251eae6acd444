"""Who does not sign, or may not: left out, named, and never debited; everybody else settles."""

from __future__ import annotations

import pytest

from corridor import typed_data, wire
from corridor.agent_books import UnknownPayment
from corridor.engine import queueing, views
from corridor.ledger import contracts
from corridor.model import Instruction, Leg, obligation
from corridor.ports import ConsentRefused, GrossProposal
from corridor.proposals import plan_batch
from corridor.store.tables import messages, payments, settlements
from tests.samples import HK_A, HK_B, TH_A, TH_B, bank_payment, customer, trade_side


@pytest.fixture(params=["before", "between"])
def stopped(request, monkeypatch):
    """An issuer stops a bank before the operator looks, or between its look and the settlement."""
    if request.param == "between":
        monkeypatch.setattr(queueing, "stopped", lambda desk, waiting: {})
    return request.param


def insert_payment(bench, **changed):
    """Put a payment into the operator's store that no bank has sent; return its UETR."""
    uetr = bench.pen.uetr()
    row = {
        "uetr": uetr,
        "payer": HK_A,
        "payee": TH_A,
        "currency": "HKD",
        "amount_minor": 1_000,
        "value_date": "2026-11-23",
        "priority": 2,
        "end_to_end_id": "FORGED",
        "content_hash": "11" * 32,
        "content": b"forged",
        "state": "queued",
        "held": False,
    } | changed
    token = bench.corridor.deployment.tokens[row["currency"]].lower()
    leg = Leg(row["payer"], row["payee"], bench.corridor.deployment.chain_id, token, row["amount_minor"])
    instruction = Instruction(row["payer"], uetr, bytes.fromhex(row["content_hash"]))
    row["obligation"] = typed_data.obligation_id(obligation([instruction], [leg])).hex()
    with bench.desk.database.begin() as connection:
        message = {
            "sender": row["payer"],
            "content_hash": row["obligation"],
            "message_id": "FORGED",
            "definition": "pacs.008.001.08",
            "has_header": False,
            "created_at": "2026-11-23T09:00:00Z",
            "raw": b"",
            "signature": "",
            "received_at_s": 0,
            "accepted": 1,
            "refused": 0,
            "refused_whole": False,
        }
        key = connection.execute(messages.insert().values(message)).inserted_primary_key
        connection.execute(payments.insert().values(row | {"message": key[0]}))
    return uetr


def test_a_payment_that_stands_only_in_the_operators_store_is_refused_by_its_payers_agent(bench, opening):
    uetr = insert_payment(bench)
    real = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_B, "HKD", "3.00", real))
    bench.cycle()
    assert bench.state(uetr) == "queued"
    assert "is not what this bank instructed" in bench.reason(uetr)
    assert bench.state(real) == "final"
    assert bench.balance(TH_A, "HKD") == 0
    assert bench.balance(HK_A, "HKD") == opening[HK_A, "HKD"] - 300
    bench.assert_conserved()


@pytest.mark.parametrize(
    "lie", [{"amount_minor": 2_000}, {"payee": TH_B}, {"content_hash": "22" * 32}], ids=lambda lie: next(iter(lie))
)
def test_a_real_payment_that_the_operator_changes_is_refused(bench, opening, lie):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    with bench.desk.database.begin() as connection:
        connection.execute(payments.update().where(payments.c.uetr == uetr).values(lie))
        row = connection.execute(payments.select().where(payments.c.uetr == uetr)).mappings().one()
        identifier = typed_data.obligation_id(bench.desk.obligation([row])).hex()
        connection.execute(payments.update().where(payments.c.uetr == uetr).values(obligation=identifier))
    report = bench.cycle()
    assert (report.gross, report.net) == ([], [])
    assert bench.balances() == opening


def test_half_of_a_trade_is_refused_by_the_bank_that_would_pay_it(bench, opening):
    one, other = bench.pen.uetr(), bench.pen.uetr()
    hkd, thb = ("HKD", "10.00"), ("THB", "45.00")
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, hkd, thb, one))
    bench.pay(TH_A, "pacs.009", trade_side(TH_A, HK_A, thb, hkd, other))
    with bench.desk.database.begin() as connection:
        row = connection.execute(payments.select().where(payments.c.uetr == one)).mappings().one()
    half = bench.desk.obligation([row])
    with pytest.raises(ConsentRefused, match="does not bring in full"):
        bench.corridor.agents[HK_A].gross_consent(GrossProposal(half, bench.desk.ledger_time_s() + 60))
    plan = plan_batch(bench.desk.proposer, 1, bench.desk.ledger_time_s() + 60, [half])
    with pytest.raises(ConsentRefused, match="does not bring in full"):
        bench.corridor.agents[HK_A].net_consent(plan.proposal_for(HK_A))
    assert bench.balances() == opening


def test_a_bank_that_sleeps_is_left_out_and_its_payments_settle_when_it_wakes(bench):
    """It owes in one payment and is owed in another; the others' payments settle in the same round."""
    from_sleeper, others = bench.pen.uetr(), [bench.pen.uetr() for _ in range(10)]
    bench.pay(TH_B, "pacs.009", bank_payment(TH_B, TH_A, "THB", "5.00", from_sleeper))
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, TH_A, "HKD", "1.00", uetr) for uetr in others])
    bench.put_to_sleep(TH_B)
    report = bench.cycle()
    assert len(report.net) == 10
    assert bench.state(from_sleeper) == "queued"
    assert "does not answer" in bench.reason(from_sleeper)
    assert "does not answer" in next(iter(report.left_out.values()))
    bench.wake(TH_B)
    bench.cycle()
    assert bench.state(from_sleeper) == "final"
    bench.assert_conserved()


def test_what_was_settled_after_a_refusal_took_the_very_round_that_was_refused(bench):
    bench.pay(TH_B, "pacs.009", bank_payment(TH_B, TH_A, "THB", "5.00", bench.pen.uetr()))
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, TH_A, "HKD", "1.00", bench.pen.uetr()) for _ in range(10)])
    bench.put_to_sleep(TH_B)
    bench.cycle()
    with bench.desk.database.begin() as connection:
        rows = connection.execute(settlements.select().where(settlements.c.kind == "net")).mappings().all()
    assert [(row["round"], row["state"]) for row in rows] == [(1, "void"), (1, "final")]


def test_a_payee_that_sleeps_does_not_keep_a_payment_from_settling_gross(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "1.00", uetr))
    bench.put_to_sleep(TH_A)
    bench.cycle()
    assert bench.state(uetr) == "final"


def test_the_counterparties_of_a_sleeping_bank_are_told_once(bench):
    one, other = bench.pen.uetr(), bench.pen.uetr()
    hkd, thb = ("HKD", "10.00"), ("THB", "45.00")
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, hkd, thb, one))
    bench.pay(TH_A, "pacs.009", trade_side(TH_A, HK_A, thb, hkd, other))
    bench.put_to_sleep(TH_A)
    for _ in range(4):
        bench.cycle()
        bench.clock.now_s += 400
    assert bench.statuses(HK_A, one) == ["ACTC", "PDNG"]
    assert bench.statuses(TH_A, other) == ["ACTC", "PDNG"]
    bench.wake(TH_A)
    bench.cycle()
    assert bench.statuses(HK_A, one) == ["ACTC", "PDNG", "ACSP", "ACSC"]


def test_a_consent_whose_deadline_passed_keeps_no_bank_from_cancelling_although_others_fail_later(bench):
    trades = {}
    hkd, thb = ("HKD", "10.00"), ("THB", "45.00")
    for seller, buyer in ((HK_A, TH_A), (HK_B, TH_B)):
        trades[seller], trades[buyer] = bench.pen.uetr(), bench.pen.uetr()
    bench.put_to_sleep(TH_A)
    bench.put_to_sleep(TH_B)
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, hkd, thb, trades[HK_A]))
    bench.pay(TH_A, "pacs.009", trade_side(TH_A, HK_A, thb, hkd, trades[TH_A]))
    bench.cycle()
    bench.amend(TH_A, trades[TH_A], "cancel")
    with pytest.raises(UnknownPayment, match="may still take effect"):
        bench.amend(HK_A, trades[HK_A], "cancel")
    bench.clock.now_s += 200
    bench.pay(HK_B, "pacs.009", trade_side(HK_B, TH_B, hkd, thb, trades[HK_B]))
    bench.pay(TH_B, "pacs.009", trade_side(TH_B, HK_B, thb, hkd, trades[TH_B]))
    bench.cycle()
    bench.clock.now_s += 200
    bench.cycle()
    bench.amend(HK_A, trades[HK_A], "cancel")
    assert bench.state(trades[HK_A]) == "cancelled"


def test_a_bank_over_its_own_debit_limit_is_left_out_and_the_others_settle(configured, open_bench):
    configured(
        'opening_balance = { HKD = "12000000.00" }',
        'opening_balance = { HKD = "12000000.00" }\ndebit_limit = { HKD = "100.00" }',
    )
    bench = open_bench()
    over, other = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "100.01", over))
    bench.pay(TH_B, "pacs.009", bank_payment(TH_B, TH_A, "THB", "5.00", other))
    bench.cycle()
    assert (bench.state(over), bench.state(other)) == ("queued", "final")
    assert "limit" in bench.reason(over)


def test_a_suspended_bank_pays_nothing_gets_nothing_and_is_named(bench, opening, stopped):
    """Suspended after its payment was taken in. Where only the ledger finds it, its revert says whom."""
    paid, got, others = bench.pen.uetr(), bench.pen.uetr(), [bench.pen.uetr() for _ in range(9)]
    bench.pay(HK_B, "pacs.008", customer(HK_B, TH_A, "HKD", "10.00", paid))
    bench.pay(TH_B, "pacs.009", bank_payment(TH_B, HK_B, "THB", "10.00", got))
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, TH_A, "HKD", "1.00", uetr) for uetr in others])
    bench.by_issuer("HKD", "suspend b", contracts.suspend(bench.corridor.deployment.registry, HK_B))
    report = bench.cycle()
    assert len(report.net) == 9
    assert {bench.state(uetr) for uetr in others} == {"final"}
    assert (bench.state(paid), bench.state(got)) == ("queued", "queued")
    assert all(HK_B in why for why in report.left_out.values())
    assert bench.balance(HK_B, "HKD") == opening[HK_B, "HKD"]
    bench.by_issuer("HKD", "reinstate b", contracts.reinstate(bench.corridor.deployment.registry, HK_B))
    bench.clock.now_s += 400
    bench.cycle()
    bench.cycle()
    assert (bench.state(paid), bench.state(got)) == ("final", "final")
    bench.assert_conserved()


def test_a_suspended_payer_alone_is_named_and_settles_after_it_was_reinstated(bench, stopped):
    uetr = bench.pen.uetr()
    bench.pay(HK_B, "pacs.008", customer(HK_B, TH_A, "HKD", "10.00", uetr))
    registry = bench.corridor.deployment.registry
    bench.by_issuer("HKD", "suspend b", contracts.suspend(registry, HK_B))
    bench.cycle()
    assert bench.state(uetr) == "queued"
    assert HK_B in bench.reason(uetr)
    assert "suspended" in bench.reason(uetr) or "NotActive" in bench.reason(uetr)
    bench.by_issuer("HKD", "reinstate b", contracts.reinstate(registry, HK_B))
    bench.clock.now_s += 400
    bench.cycle()
    assert bench.state(uetr) == "final"


def test_a_frozen_payee_is_named_and_the_others_settle(bench, opening, stopped):
    token = bench.corridor.deployment.tokens["HKD"]
    stuck, others = bench.pen.uetr(), [bench.pen.uetr() for _ in range(9)]
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_B, "HKD", "10.00", stuck))
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, TH_A, "HKD", "1.00", uetr) for uetr in others])
    bench.by_issuer("HKD", "freeze b", contracts.freeze(token, TH_B))
    report = bench.cycle()
    assert len(report.net) == 9
    assert bench.state(stuck) == "queued"
    assert TH_B in bench.reason(stuck)
    bench.by_issuer("HKD", "unfreeze b", contracts.unfreeze(token, TH_B))
    bench.clock.now_s += 400
    bench.cycle()
    assert bench.state(stuck) == "final"


def test_a_frozen_payer_waits_while_its_tokens_are_frozen(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_B, "HKD", "10.00", uetr))
    bench.by_issuer("HKD", "freeze a", contracts.freeze(bench.corridor.deployment.tokens["HKD"], HK_A))
    report = bench.cycle()
    assert (report.gross, report.net) == ([], [])
    assert "frozen" in bench.reason(uetr)


def test_what_a_paused_token_keeps_waiting_says_so_costs_no_transaction_and_settles_afterwards(bench):
    token = bench.corridor.deployment.tokens["HKD"]
    uetr, other = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_B, "HKD", "10.00", uetr))
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, TH_B, "THB", "10.00", other))
    bench.by_issuer("HKD", "pause", contracts.pause(token))
    bench.cycle()
    nonce = bench.corridor.ledger.account_nonce(bench.desk.proposer)
    bench.cycle()
    assert bench.corridor.ledger.account_nonce(bench.desk.proposer) == nonce
    assert (bench.state(uetr), bench.state(other)) == ("queued", "final")
    assert "paused" in bench.reason(uetr)
    assert bench.statuses(HK_A, uetr) == ["ACTC", "PDNG"]
    bench.by_issuer("HKD", "unpause", contracts.unpause(token))
    bench.cycle()
    assert bench.state(uetr) == "final"


def test_a_new_payment_of_a_suspended_bank_is_refused(bench):
    bench.by_issuer("HKD", "suspend b", contracts.suspend(bench.corridor.deployment.registry, HK_B))
    one, other = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_B, "pacs.008", customer(HK_B, TH_A, "HKD", "10.00", one))
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, HK_B, "THB", "10.00", other))
    for bank, uetr in ((HK_B, one), (TH_A, other)):
        [status] = bench.told(bank, uetr)
        assert (status.status, status.code) == ("RJCT", "AG01")


def test_a_bank_out_of_step_with_the_operator_in_many_payments_does_not_keep_others_waiting(bench):
    """Its agent objects to one payment after another; after a few, the bank is left out as a whole."""
    lost = [insert_payment(bench) for _ in range(70)]
    good = [bench.pen.uetr() for _ in range(10)]
    bench.pay(TH_A, "pacs.009", *[bank_payment(TH_A, TH_B, "THB", "1.00", uetr) for uetr in good])
    bench.cycle()
    assert {bench.state(uetr) for uetr in good} == {"final"}
    assert {bench.state(uetr) for uetr in lost} == {"queued"}


def test_the_evidence_of_a_consent_is_in_the_banks_own_store(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    bench.cycle()
    identifier = views.status(bench.desk, uetr)["obligation"]
    with bench.corridor.agents[HK_A]._database.begin() as connection:
        [evidence] = connection.exec_driver_sql("SELECT evidence FROM consents").scalars().all()
    stored = wire.load(GrossProposal, evidence)
    assert typed_data.obligation_id(stored.obligation).hex() == identifier

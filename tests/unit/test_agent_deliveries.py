"""A bank's outbox gets each answer once, and no credit that the ledger does not show discharged to this bank."""

from dataclasses import replace

import pytest

from corridor import app
from corridor.agent_books import UnknownPayment
from corridor.credit_rules import DeliveryRefused, ForwardRefused
from corridor.errors import CorridorError
from corridor.iso20022 import OriginalMessage, TransactionStatus, status_report
from corridor.model import Leg, Obligation, obligation
from corridor.ports import ConsentRefused, Delivery
from tests.actors import (
    CHAIN_ID,
    HK_BANK_A,
    HK_BANK_B,
    HKD,
    TH_BANK_A,
    TH_BANK_B,
    THB,
    forwarded,
    gross,
    net,
    obligation_of,
    payment,
    trade,
    uetr_of,
)
from tests.unit.iso20022_samples import OPERATOR


def answer(name="00000001.pacs.002.ACSP.xml", ended=None, text="settling"):
    """An answer of the operator's: a pacs.002."""
    body = status_report(
        message_id="S-1",
        created_at="2026-11-23T01:00:00Z",
        operator_bic=OPERATOR,
        receiver_bic=HK_BANK_A,
        original=OriginalMessage("M-1", "pacs.008.001.08", None),
        statuses=[TransactionStatus("ACSP", uetr=uetr_of(1), end_to_end_id="E-1", text=text)],
        header=None,
    )
    return Delivery(name, False, body, (), ended or {})


def assert_refused(bank, delivery, why, error=ForwardRefused):
    """The bank refuses the delivery, nothing of it is in its outbox, and the same is refused again."""
    for _ in range(2):
        with pytest.raises(error, match=why):
            bank.agent.deliver(delivery)
    assert delivery.name not in dict(bank.files)


@pytest.fixture
def credit(th_bank_a):
    """A payment of HKD 100.00 by Hong Kong bank A that the ledger shows discharged to Thai bank A."""
    one = payment(HK_BANK_A, TH_BANK_A, 100_00)
    th_bank_a.ledger.settles(obligation_of(one))
    return one


# -- forwarded payments -----------------------------------------------------------------------------------------------


def test_a_payment_that_is_discharged_reaches_its_bank(th_bank_a, credit):
    delivery = forwarded(credit)
    th_bank_a.agent.deliver(delivery)
    assert th_bank_a.files == [(delivery.name, delivery.body)]


def test_a_payment_discharged_in_a_batch_reaches_its_bank(th_bank_a):
    one = payment(HK_BANK_A, TH_BANK_A)
    proposal = net(TH_BANK_A, obligation_of(one))
    th_bank_a.agent.net_consent(proposal)
    assert_refused(th_bank_a, forwarded(one), "not discharged and final")
    th_bank_a.ledger.takes_round(proposal)
    th_bank_a.agent.deliver(forwarded(one))
    assert len(th_bank_a.files) == 1


def test_a_batch_that_lost_its_round_brings_no_credit(th_bank_a):
    one = payment(HK_BANK_A, TH_BANK_A)
    lost, won = net(TH_BANK_A, obligation_of(one)), net(TH_BANK_A, obligation_of(payment(HK_BANK_B, TH_BANK_A)))
    th_bank_a.agent.net_consent(lost)
    th_bank_a.ledger.takes_round(won)
    assert_refused(th_bank_a, forwarded(one), "not discharged and final")


def test_a_payment_that_is_not_discharged_is_refused(th_bank_a):
    assert_refused(th_bank_a, forwarded(payment(HK_BANK_A, TH_BANK_A)), "not discharged and final")


def test_a_payment_without_its_obligation_is_refused(th_bank_a, credit):
    assert_refused(th_bank_a, replace(forwarded(credit), obligations=()), "not what was discharged")


def test_changed_content_is_refused(th_bank_a, credit):
    delivery = forwarded(credit)
    assert_refused(th_bank_a, replace(delivery, body=delivery.body.replace(b"Exporter", b"Imposter")), "not what was")


def test_a_changed_amount_is_refused(th_bank_a, credit):
    delivery = forwarded(credit)
    more = delivery.body.replace(b"100.00", b"100.01")
    assert more != delivery.body
    assert_refused(th_bank_a, replace(delivery, body=more), "not what was discharged")


def test_another_payment_under_a_discharged_one_is_refused(th_bank_a, credit):
    other = payment(HK_BANK_A, TH_BANK_A, 100_00)
    assert_refused(th_bank_a, forwarded(credit, other, obligations=[obligation_of(credit)]), "not what was discharged")


def test_a_payment_steered_to_another_payee_brings_neither_of_them_a_credit(th_bank_a, th_bank_b):
    one = payment(HK_BANK_A, TH_BANK_A)
    steered = obligation([one.instruction], [replace(one.leg, payee=TH_BANK_B)])
    th_bank_a.ledger.settles(steered)
    assert_refused(th_bank_a, forwarded(one, obligations=[steered]), "not what was discharged")
    assert_refused(th_bank_b, forwarded(one, obligations=[steered]), "not what was discharged")


@pytest.mark.parametrize("change", [{"amount_minor": 99_99}, {"token": THB}, {"chain_id": CHAIN_ID + 1}])
def test_a_leg_that_brings_something_else_is_no_credit(th_bank_a, change):
    one = payment(HK_BANK_A, TH_BANK_A, 100_00)
    owed = obligation([one.instruction], [replace(one.leg, **change)])
    th_bank_a.ledger.settles(owed)
    assert_refused(th_bank_a, forwarded(one, obligations=[owed]), "not what was discharged")


def test_a_payment_is_credited_from_its_payer_and_nobody_else(th_bank_a):
    """Who instructs may stand in the group header, outside the hash: it must be whom the obligation names."""
    one = payment(HK_BANK_A, TH_BANK_A, 100_00)
    owed = obligation([replace(one.instruction, payer=HK_BANK_B)], [replace(one.leg, payer=HK_BANK_B)])
    th_bank_a.ledger.settles(owed)
    assert_refused(th_bank_a, forwarded(one, obligations=[owed]), "not what was discharged")


def test_two_payments_are_not_credited_from_the_money_for_one(th_bank_a):
    first, second = payment(HK_BANK_A, TH_BANK_A, 100_00), payment(HK_BANK_A, TH_BANK_A, 100_00)
    owed = obligation([first.instruction, second.instruction], [first.leg])
    th_bank_a.ledger.settles(owed)
    assert_refused(th_bank_a, forwarded(first, second, obligations=[owed]), "one instruction of each payer")


def test_a_payment_stands_once_in_a_message(th_bank_a, credit):
    assert_refused(th_bank_a, forwarded(credit, credit), "forwarded before")


def test_a_payment_is_not_forwarded_again_under_another_name(th_bank_a, credit):
    th_bank_a.agent.deliver(forwarded(credit))
    assert_refused(th_bank_a, forwarded(credit, name="00000002.pacs.forward.xml"), "forwarded before")


def test_payments_of_two_payers_may_share_a_uetr(th_bank_a, credit):
    th_bank_a.agent.deliver(forwarded(credit))
    other = payment(HK_BANK_B, TH_BANK_A, uetr=credit.uetr)
    th_bank_a.ledger.settles(obligation_of(other))
    th_bank_a.agent.deliver(forwarded(other, name="00000002.pacs.forward.xml"))
    assert len(th_bank_a.files) == 2


def test_a_refused_forward_may_come_again_when_it_is_final(th_bank_a):
    one = payment(HK_BANK_A, TH_BANK_A)
    assert_refused(th_bank_a, forwarded(one), "not discharged and final")
    th_bank_a.ledger.settles(obligation_of(one))
    th_bank_a.agent.deliver(forwarded(one))
    assert len(th_bank_a.files) == 1


def test_an_obligation_in_two_writings_is_no_credit(th_bank_a, credit):
    capitals = Obligation((credit.instruction,), (replace(credit.leg, token=credit.leg.token.upper()),))
    alias = Obligation((credit.instruction,), (credit.leg, replace(credit.leg, payer=HK_BANK_A + "\0")))
    for owed in (capitals, alias):
        assert_refused(th_bank_a, forwarded(credit, obligations=[owed]), "a leg is not written")


def test_a_forward_whose_totals_do_not_add_up_is_refused(th_bank_a, credit):
    delivery = forwarded(credit)
    body = delivery.body.replace(b"<NbOfTxs>1<", b"<NbOfTxs>2<")
    assert_refused(th_bank_a, replace(delivery, body=body), "NbOfTxs")


def test_a_forward_that_cannot_be_read_is_refused(th_bank_a, credit):
    assert_refused(th_bank_a, replace(forwarded(credit), body=b"<Document"), None, error=CorridorError)


# -- trades -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def settled_trade(hk_bank_a, th_bank_a):
    """A trade that both banks instructed and the ledger shows discharged."""
    own, other = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    hk_bank_a.instructs(own)
    th_bank_a.instructs(other)
    hk_bank_a.agent.gross_consent(gross(obligation_of(own, other)))
    hk_bank_a.ledger.settles(obligation_of(own, other))
    return own, other


def test_each_side_of_a_trade_reaches_the_other_bank(hk_bank_a, th_bank_a, settled_trade):
    own, other = settled_trade
    owed = [obligation_of(own, other)]
    hk_bank_a.agent.deliver(forwarded(other, obligations=owed))
    th_bank_a.agent.deliver(forwarded(own, obligations=owed))
    assert (len(hk_bank_a.files), len(th_bank_a.files)) == (1, 1)


def test_what_a_bank_bought_is_not_credited_to_a_customer_too(hk_bank_a):
    """A dishonest counterparty lets a customer's payment pose as its side of the trade."""
    own, _ = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    hk_bank_a.instructs(own)
    customers = payment(TH_BANK_A, HK_BANK_A, 450_00, "THB")
    owed = obligation_of(own, customers)
    hk_bank_a.agent.gross_consent(gross(owed))
    hk_bank_a.ledger.settles(owed)
    assert_refused(hk_bank_a, forwarded(customers, obligations=[owed]), "not what was discharged")


@pytest.mark.xfail(
    strict=True,
    raises=pytest.fail.Exception,
    reason="a bank is shown only the hash of its counterparty's instruction, so it cannot tell before it signs",
)
def test_a_bank_does_not_sign_a_trade_whose_other_side_is_a_customers_payment(hk_bank_a):
    own, _ = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    hk_bank_a.instructs(own)
    with pytest.raises(ConsentRefused):
        hk_bank_a.agent.gross_consent(gross(obligation_of(own, payment(TH_BANK_A, HK_BANK_A, 450_00, "THB"))))


def test_the_side_of_another_trade_is_refused(hk_bank_a):
    own, _ = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    _, dearer = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_01), ("THB", 450_00))
    hk_bank_a.instructs(own)
    owed = obligation_of(own, dearer)
    hk_bank_a.agent.gross_consent(gross(owed))
    hk_bank_a.ledger.settles(owed)
    assert_refused(hk_bank_a, forwarded(dearer, obligations=[owed]), "not what was discharged")


def test_the_side_of_a_trade_is_no_credit_to_a_bank_that_traded_nothing(hk_bank_a):
    _, other = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    hk_bank_a.ledger.settles(obligation_of(other))
    assert_refused(hk_bank_a, forwarded(other), "not what was discharged")


# -- what the operator calls an answer --------------------------------------------------------------------------------


def test_the_same_delivery_twice_gives_one_file(hk_bank_a):
    hk_bank_a.agent.deliver(answer())
    hk_bank_a.agent.deliver(answer())
    assert len(hk_bank_a.files) == 1


def test_the_same_delivery_after_a_restart_gives_one_file(hk_bank_a):
    hk_bank_a.agent.deliver(answer())
    hk_bank_a.restart()
    hk_bank_a.agent.deliver(answer())
    assert len(hk_bank_a.files) == 1


def test_a_delivery_interrupted_before_its_file_was_written_is_written_the_next_time(hk_bank_a):
    hk_bank_a.agent.deliver(answer())
    hk_bank_a.files.clear()
    hk_bank_a.agent.deliver(answer())
    assert hk_bank_a.files == [(answer().name, answer().body)]


def test_other_content_under_a_delivered_name_is_refused_also_when_the_bank_took_the_file_away(hk_bank_a):
    hk_bank_a.agent.deliver(answer())
    hk_bank_a.files.clear()
    assert_refused(hk_bank_a, answer(text="settled"), "delivered before with other content", error=DeliveryRefused)


def test_a_forged_payment_does_not_pass_as_an_answer(th_bank_a):
    forged = replace(forwarded(payment(HK_BANK_A, TH_BANK_A)), is_forward=False)
    assert_refused(th_bank_a, forged, "is no answer", error=DeliveryRefused)
    assert_refused(th_bank_a, replace(forged, body=b"anything"), "is no answer", error=DeliveryRefused)


@pytest.mark.parametrize("name", ["../keystore.json", "/etc/passwd", ".hidden", "", "a/b.xml", "a\n.xml", "x" * 61])
def test_an_answer_does_not_choose_where_it_lands(hk_bank_a, name):
    assert_refused(hk_bank_a, answer(name=name), "no plain file name", error=DeliveryRefused)


def test_a_file_is_written_whole_and_never_over_another(tmp_path):
    app.write_out(tmp_path / "outbox", "one.xml", b"first")
    app.write_out(tmp_path / "outbox", "one.xml", b"second")
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "outbox").iterdir()] == [("one.xml", b"first")]


@pytest.mark.parametrize("state", ["cancelled", "refused"])
def test_a_payment_that_the_operator_ends_is_signed_no_more(hk_bank_a, state):
    one = payment(HK_BANK_A, TH_BANK_A)
    hk_bank_a.instructs(one)
    hk_bank_a.agent.deliver(answer(ended={state: (one.uetr,)}))
    with pytest.raises(ConsentRefused, match=f"is {state}"):
        hk_bank_a.agent.gross_consent(gross(obligation_of(one)))


def test_a_message_refused_as_a_whole_may_be_sent_anew(hk_bank_a):
    one = payment(HK_BANK_A, TH_BANK_A)
    hk_bank_a.instructs(one)
    hk_bank_a.agent.deliver(answer(ended={"refused": (one.uetr,)}))
    hk_bank_a.instructs(one)
    assert hk_bank_a.state_of(one) == "open"


@pytest.mark.parametrize("verb", ["hold", "cancel"])
@pytest.mark.parametrize("state", ["open", "held", "discharged", "paid"])
def test_no_delivery_reopens_what_the_bank_held_or_cancelled(hk_bank_a, verb, state):
    one = payment(HK_BANK_A, TH_BANK_A)
    hk_bank_a.instructs(one)
    hk_bank_a.amends(verb, one)
    before = hk_bank_a.state_of(one)
    assert_refused(hk_bank_a, answer(ended={state: (one.uetr,)}), "no payment ends as", error=UnknownPayment)
    assert hk_bank_a.state_of(one) == before


def test_what_the_bank_cancelled_is_not_revived_by_calling_it_refused(hk_bank_a):
    one = payment(HK_BANK_A, TH_BANK_A)
    hk_bank_a.instructs(one)
    hk_bank_a.amends("cancel", one)
    hk_bank_a.agent.deliver(answer(ended={"refused": (one.uetr,)}))
    hk_bank_a.instructs(one)
    assert hk_bank_a.state_of(one) == "cancelled"


def test_a_leg_in_an_obligation_of_others_is_no_credit(th_bank_a, credit):
    owed = obligation([credit.instruction], [Leg(HK_BANK_A, TH_BANK_B, CHAIN_ID, HKD, 100_00)])
    th_bank_a.ledger.settles(owed)
    assert_refused(th_bank_a, forwarded(credit, obligations=[owed]), "not what was discharged")


def test_another_banks_credit_is_not_handed_to_this_one(th_bank_a):
    others = payment(HK_BANK_A, TH_BANK_B)
    th_bank_a.ledger.settles(obligation_of(others))
    assert_refused(th_bank_a, forwarded(others), "not what was discharged")

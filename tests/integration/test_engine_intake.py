"""What banks send: taken in, refused one by one, refused as a whole, unreadable; and sent again."""

from __future__ import annotations

import pytest

from corridor.engine.intake import SubmissionRefused
from corridor.iso20022 import read_message
from corridor.model import Signature
from corridor.ports import Submission
from tests.samples import (
    HK_A,
    HK_B,
    OPERATOR,
    TH_A,
    TH_B,
    agent,
    bank_payment,
    customer,
    document,
    group_status,
    sums,
    texts,
    told,
    trade_side,
)


def test_a_customer_payment_settles_is_confirmed_and_reaches_the_payees_bank(bench, opening):
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_B, "HKD", "1000.50", uetr))
    bench.send(HK_A, raw)
    bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACSP", "ACSC"]
    assert bench.balance(TH_B, "HKD") == 100_050
    assert sums(bench.entries(HK_A)) == {"HKD": -100_050}
    assert sums(bench.entries(TH_B)) == {"HKD": 100_050}
    [forwarded] = bench.outbox(TH_B, "forward")
    [arrived] = read_message(forwarded, operator_bic=OPERATOR).transactions
    [written] = read_message(raw, operator_bic=OPERATOR).transactions
    assert (arrived.uetr, arrived.content_hash) == (uetr, written.content_hash)


def test_each_transaction_of_a_bulk_message_is_accepted_or_refused_by_itself(bench):
    good, other, third = (bench.pen.uetr() for _ in range(3))
    refused = {code: bench.pen.uetr() for code in ("AM01", "AM03", "AM12", "RC01", "AG01", "DT01", "NARR")}
    answer = bench.pay(
        HK_A,
        "pacs.008",
        customer(HK_A, TH_A, "HKD", "10.00", good),
        customer(HK_A, TH_A, "HKD", "0.00", refused["AM01"]),
        customer(HK_A, TH_A, "JPY", "10", refused["AM03"]),
        customer(HK_A, TH_B, "HKD", "20.00", other, value_date="2026-11-23"),
        customer(HK_A, TH_A, "HKD", "10.001", refused["AM12"]),
        customer(HK_A, "SGBASGSGXXX", "HKD", "10.00", refused["RC01"]),
        customer(HK_A, HK_A, "HKD", "10.00", refused["AG01"]),
        customer(HK_A, TH_A, "HKD", "10.00", refused["DT01"], value_date="2026-11-22"),
        customer(HK_B, TH_A, "HKD", "10.00", refused["NARR"]),
        customer(HK_A, TH_A, "THB", "0.01", third),
    )
    assert (answer.accepted, answer.refused, answer.refused_whole) == (3, 7, False)
    [report] = bench.outbox(HK_A)
    found = {one.uetr: (one.status, one.code) for one in told(report)}
    assert found == {uetr: ("RJCT", code) for code, uetr in refused.items()} | {
        uetr: ("ACTC", "") for uetr in (good, other, third)
    }
    bench.cycle()
    assert [bench.state(uetr) for uetr in (good, other, third)] == ["final", "final", "queued"]
    [forward] = bench.outbox(TH_A, "forward")
    assert [one.uetr for one in read_message(forward, operator_bic=OPERATOR).transactions] == [good]


def test_a_transaction_without_uetr_is_refused_with_a_sentence_and_stands_nowhere(bench):
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", "X")).replace(b"<UETR>X</UETR>", b"")
    assert bench.send(HK_A, raw).refused == 1
    [one] = told(bench.outbox(HK_A)[0])
    assert (one.status, one.code) == ("RJCT", "NARR")
    assert "UETR" in one.text


def test_a_suspended_agent_in_between_is_refused(bench):
    from corridor.ledger import contracts

    bench.by_issuer("HKD", "suspend b", contracts.suspend(bench.corridor.deployment.registry, HK_B))
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr, intermediary=HK_B))
    assert [(one.status, one.code) for one in bench.told(HK_A, uetr)] == [("RJCT", "AG10")]


def test_the_same_file_again_changes_nothing_and_names_the_same_answer(bench):
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    first, again = bench.send(HK_A, raw), bench.send(HK_A, raw)
    assert (first.seen_before, again.seen_before) == (False, True)
    assert first.files == again.files
    bench.cycle()
    assert bench.send(HK_A, raw).files == first.files
    bench.cycle()
    assert bench.balance(TH_A, "HKD") == 1_000
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACSP", "ACSC"]


def test_the_same_payment_in_a_new_message_is_answered_as_it_stands_and_paid_once(bench):
    uetr = bench.pen.uetr()
    payment = customer(HK_A, TH_A, "HKD", "10.00", uetr)
    bench.pay(HK_A, "pacs.008", payment)
    assert bench.pay(HK_A, "pacs.008", payment).accepted == 1
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACTC"]
    bench.cycle()
    bench.pay(HK_A, "pacs.008", payment)
    bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACTC", "ACSP", "ACSC", "ACSC"]
    assert bench.balance(TH_A, "HKD") == 1_000


def test_a_refused_payment_sent_again_is_refused_again_with_the_same_code(bench):
    uetr = bench.pen.uetr()
    payment = customer(HK_A, "SGBASGSGXXX", "HKD", "10.00", uetr)
    for _ in range(2):
        assert bench.pay(HK_A, "pacs.008", payment).refused == 1
    assert [(one.status, one.code) for one in bench.told(HK_A, uetr)] == [("RJCT", "RC01")] * 2


def test_a_uetr_with_other_content_is_refused_and_the_first_payment_settles(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    for changed in (
        customer(HK_A, TH_A, "HKD", "11.00", uetr),
        customer(HK_A, TH_B, "HKD", "10.00", uetr),
        customer(HK_A, TH_A, "HKD", "10.00", uetr, creditor_account="999"),
        customer(HK_A, TH_A, "HKD", "10.00", uetr, priority="HIGH"),
    ):
        assert bench.pay(HK_A, "pacs.008", changed).refused == 1
        assert bench.told(HK_A, uetr)[-1].code == "AM05"
    bench.cycle()
    assert bench.state(uetr) == "final"
    assert bench.balance(TH_A, "HKD") == 1_000


def test_one_uetr_twice_in_a_message_is_paid_once(bench):
    uetr = bench.pen.uetr()
    same = customer(HK_A, TH_A, "HKD", "10.00", uetr)
    answer = bench.pay(HK_A, "pacs.008", same, same, customer(HK_A, TH_A, "HKD", "12.00", uetr))
    assert (answer.accepted, answer.refused) == (2, 1)
    bench.cycle()
    assert bench.balance(TH_A, "HKD") == 1_000


@pytest.mark.parametrize(
    ("code", "wrong", "right"),
    [
        ("AM18", {"count": 3}, {"count": 2}),
        ("AM10", {"group": "<CtrlSum>31.00</CtrlSum>"}, {"group": "<CtrlSum>30.00</CtrlSum>"}),
    ],
    ids=["count", "control sum"],
)
def test_a_message_refused_as_a_whole_can_be_corrected_with_the_same_uetrs(bench, code, wrong, right):
    one, other = bench.pen.uetr(), bench.pen.uetr()
    payments = customer(HK_A, TH_A, "HKD", "10.00", one), customer(HK_A, TH_B, "HKD", "20.00", other)
    answer = bench.send(HK_A, bench.pen.message("pacs.008", *payments, **wrong))
    assert (answer.accepted, answer.refused, answer.refused_whole) == (0, 0, True)
    [refusal] = bench.outbox(HK_A)
    assert group_status(refusal) == ("RJCT", code)
    assert told(refusal) == []
    assert bench.send(HK_A, bench.pen.message("pacs.008", *payments, **right)).accepted == 2
    bench.cycle()
    assert (bench.balance(TH_A, "HKD"), bench.balance(TH_B, "HKD")) == (1_000, 2_000)


def test_the_agent_signs_nothing_for_a_message_refused_as_a_whole(bench):
    """Until it is sent anew, the operator must not settle it behind the bank's back."""
    uetr = bench.pen.uetr()
    bench.send(HK_A, bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr), count=2))
    report = bench.cycle()
    assert (report.gross, report.net) == ([], [])
    with bench.corridor.agents[HK_A]._database.begin() as connection:
        states = connection.exec_driver_sql("SELECT state FROM instructed").scalars().all()
    assert states == ["refused"]


@pytest.mark.parametrize(
    ("damage", "reference"),
    [
        (lambda raw: raw.replace(b"</CdtTrfTxInf>", b""), "MSG"),
        (lambda raw: raw.replace(b"pacs.008.001.08", b"pacs.008.001.99"), "MSG"),
        (lambda raw: raw.replace(b'Ccy="HKD"', b'Ccy="hkd"'), "MSG"),
        (lambda raw: raw.replace(b"<ChrgBr>SHAR</ChrgBr>", b"<ChrgBr>SHAR</ChrgBr><Odd/>"), "MSG"),
        (lambda raw: raw.replace(b">10.00<", b">-10.00<"), "MSG"),
        (lambda raw: raw.replace(b"<MsgId>", b"<MsgIdent>").replace(b"</MsgId>", b"</MsgIdent>"), "NOTPROVIDED"),
        (lambda raw: raw.upper(), "NOTPROVIDED"),
    ],
    ids=["not well-formed", "version", "currency", "odd element", "negative", "no MsgId", "upper case"],
)
def test_an_unreadable_message_is_answered_with_admi_002_and_nothing_of_it_is_taken_in(bench, damage, reference):
    raw = damage(bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", bench.pen.uetr())))
    answer = bench.send(HK_A, raw)
    assert (answer.accepted, answer.refused, answer.refused_whole) == (0, 0, True)
    [reject] = bench.outbox(HK_A, "admi.002")
    [related] = texts(document(reject), "RltdRef/Ref")
    assert related.startswith(reference)
    assert bench.send(HK_A, raw).files == answer.files
    assert bench.cycle().waiting == {}


def test_a_uetr_in_upper_case_is_unreadable(bench):
    uetr = bench.pen.uetr().upper()
    assert bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr)).refused_whole
    assert len(bench.outbox(HK_A, "admi.002")) == 1


def test_a_message_that_its_bank_did_not_sign_is_not_taken_in(bench):
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", bench.pen.uetr()))
    stolen = Submission(HK_A, raw, Signature(bytes(31) + b"\1", bytes(31) + b"\1"))
    with pytest.raises(SubmissionRefused):
        bench.corridor.operator.submit(stolen)
    assert bench.outbox(HK_A) == []


def test_another_banks_payment_is_refused_and_does_not_spoil_it_for_its_payer(bench):
    """A bank that knows a UETR, or gets a file by mistake, must not use it up."""
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    assert bench.send(HK_B, raw).refused == 1
    [refusal] = bench.outbox(HK_B)
    assert [(one.uetr, one.status, one.code) for one in told(refusal)] == [(uetr, "RJCT", "NARR")]
    answer = bench.send(HK_A, raw)
    assert (answer.accepted, answer.seen_before) == (1, False)
    bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACSP", "ACSC"]


def test_a_bank_does_not_learn_how_another_banks_payment_stands(bench):
    uetr = bench.pen.uetr()
    payment = customer(HK_A, TH_A, "HKD", "10.00", uetr)
    bench.pay(HK_A, "pacs.008", payment)
    bench.cycle()
    assert bench.pay(TH_A, "pacs.008", payment).refused == 1
    [one] = bench.told(TH_A, uetr)
    assert (one.status, one.code) == ("RJCT", "NARR")


def test_a_header_that_names_another_sender_refuses_the_message(bench):
    plain = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", bench.pen.uetr())).decode()
    header = (
        '<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">'
        f"<Fr><FIId><FinInstnId><BICFI>{HK_B}</BICFI></FinInstnId></FIId></Fr>"
        f"<To><FIId><FinInstnId><BICFI>{OPERATOR}</BICFI></FinInstnId></FIId></To><BizMsgIdr>B-1</BizMsgIdr>"
        "<MsgDefIdr>pacs.008.001.08</MsgDefIdr><CreDt>2026-11-23T09:00:00+08:00</CreDt></AppHdr>"
    )
    assert bench.send(HK_A, f"<Envelope>{header}{plain}</Envelope>".encode()).refused_whole
    assert group_status(bench.outbox(HK_A)[0]) == ("RJCT", "NARR")


@pytest.mark.parametrize(
    ("listed", "creditor", "account"),
    [
        ("Sanctioned Trading", "SANCTIONED  trading Ltd", "1"),
        ("Fish & Chips", "Fish &amp; Chips", "1"),
        ("777-123", "Anybody", "777-123"),
        ("Straße 9", "STRASSE 9 GmbH", "1"),
    ],
)
def test_a_blocked_name_or_account_is_refused_without_saying_which(configured, open_bench, listed, creditor, account):
    configured("blocked = []", f'blocked = ["{listed}", "Other Party"]')
    bench = open_bench()
    uetr, other = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(
        HK_A,
        "pacs.008",
        customer(HK_A, TH_A, "HKD", "10.00", uetr, creditor=creditor, creditor_account=account),
        customer(HK_A, TH_A, "HKD", "10.00", other),
    )
    [one] = bench.told(HK_A, uetr)
    assert (one.status, one.code) == ("RJCT", "RR04")
    assert not any(word.casefold() in one.text.casefold() for word in (listed, creditor, "Other Party"))
    assert bench.told(HK_A, other)[0].status == "ACTC"


def test_a_blocked_bank_is_found_however_its_bic_is_written(configured, open_bench):
    configured("blocked = []", f'blocked = ["{TH_B}"]')
    bench = open_bench()
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_B, "HKD", "10.00", uetr))
    bench.send(HK_A, raw.replace(TH_B.encode(), TH_B[:8].encode()))
    assert [(one.status, one.code) for one in bench.told(HK_A, uetr)] == [("RJCT", "RR04")]


def test_element_names_are_not_screened(configured, open_bench):
    configured("blocked = []", 'blocked = ["Cdtr"]')
    bench = open_bench()
    assert bench.pay(HK_A, "pacs.008", customer(HK_A, TH_B, "HKD", "10.00", bench.pen.uetr())).accepted == 1


def test_half_of_the_marks_of_a_trade_is_refused_and_never_settles_as_a_plain_payment(bench, opening):
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.009", trade_side(HK_A, TH_A, ("HKD", "10.00"), ("THB", "45.00"), uetr))
    bench.send(HK_A, raw.replace(b"<LclInstrm><Prtry>PVP</Prtry></LclInstrm>", b""))
    assert [(one.status, one.code) for one in bench.told(HK_A, uetr)] == [("RJCT", "NARR")]
    bench.cycle()
    assert bench.balances() == opening


def test_a_banks_own_payment_settles_like_a_customers(bench):
    uetr = bench.pen.uetr()
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, TH_B, "THB", "7.25", uetr))
    bench.cycle()
    assert bench.statuses(TH_A, uetr) == ["ACTC", "ACSP", "ACSC"]
    assert len(bench.outbox(TH_B, "pacs.009.forward")) == 1


def test_the_operator_named_as_instructed_agent_is_not_the_payee(bench):
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    named = agent("InstdAgt", TH_A).encode()
    bench.send(HK_A, raw.replace(named, agent("InstdAgt", OPERATOR).encode()))
    bench.cycle()
    assert bench.balance(TH_A, "HKD") == 1_000

"""What banks get back validates against the official schemas, says what it must, and is the same for the same facts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from lxml import etree

from corridor.iso20022 import (
    STATUS_CODES,
    UNREADABLE_CODES,
    BusinessHeader,
    ContentError,
    CreditTransfer,
    ForwardingError,
    LegEntry,
    OriginalMessage,
    Refusal,
    TransactionStatus,
    UnreadableMessage,
    bic11,
    credit_debit_notification,
    forward,
    forward_key,
    message_reject,
    read_message,
    short_reference,
    status_report,
)
from corridor.iso20022.writing import escape, pieces
from tests.unit.iso20022_samples import (
    NOW,
    OPERATOR,
    PAID_BANK,
    PAYING_BANK,
    UETR,
    agent,
    assert_valid,
    bank_transfer,
    customer_transfer,
    message,
)

HEADER = BusinessHeader(OPERATOR, PAYING_BANK, "OUT-1", NOW)
ORIGINAL = OriginalMessage("M-1", "pacs.008.001.08", NOW)


def texts(written: bytes, name: str) -> list[str]:
    return [found.text for found in etree.fromstring(written).iter(f"{{*}}{name}")]


def transactions(data: bytes) -> tuple[CreditTransfer, ...]:
    return read_message(data, operator_bic=OPERATOR).transactions


# --- pacs.002 -----------------------------------------------------------------------------------------------------


def report(*statuses: TransactionStatus, **others: object) -> bytes:
    given = {
        "message_id": "S-1",
        "created_at": NOW,
        "operator_bic": OPERATOR,
        "receiver_bic": PAYING_BANK,
        "original": ORIGINAL,
        "statuses": statuses,
    }
    return status_report(**(given | others))  # type: ignore[arg-type]


def status(code: str, **others: object) -> TransactionStatus:
    return TransactionStatus(code, "E-1", UETR, "I-1", "T-1", **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", STATUS_CODES)
@pytest.mark.parametrize("header", [None, HEADER])
def test_a_report_of_each_status_is_valid(code: str, header: BusinessHeader | None) -> None:
    written = report(status(code), header=header)
    assert texts(written, "TxSts") == [code]
    assert (texts(written, "OrgnlUETR"), texts(written, "OrgnlEndToEndId")) == ([UETR], ["E-1"])
    assert_valid(written)


def test_a_report_says_what_is_missing_and_the_place_in_the_queue() -> None:
    sentence = "Short of HKD 3,000,000.00; place 1 of 4 in the queue of <HKBBHKHHXXX> & others, " * 2
    written = report(status("PDNG", text=sentence))
    assert " ".join(texts(written, "AddtlInf")) == sentence.strip()
    assert_valid(written)


def test_a_report_without_references_but_the_mandatory_one_is_valid() -> None:
    written = report(TransactionStatus("RJCT", "E-1", code="NARR", text="The UETR is missing"))
    assert texts(written, "Cd") == ["NARR"]
    assert_valid(written)


def test_a_settled_transaction_names_its_day_and_its_batch() -> None:
    written = report(status("ACSC", settled_on=date(2026, 11, 23), settlement_reference="ab" * 16))
    assert (texts(written, "Dt"), texts(written, "AcctSvcrRef")) == (["2026-11-23"], ["ab" * 16])
    assert_valid(written)


def test_a_message_refused_as_a_whole_gets_a_group_status_and_no_transactions() -> None:
    written = report(group_refusal=Refusal("AM10", "CtrlSum says 2, the amounts add up to 1"))
    assert (texts(written, "GrpSts"), texts(written, "TxSts"), texts(written, "Cd")) == (["RJCT"], [], ["AM10"])
    with pytest.raises(ValueError, match="refused as a whole"):
        report(status("ACTC"), group_refusal=Refusal("AM10", "x"))
    assert_valid(written)


def test_a_status_that_the_corridor_does_not_know_is_a_bug() -> None:
    with pytest.raises(ValueError, match="ACCC"):
        report(status("ACCC"))


def test_one_report_answers_all_transactions_of_a_message_in_order() -> None:
    written = report(*(TransactionStatus("ACTC", f"E-{number}") for number in range(1_000)))
    assert texts(written, "OrgnlEndToEndId") == [f"E-{number}" for number in range(1_000)]
    assert_valid(written)


# --- camt.054 -----------------------------------------------------------------------------------------------------


def entry(
    currency: str = "HKD", amount_minor: int = 1_000_050, *, is_credit: bool = False, **others: object
) -> LegEntry:
    given = {
        "account_id": f"HKBAHKHHXXX-{currency}",
        "booked_on": date(2026, 11, 23),
        "settlement_reference": short_reference(b"\xab" * 32),
        "definition": "pacs.008.001.08",
        "counterparty_bic": PAID_BANK,
        "end_to_end_id": "E-1",
        "uetr": UETR,
    }
    return LegEntry(currency=currency, amount_minor=amount_minor, is_credit=is_credit, **(given | others))  # type: ignore[arg-type]


def notified(*entries: LegEntry, header: BusinessHeader | None = None) -> bytes:
    return credit_debit_notification(
        message_id="N-1",
        created_at=NOW,
        operator_bic=OPERATOR,
        owner_bic=PAYING_BANK,
        entries=entries,
        header=header,
    )


@pytest.mark.parametrize("header", [None, HEADER])
def test_each_leg_is_one_entry_at_its_gross_amount(header: BusinessHeader | None) -> None:
    written = notified(entry(), entry(amount_minor=5, is_credit=True), entry("THB", 4_500_000_000), header=header)
    rows = [
        (row.find("{*}Amt").get("Ccy"), row.find("{*}Amt").text, row.find("{*}CdtDbtInd").text)
        for row in etree.fromstring(written).iter("{*}Ntry")
    ]
    assert rows == [("HKD", "10000.50", "DBIT"), ("HKD", "0.05", "CRDT"), ("THB", "45000000.00", "DBIT")]
    assert_valid(written)


def test_the_entries_of_a_batch_add_up_to_the_movement_of_the_account() -> None:
    written = notified(*(entry(amount_minor=100 * n, is_credit=n % 2 == 0) for n in range(1, 11)))
    moved = sum(
        Decimal(row.find("{*}Amt").text) * (1 if row.find("{*}CdtDbtInd").text == "CRDT" else -1)
        for row in etree.fromstring(written).iter("{*}Ntry")
    )
    assert moved == Decimal(2 + 4 + 6 + 8 + 10 - 1 - 3 - 5 - 7 - 9)


def test_an_entry_names_its_batch_its_uetr_and_both_banks() -> None:
    written = notified(entry(is_credit=True, instruction_id="I-1", transaction_id="T-1", message_id="M-1"))
    assert texts(written, "AcctSvcrRef") == ["ab" * 16] * 2
    assert (texts(written, "UETR"), texts(written, "EndToEndId")) == ([UETR], ["E-1"])
    assert texts(written, "BICFI") == [OPERATOR, PAID_BANK, PAYING_BANK]
    assert_valid(written)


@pytest.mark.parametrize(
    ("definition", "counterparty", "is_credit", "code"),
    [
        ("pacs.008.001.08", PAID_BANK, False, ["PMNT", "ICDT", "XBCT"]),
        ("pacs.008.001.08", "HKBBHKHHXXX", False, ["PMNT", "ICDT", "DMCT"]),
        ("pacs.009.001.08", PAID_BANK, True, ["PMNT", "RCDT", "FICT"]),
    ],
)
def test_an_entry_says_what_kind_of_transfer_it_was(
    definition: str, counterparty: str, is_credit: bool, code: list[str]
) -> None:
    written = notified(entry(is_credit=is_credit, definition=definition, counterparty_bic=counterparty))
    assert [*texts(written, "Cd")[1:], *texts(written, "SubFmlyCd")] == code


def test_a_notification_has_one_part_per_account_and_at_least_one_entry() -> None:
    assert len(texts(notified(entry(), entry("THB"), entry()), "Ntfctn")) == 2
    with pytest.raises(ValueError, match="at least one"):
        notified()
    with pytest.raises(ValueError, match="two currencies"):
        notified(entry(account_id="A"), entry("THB", account_id="A"))


# --- Forwarding ---------------------------------------------------------------------------------------------------


def forwarded(found: tuple[CreditTransfer, ...], header: BusinessHeader | None = None) -> bytes:
    return forward(
        [transaction.content for transaction in found],
        payer_bic=found[0].payer_bic,
        payee_bic=found[0].payee_bic,
        message_id="F-1",
        created_at=NOW,
        header=header,
    )


GROUP_TYPE = "<PmtTpInf><InstrPrty>HIGH</InstrPrty><LclInstrm><Prtry>{}</Prtry></LclInstrm></PmtTpInf>"
FORWARDS = {
    "a customer transfer": message(customer_transfer()),
    "several": message(*(customer_transfer(amount=f"{number}.05") for number in range(1, 4))),
    "one with all agents in the group": message(
        customer_transfer(agents=""), group_tail=agent("InstgAgt", PAYING_BANK) + agent("InstdAgt", OPERATOR)
    ),
    "one that names the operator as instructed agent": message(customer_transfer(agents=agent("InstdAgt", OPERATOR))),
    "one that inherits its date and priority": message(
        customer_transfer(value_date=None),
        group_header="<IntrBkSttlmDt>2026-11-24</IntrBkSttlmDt>",
        group_tail=GROUP_TYPE.format("X"),
    ),
    "one through another instructed bank": message(customer_transfer(agents=agent("InstdAgt", "THBBTHBK"))),
    "one with a foreign prefix and spaces": message(customer_transfer())
    .replace(b"><", b">\n<")
    .replace(b'xmlns="', b'xmlns:p="')
    .replace(b"</", b"</p:")
    .replace(b"<", b"<p:")
    .replace(b"<p:/p:", b"</p:"),
    "a bank transfer": message(bank_transfer(payment_type="", terms=""), kind="pacs.009"),
    "a PvP leg": message(bank_transfer(), kind="pacs.009"),
    "a PvP leg by its group": message(
        bank_transfer(payment_type=""), kind="pacs.009", group_tail=GROUP_TYPE.format("PVP")
    ),
}


@pytest.mark.parametrize("case", FORWARDS)
def test_the_payees_bank_reads_the_same_transaction_with_the_same_hash(case: str) -> None:
    found = transactions(FORWARDS[case])
    written = forwarded(found, HEADER if len(case) % 2 else None)
    again = transactions(written)
    assert again == found
    assert [transaction.content_hash for transaction in again] == [transaction.content_hash for transaction in found]
    assert_valid(written)


def test_a_forward_counts_and_adds_up_its_transactions() -> None:
    written = forwarded(transactions(FORWARDS["several"]))
    assert (texts(written, "NbOfTxs"), texts(written, "CtrlSum")) == (["3"], ["6.15"])
    assert read_message(written, operator_bic=OPERATOR).fault is None


def test_a_sum_too_long_for_a_control_sum_goes_without() -> None:
    written = forwarded(transactions(message(*[customer_transfer(amount="9999999999999.99999")] * 11)))
    assert texts(written, "CtrlSum") == []
    assert_valid(written)


def test_a_forwarded_message_can_be_forwarded_on_unchanged() -> None:
    first = forwarded(transactions(FORWARDS["one that inherits its date and priority"]))
    assert forwarded(transactions(first)) == first


def test_transactions_that_need_different_group_headers_are_not_mixed() -> None:
    dated = transactions(FORWARDS["one that inherits its date and priority"])
    plain = transactions(FORWARDS["a customer transfer"])
    assert len({forward_key(one.content, payer_bic=PAYING_BANK, payee_bic=PAID_BANK) for one in dated + plain}) == 2
    with pytest.raises(ForwardingError, match="2 different"):
        forwarded(dated + plain)
    with pytest.raises(ForwardingError):
        forward([], payer_bic=PAYING_BANK, payee_bic=PAID_BANK, message_id="F-1", created_at=NOW)
    with pytest.raises(ContentError):
        forward([b"x"], payer_bic=PAYING_BANK, payee_bic=PAID_BANK, message_id="F-1", created_at=NOW)


# --- admi.002 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", UNREADABLE_CODES)
@pytest.mark.parametrize("header", [None, HEADER])
def test_a_reject_is_valid_and_names_the_message_and_the_reason(code: str, header: BusinessHeader | None) -> None:
    written = message_reject(UnreadableMessage("M-1", code, "x" * 400, "Document/" * 60), created_at=NOW, header=header)
    assert (texts(written, "Ref"), texts(written, "RjctgPtyRsn")) == (["M-1"], [code])
    assert_valid(written)


def test_a_reject_survives_whatever_a_stranger_put_into_the_reference() -> None:
    data = b"<Document><MsgId>&lt;" + "\u00e9".encode() + b"'\"]]&gt;</MsgId></Document>"
    with pytest.raises(UnreadableMessage) as refused:
        read_message(data, operator_bic=OPERATOR)
    written = message_reject(refused.value, created_at=NOW)
    assert texts(written, "Ref") == ["<\u00e9'\"]]>"]
    assert_valid(written)


# --- Words and references -----------------------------------------------------------------------------------------


def test_text_is_escaped_and_what_xml_cannot_hold_is_replaced() -> None:
    assert escape("a<b>&c\x00\ud800\r") == "a&lt;b&gt;&amp;c??&#13;"


def test_long_sentences_break_between_words_and_end_at_the_bound() -> None:
    assert pieces("one two three", 7, 4) == ["one two", "three"]
    assert pieces("abcdefghij", 4, 2) == ["abcd", "efgh"]
    assert pieces("  ", 4, 2) == []


def test_a_long_id_is_shortened_to_a_prefix_that_fits() -> None:
    identifier = bytes(range(32))
    assert short_reference(identifier) == identifier.hex()[:32]
    assert short_reference("0x" + identifier.hex().upper()) == short_reference(identifier)
    assert len(short_reference(identifier)) <= 35


def test_a_short_bic_is_its_head_office() -> None:
    assert (bic11("HKBAHKHH"), bic11(" hkbahkhhxxx ")) == (PAYING_BANK, PAYING_BANK)


def test_the_same_facts_give_the_same_bytes() -> None:
    assert report(status("ACTC")) == report(status("ACTC"))
    assert notified(entry()) == notified(entry())

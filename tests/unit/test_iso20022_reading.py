"""What a bank's message says: references, parties, terms, content; and which messages can't be read at all."""

from __future__ import annotations

import dataclasses
import random
from datetime import date

import pytest

from corridor.iso20022 import (
    Content,
    ContentError,
    Message,
    UnreadableMessage,
    load_schemas,
    parsing,
    read_message,
    reading,
)
from corridor.iso20022.schemas import SchemaDirectoryError
from tests.unit.iso20022_samples import (
    OPERATOR,
    PAID_BANK,
    PAYING_BANK,
    SHARED_XSD,
    UETR,
    agent,
    bank_transfer,
    business_header,
    customer_transfer,
    enveloped,
    message,
)

PVP_TYPE = "<PmtTpInf><LclInstrm><Prtry>PVP</Prtry></LclInstrm></PmtTpInf>"
HIGH_TYPE = "<PmtTpInf><InstrPrty>HIGH</InstrPrty></PmtTpInf>"


def read(data: bytes) -> Message:
    return read_message(data, operator_bic=OPERATOR)


def unreadable(data: bytes) -> UnreadableMessage:
    with pytest.raises(UnreadableMessage) as refused:
        read(data)
    return refused.value


def test_a_customer_transfer_is_read_with_its_references_parties_and_amount() -> None:
    found = read(message(customer_transfer(), group_header="<CtrlSum>100</CtrlSum>"))
    transaction = found.transactions[0]
    assert (found.kind, found.message_id, found.fault, found.has_header) == ("pacs.008", "M-1", None, False)
    assert (found.sender_bic, found.business_message_id) == (PAYING_BANK, None)
    assert (transaction.uetr, transaction.end_to_end_id, transaction.instruction_id) == (UETR, "E-1", "I-1")
    assert (transaction.payer_bic, transaction.payee_bic, transaction.agent_bics) == (PAYING_BANK, PAID_BANK, ())
    assert (transaction.currency, transaction.amount_text) == ("HKD", "100.00")
    assert (transaction.value_date, transaction.priority) == (date(2026, 11, 23), "NORM")
    assert (transaction.pvp, transaction.fault) == (None, None)


def test_a_pvp_leg_is_read_with_what_it_buys_and_the_trade_reference() -> None:
    transaction = read(message(bank_transfer(), kind="pacs.009")).transactions[0]
    assert (transaction.payer_bic, transaction.payee_bic) == (PAYING_BANK, PAID_BANK)
    assert transaction.pvp == reading.PvpTerms("THB", "450.00", "TRADE-1")


@pytest.mark.parametrize(
    ("transaction", "problem"),
    [
        (bank_transfer(terms=""), "must say once"),
        (bank_transfer(terms="<InstrForNxtAgt><InstrInf>/PVP/THB 450</InstrInf></InstrForNxtAgt>"), "not /PVP/"),
        (bank_transfer(terms="<InstrForNxtAgt><InstrInf>/PVP/450.00THB</InstrInf></InstrForNxtAgt>"), "not /PVP/"),
        (bank_transfer(terms="<InstrForNxtAgt><InstrInf>/PVP/HKD450.00</InstrInf></InstrForNxtAgt>"), "two currencies"),
        (bank_transfer(terms="<InstrForNxtAgt><InstrInf>/PVP/THB0.00</InstrInf></InstrForNxtAgt>"), "zero"),
        (bank_transfer(terms="<InstrForNxtAgt><InstrInf>/PVP/THB1</InstrInf></InstrForNxtAgt>" * 2), "must say once"),
        (bank_transfer(payment_type=""), "not PVP"),
        (bank_transfer(reference="NOTPROVIDED"), "trade reference"),
    ],
)
def test_half_said_pvp_terms_are_a_fault_and_never_a_plain_payment(transaction: str, problem: str) -> None:
    found = read(message(transaction, kind="pacs.009")).transactions[0]
    assert found.pvp is None
    assert found.fault is not None
    assert found.fault.code == "NARR"
    assert problem in found.fault.text


def test_pvp_in_a_customer_transfer_is_a_fault() -> None:
    found = read(message(customer_transfer(payment_type=PVP_TYPE))).transactions[0]
    assert found.fault is not None
    assert "two pacs.009" in found.fault.text


def test_other_instructions_for_the_next_agent_are_no_pvp_terms() -> None:
    note = "<InstrForNxtAgt><InstrInf>/ACC/please call</InstrInf></InstrForNxtAgt>"
    found = read(message(bank_transfer(payment_type="", terms=note), kind="pacs.009")).transactions[0]
    assert (found.pvp, found.fault) == (None, None)


@pytest.mark.parametrize(
    ("transaction", "group_tail", "payer", "payee"),
    [
        (customer_transfer(agents=""), "", PAYING_BANK, PAID_BANK),
        (customer_transfer(agents="", debtor_agent="HKBAHKHH", creditor_agent="THBATHBK"), "", PAYING_BANK, PAID_BANK),
        (customer_transfer(agents=agent("InstgAgt", "HKBBHKHH")), "", "HKBBHKHHXXX", PAID_BANK),
        (customer_transfer(agents=agent("InstdAgt", OPERATOR)), "", PAYING_BANK, PAID_BANK),
        (customer_transfer(agents=agent("InstdAgt", "CORRHKHH")), "", PAYING_BANK, PAID_BANK),
        (customer_transfer(agents=agent("InstdAgt", "THBBTHBK")), "", PAYING_BANK, "THBBTHBKXXX"),
        (customer_transfer(agents=""), agent("InstgAgt", "HKBBHKHH"), "HKBBHKHHXXX", PAID_BANK),
        (customer_transfer(agents=""), agent("InstdAgt", OPERATOR), PAYING_BANK, PAID_BANK),
        (customer_transfer(agents=""), agent("InstdAgt", "THBBTHBK"), PAYING_BANK, "THBBTHBKXXX"),
        (
            customer_transfer(agents="").replace(agent("DbtrAgt", PAYING_BANK), "<DbtrAgt><FinInstnId/></DbtrAgt>"),
            "",
            "",
            PAID_BANK,
        ),
    ],
)
def test_payer_and_payee_are_the_nearest_banks_named_and_never_the_operator(
    transaction: str, group_tail: str, payer: str, payee: str
) -> None:
    found = read(message(transaction, group_tail=group_tail)).transactions[0]
    assert (found.payer_bic, found.payee_bic) == (payer, payee)


def test_a_bank_transfer_without_agents_is_between_its_debtor_and_creditor() -> None:
    own_agents = agent("DbtrAgt", "HKBBHKHH")
    plain = read(message(bank_transfer(payment_type="", terms=""), kind="pacs.009")).transactions[0]
    through_agent = bank_transfer(payment_type="", terms="").replace(
        agent("Cdtr", PAID_BANK), own_agents + agent("Cdtr", PAID_BANK)
    )
    assert (plain.payer_bic, plain.payee_bic) == (PAYING_BANK, PAID_BANK)
    assert read(message(through_agent, kind="pacs.009")).transactions[0].payer_bic == "HKBBHKHHXXX"


def test_other_agents_are_named_once_and_without_payer_payee_and_operator() -> None:
    agents = agent("InstgAgt", PAYING_BANK) + agent("InstdAgt", OPERATOR) + agent("IntrmyAgt1", "THBBTHBK")
    found = read(message(customer_transfer(agents=agents, debtor_agent="HKBBHKHH"))).transactions[0]
    assert found.agent_bics == ("THBBTHBKXXX", "HKBBHKHHXXX")


def test_a_transaction_inherits_date_and_payment_type_from_the_group() -> None:
    group_date = "<IntrBkSttlmDt>2026-11-24</IntrBkSttlmDt>"
    inherits = read(
        message(customer_transfer(value_date=None), group_header=group_date, group_tail=HIGH_TYPE)
    ).transactions[0]
    overrides = read(
        message(
            customer_transfer(payment_type="<PmtTpInf><InstrPrty>NORM</InstrPrty></PmtTpInf>"),
            group_header=group_date,
            group_tail=HIGH_TYPE,
        )
    ).transactions[0]
    assert (inherits.value_date, inherits.priority) == (date(2026, 11, 24), "HIGH")
    assert (overrides.value_date, overrides.priority) == (date(2026, 11, 23), "NORM")
    assert read(message(customer_transfer(value_date=None))).transactions[0].value_date is None


def test_an_amount_is_plain_whatever_the_schema_lets_pass() -> None:
    for written, plain in (("+5", "5"), (" 0007.10 ", "7.10"), (".5", "0.5"), ("5.", "5"), ("-0.00", "0.00")):
        assert read(message(customer_transfer(amount=written))).transactions[0].amount_text == plain


# --- Content ------------------------------------------------------------------------------------------------------


def content_hash(transaction: str, **group: str) -> bytes:
    return read(message(transaction, **group)).transactions[0].content_hash


def test_the_content_hash_ignores_layout_prefixes_of_space_and_the_group_header() -> None:
    plain = message(customer_transfer())
    spread = plain.replace(b"><", b">\n  <").replace(b"<ChrgBr>", b"<!-- who pays the charges -->\n<ChrgBr>")
    moved = enveloped(message(customer_transfer(), message_id="M-2", group_header="<CtrlSum>100</CtrlSum>"))
    hashes = {read(data).transactions[0].content_hash for data in (plain, spread, moved)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "other",
    [
        customer_transfer(amount="100.01"),
        customer_transfer(amount="100.0"),
        customer_transfer(value_date="2026-11-24"),
        customer_transfer(value_date=None),
        customer_transfer(creditor_agent="THBBTHBKXXX"),
        customer_transfer(payment_type=HIGH_TYPE),
        customer_transfer().replace("Exporter", "Exporter "),
    ],
)
def test_the_content_hash_tells_any_other_content_apart(other: str) -> None:
    assert content_hash(other) != content_hash(customer_transfer())


def test_what_is_inherited_from_the_group_is_part_of_the_content() -> None:
    without = content_hash(customer_transfer(value_date=None))
    dated = content_hash(customer_transfer(value_date=None), group_header="<IntrBkSttlmDt>2026-11-24</IntrBkSttlmDt>")
    urgent = content_hash(customer_transfer(value_date=None), group_tail=HIGH_TYPE)
    assert len({without, dated, urgent}) == 3
    own = customer_transfer(payment_type=HIGH_TYPE)
    assert content_hash(own, group_tail=PVP_TYPE) == content_hash(own)


def test_content_can_be_taken_apart_again_and_other_bytes_cannot() -> None:
    transaction = read(message(customer_transfer(value_date=None), group_tail=HIGH_TYPE)).transactions[0]
    parts = Content.parse(transaction.content)
    assert parts.element == transaction.element_c14n
    assert parts.element.startswith(b"<CdtTrfTxInf xmlns=")
    assert b"HIGH" in parts.inherited_payment_type
    for other in (
        b"something else",
        transaction.content + b"\0",
        b"\0".join([*transaction.content.split(b"\0")[:2], b"x", b"", b""]),
    ):
        with pytest.raises(ContentError):
            Content.parse(other)


def test_names_of_customers_do_not_show_when_a_transaction_is_printed() -> None:
    assert "Importer" not in repr(read(message(customer_transfer())))


# --- The message as a whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "group_header", "code"),
    [
        ("2", "<CtrlSum>200.00</CtrlSum>", None),
        ("0002", "<CtrlSum>200</CtrlSum>", None),
        ("2", '<TtlIntrBkSttlmAmt Ccy="HKD">200.00</TtlIntrBkSttlmAmt>', None),
        ("3", "", "AM18"),
        ("1", "<CtrlSum>999</CtrlSum>", "AM18"),
        ("2", "<CtrlSum>200.01</CtrlSum>", "AM10"),
        ("2", "<CtrlSum>-200</CtrlSum>", "AM10"),
        ("2", '<TtlIntrBkSttlmAmt Ccy="HKD">199.99</TtlIntrBkSttlmAmt>', "AM10"),
        ("2", '<TtlIntrBkSttlmAmt Ccy="THB">200.00</TtlIntrBkSttlmAmt>', "AM10"),
    ],
)
def test_count_and_control_sum_must_add_up_or_the_whole_message_is_at_fault(
    count: str, group_header: str, code: str | None
) -> None:
    found = read(message(customer_transfer(), customer_transfer(), count=count, group_header=group_header))
    assert (found.fault.code if found.fault else None) == code


def test_amounts_add_up_exactly_however_long() -> None:
    three, control_sum = [customer_transfer(amount="1234567890123.45678")] * 3, "<CtrlSum>3703703670370.37034</CtrlSum>"
    assert read(message(*three, group_header=control_sum)).fault is None
    assert read(message(*three, customer_transfer(amount="0.00001"), group_header=control_sum)).fault is not None


def test_a_header_says_who_sends_and_under_which_name() -> None:
    found = read(enveloped(message(customer_transfer()), business_header(sender="HKBBHKHH")))
    assert found.has_header
    assert (found.sender_bic, found.receiver_bic, found.business_message_id) == ("HKBBHKHHXXX", OPERATOR, "B-1")


def test_any_root_may_hold_header_and_document_in_either_order() -> None:
    document = message(customer_transfer()).decode()
    swapped = f'<x:Data xmlns:x="urn:x">\n{document}\n{business_header()}</x:Data>'.encode()
    assert read(swapped).business_message_id == "B-1"


@pytest.mark.parametrize(
    ("data", "code", "reference"),
    [
        (enveloped(message(customer_transfer()), business_header("pacs.009.001.08")), "HEADER", "M-1"),
        (enveloped(message(customer_transfer()), business_header().replace("FinInstnId><BICFI>HKBAHKHHXXX</BICFI>",
            "FinInstnId><Nm>A bank</Nm>", 1)), "HEADER", "M-1"),
        (enveloped(message(customer_transfer()), business_header().replace("head.001.001.02", "head.001.001.03")),
            "UNKNOWNVERSION", "M-1"),
        (enveloped(message(customer_transfer()), business_header().replace("<CreDt>", "<CreDtTm>").replace(
            "</CreDt>", "</CreDtTm>")), "SCHEMA", "M-1"),
        (enveloped(message(customer_transfer()), business_header() * 2), "ENVELOPE", "M-1"),
        (enveloped(message(customer_transfer()), "<Other/>"), "ENVELOPE", "M-1"),
        (enveloped(message(customer_transfer(), message_id="X" * 100)), "SCHEMA", "B-1"),
        (enveloped(message(customer_transfer()), business_header() + "loose text"), "ENVELOPE", "M-1"),
        (message(customer_transfer(), message_id="X" * 100), "SCHEMA", "NOTPROVIDED"),
        (message(), "SCHEMA", "M-1"),
        (message(customer_transfer(amount="-5")), "SCHEMA", "M-1"),
        (message(customer_transfer()).replace(b"pacs.008.001.08", b"pacs.008.001.10"), "UNKNOWNVERSION", "M-1"),
        (message(customer_transfer()).replace(b"pacs.008.001.08", b"camt.056.001.08"), "UNKNOWNVERSION", "M-1"),
        (b"<Document><MsgId>M-9</MsgId></Document>", "UNKNOWNVERSION", "M-9"),
        (message(customer_transfer())[:-20], "NOTWELLFORMED", "M-1"),
        (b"not xml at all", "NOTWELLFORMED", "NOTPROVIDED"),
        (b"", "NOTWELLFORMED", "NOTPROVIDED"),
        (message(customer_transfer()).replace(b"Importer", b"\xff"), "ENCODING", "M-1"),
        (message(customer_transfer()).decode().encode("utf-16"), "ENCODING", "NOTPROVIDED"),
        (b'<?xml version="1.0" encoding="UTF-7"?>' + message(customer_transfer()), "ENCODING", "M-1"),
        (b"<!DOCTYPE Document>" + message(customer_transfer()), "DOCTYPE", "M-1"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + message(customer_transfer(amount="&b;")),
            "DOCTYPE", "M-1"),
        (message(customer_transfer(amount="&b;")), "NOTWELLFORMED", "M-1"),
        (b"<a>" * 10_000, "NOTWELLFORMED", "NOTPROVIDED"),
    ],
)  # fmt: skip
def test_an_unreadable_message_is_refused_whole_with_its_reference(data: bytes, code: str, reference: str) -> None:
    refused = unreadable(data)
    assert (refused.reason_code, refused.related_reference) == (code, reference)


FRAGMENTS = (
    b"<", b">", b"</", b"&", b"&#0;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?x?>", b"\0", b"\xff", b"-", b"9" * 20,
    b' xmlns=""', b"<Document>", b"</Document>", b"<FinInstnId/>", b"<BICFI/>", b"PVP", b"2026-13-01", b"NaN", b"",
)  # fmt: skip
SEED = 20022
DAMAGED_MESSAGES = 3_000


def test_a_damaged_message_is_read_or_refused_but_never_breaks_the_reader() -> None:
    pick, outcomes = random.Random(SEED), set()
    whole = [
        message(customer_transfer(), customer_transfer(payment_type=HIGH_TYPE)),
        message(bank_transfer(), kind="pacs.009"),
        enveloped(message(customer_transfer())),
    ]
    for _ in range(DAMAGED_MESSAGES):
        data = bytearray(pick.choice(whole))
        for _ in range(pick.randint(1, 3)):
            start = pick.randrange(len(data))
            data[start : start + pick.choice([0, 0, 1, 3, 40])] = pick.choice(FRAGMENTS)
        try:
            outcomes.add(read(bytes(data)).kind)
        except UnreadableMessage as refused:
            outcomes.add(refused.reason_code)
    assert outcomes >= {"pacs.008", "pacs.009", "SCHEMA", "NOTWELLFORMED", "ENCODING"}, f"seed {SEED}"


def test_a_message_may_start_with_a_byte_order_mark_a_declaration_and_comments() -> None:
    start = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<!-- a comment --><?style sheet?>\n'
    assert read(start + message(customer_transfer())).message_id == "M-1"


def test_a_comment_cannot_hide_part_of_an_amount() -> None:
    found = read(message(customer_transfer(amount="1<!-- x -->00.<![CDATA[50]]>"))).transactions[0]
    assert found.amount_text == "100.50"
    assert b"100.50" in found.element_c14n


def test_sizes_are_bounded_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = message(customer_transfer())
    monkeypatch.setattr(parsing, "MAX_MESSAGE_BYTES", len(data))
    assert read(data).message_id == "M-1"
    assert unreadable(data + b" ").reason_code == "TOOLARGE"
    monkeypatch.setattr(parsing, "MAX_TAGS", data.count(b"<") - 1)
    assert unreadable(data).reason_code == "TOOLARGE"


def test_the_number_of_transactions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TRANSACTIONS", 2)
    assert len(read(message(customer_transfer(), customer_transfer())).transactions) == 2
    assert unreadable(message(*[customer_transfer()] * 3)).reason_code == "TOOLARGE"


def test_the_bounds_let_ten_thousand_large_transactions_pass() -> None:
    assert reading.MAX_TRANSACTIONS >= 10_000
    assert parsing.MAX_MESSAGE_BYTES >= 10_000 * 6_000
    assert parsing.MAX_TAGS >= 10_000 * 200


def test_a_thousand_transactions_are_read_in_order() -> None:
    found = read(message(*(customer_transfer(amount=f"{number + 1}.00") for number in range(1_000))))
    assert [transaction.position for transaction in found.transactions] == list(range(1_000))
    assert found.transactions[-1].amount_text == "1000.00"


def test_with_the_official_schemas_the_same_messages_are_read_and_refused() -> None:
    if not SHARED_XSD.is_dir():
        pytest.skip("the official schemas are not at hand (../shared/xsd)")
    schemas = load_schemas(SHARED_XSD)
    data = enveloped(message(customer_transfer()))
    assert read_message(data, operator_bic=OPERATOR, schemas=schemas) == read(data)
    with pytest.raises(UnreadableMessage):
        read_message(message(customer_transfer(amount="-1")), operator_bic=OPERATOR, schemas=schemas)


def test_a_schema_that_is_stricter_than_ours_decides_too(tmp_path) -> None:
    if not SHARED_XSD.is_dir():
        pytest.skip("the official schemas are not at hand (../shared/xsd)")
    for definition in ("pacs.008.001.08", "pacs.009.001.08"):
        strict = (SHARED_XSD / f"{definition}.xsd").read_text().replace('value="CLRG"', 'value="NONE"')
        (tmp_path / f"{definition}.xsd").write_text(strict)
    with pytest.raises(UnreadableMessage) as refused:
        read_message(message(customer_transfer()), operator_bic=OPERATOR, schemas=load_schemas(tmp_path))
    assert refused.value.reason_code == "SCHEMA"


def test_a_directory_without_the_schemas_is_said_so(tmp_path) -> None:
    with pytest.raises(SchemaDirectoryError, match="missing"):
        load_schemas(tmp_path)
    for definition in ("pacs.008.001.08", "pacs.009.001.08"):
        (tmp_path / f"{definition}.xsd").write_text("<nothing/>")
    with pytest.raises(SchemaDirectoryError, match="not a schema"):
        load_schemas(tmp_path)


def test_a_message_is_plain_frozen_data() -> None:
    found = read(message(customer_transfer()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.transactions[0].amount_text = "1"  # type: ignore[misc]

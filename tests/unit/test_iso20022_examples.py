"""The example messages are what their names say, tell one story that adds up, and get the answers shown beside them.

Run as a module, this file writes the answers shown: ``python -m tests.unit.test_iso20022_examples``.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from corridor.calendars import opening_at_s
from corridor.config import default_text, parse_config
from corridor.iso20022 import (
    REASON_CODES,
    STATUS_CODES,
    UNREADABLE_CODES,
    CreditTransfer,
    LegEntry,
    Message,
    OriginalMessage,
    TransactionStatus,
    UnreadableMessage,
    credit_debit_notification,
    forward,
    message_reject,
    read_message,
    short_reference,
    status_report,
)
from corridor.money import parse_amount
from corridor.validation import ParticipantStatus, Rules, refusal
from tests.unit.iso20022_samples import OPERATOR, assert_valid, official_schema

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = ROOT / "examples" / "messages"
ANSWERS = MESSAGES / "answers"
GUIDE = ROOT / "docs" / "iso20022.md"
BUSINESS_DATE = date(2026, 11, 23)
HONG_KONG_A, HONG_KONG_B, THAI_A, THAI_B = BANKS = ("HKBAHKHHXXX", "HKBBHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX")
ANSWERED_AT = "2026-11-23T12:30:00+08:00"
BATCH = short_reference("0x" + "5e" * 32)

CONFIG = parse_config(default_text())
CALENDARS = {code: currency.calendar for code, currency in CONFIG.currencies.items()}
RULES = Rules(
    participants=dict.fromkeys(BANKS, ParticipantStatus.ACTIVE),
    calendars=CALENDARS,
    business_date=BUSINESS_DATE,
    horizon_days=CONFIG.horizon_days,
    now_s=opening_at_s(BUSINESS_DATE, *CALENDARS.values()),
)

TAKEN = sorted(path.name for path in MESSAGES.glob("0*.xml"))
GRIDLOCK = [name for name in TAKEN if "gridlock" in name]

Balances = Counter[tuple[str, str]]


def read(name: str) -> Message:
    return read_message((MESSAGES / name).read_bytes(), operator_bic=OPERATOR)


def opening_balances() -> Balances:
    """What the configuration of `corridor init` gives each bank."""
    return Counter(
        {
            (bic, currency): participant.opening_minor.get(currency, 0)
            for bic, participant in CONFIG.participants.items()
            for currency in CONFIG.currencies
        }
    )


def settled(balances: Balances, *transactions: CreditTransfer) -> Balances:
    after = Counter(balances)
    for found in transactions:
        amount_minor = parse_amount(found.currency, found.amount_text)
        after[found.payer_bic, found.currency] -= amount_minor
        after[found.payee_bic, found.currency] += amount_minor
    return after


def affordable(balances: Balances, *transactions: CreditTransfer) -> bool:
    return min(settled(balances, *transactions).values()) >= 0


def trades(names: list[str]) -> dict[str, list[CreditTransfer]]:
    found: dict[str, list[CreditTransfer]] = {}
    for transaction in (transaction for name in names for transaction in read(name).transactions):
        assert transaction.pvp is not None
        found.setdefault(transaction.pvp.trade_reference, []).append(transaction)
    return found


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("**/*.xml")), ids=lambda path: path.stem)
def test_every_example_is_valid_but_the_one_that_shows_an_invalid_file(path: Path) -> None:
    parts = list(etree.parse(str(path)).getroot().iter("{*}Document", "{*}AppHdr"))
    for part in parts:
        definition = etree.QName(part).namespace.rsplit(":", 1)[1]
        valid = official_schema(definition).validate(etree.fromstring(etree.tostring(part)))
        assert valid == (path.name != "refused-not-valid.xml")


@pytest.mark.parametrize("name", TAKEN)
def test_a_numbered_example_is_taken_from_the_bank_that_pays(name: str) -> None:
    found = read(name)
    assert found.fault is None
    assert [refusal(one, RULES, sender_bic=str(found.sender_bic)) for one in found.transactions] == [None] * len(
        found.transactions
    )


def test_every_uetr_is_used_once() -> None:
    readable = [path.name for path in MESSAGES.glob("*.xml") if "not-valid" not in path.name]
    uetrs = [one.uetr for name in readable for one in read(name).transactions]
    used = [uetr for uetr in uetrs if uetr]
    assert len(used) == len(set(used)) >= 18


def test_the_refused_examples_are_refused_for_the_reason_in_their_names() -> None:
    whole = read("refused-control-sum.xml")
    assert whole.fault is not None
    assert whole.fault.code == "AM10"
    codes = {}
    for name in ("refused-unknown-bank.xml", "refused-no-uetr.xml"):
        found = read(name)
        reason = refusal(found.transactions[0], RULES, sender_bic=str(found.sender_bic))
        codes[name] = reason.code if reason else None
    assert codes == {"refused-unknown-bank.xml": "RC01", "refused-no-uetr.xml": "NARR"}
    with pytest.raises(UnreadableMessage) as refused:
        read("refused-not-valid.xml")
    assert refused.value.location.endswith("PmtId/UETR")


def test_the_two_legs_of_each_trade_fit_each_other() -> None:
    found = trades([name for name in TAKEN if "pvp" in name or "gridlock" in name])
    assert len(found) == 5
    for one, other in found.values():
        assert (one.payer_bic, one.payee_bic) == (other.payee_bic, other.payer_bic)
        assert one.pvp is not None
        assert other.pvp is not None
        assert (one.pvp.bought_currency, one.pvp.bought_amount_text) == (other.currency, other.amount_text)
        assert (other.pvp.bought_currency, other.pvp.bought_amount_text) == (one.currency, one.amount_text)


def story() -> Balances:
    """Balances before the gridlock; asserts on the way what each file is there to show."""
    balances = opening_balances()
    pvp = [*read("01-pvp-hong-kong-bank-a.xml").transactions, *read("02-pvp-thai-bank-a.xml").transactions]
    assert affordable(balances, *pvp)
    balances = settled(balances, *pvp)
    waiting = read("03-payment-that-waits.xml").transactions
    assert not affordable(balances, *waiting)
    bulk = read("04-bulk-payments.xml").transactions
    assert len(bulk) == 3
    assert affordable(balances, *bulk)
    balances = settled(balances, *bulk)
    assert affordable(balances, *waiting)
    return settled(balances, *waiting)


def test_the_pvp_settles_at_once_and_the_payment_waits_until_the_bulk_has_settled() -> None:
    balances = story()
    assert (balances[HONG_KONG_B, "HKD"], balances[THAI_B, "HKD"]) == (100_000_000, 1_750_000_000)


def test_no_trade_and_no_three_of_the_gridlock_can_settle_but_all_four_can() -> None:
    balances, ring = story(), trades(GRIDLOCK)
    assert len(ring) == 4
    for size in (1, 2, 3):
        for some in itertools.combinations(ring.values(), size):
            assert not affordable(balances, *itertools.chain.from_iterable(some))
    assert affordable(balances, *itertools.chain.from_iterable(ring.values()))


def test_the_payment_with_a_header_can_settle_after_the_gridlock() -> None:
    balances = settled(story(), *itertools.chain.from_iterable(trades(GRIDLOCK).values()))
    found = read("09-payment-with-business-header.xml")
    assert (found.has_header, found.transactions[0].priority) == (True, "HIGH")
    assert affordable(balances, *found.transactions)


def answers() -> dict[str, bytes]:
    """The answers shown beside the examples, as the corridor writes them."""
    pvp, waiting = read("01-pvp-hong-kong-bank-a.xml"), read("03-payment-that-waits.xml")
    unknown, control_sum = read("refused-unknown-bank.xml"), read("refused-control-sum.xml")
    try:
        read("refused-not-valid.xml")
        raise AssertionError("refused-not-valid.xml was read")
    except UnreadableMessage as error:
        unreadable = error
    leg = pvp.transactions[0]

    def report(number: int, found: Message, status: TransactionStatus | None) -> bytes:
        return status_report(
            message_id=f"CORR-20261123-S{number:03d}",
            created_at=ANSWERED_AT,
            operator_bic=OPERATOR,
            receiver_bic=str(found.sender_bic),
            original=OriginalMessage(found.message_id, found.definition, found.created_at),
            statuses=[status] if status else [],
            group_refusal=found.fault,
        )

    def status(said: str, one: CreditTransfer, **facts: object) -> TransactionStatus:
        return TransactionStatus(said, one.end_to_end_id, one.uetr, one.instruction_id, one.transaction_id, **facts)  # type: ignore[arg-type]

    reason = refusal(unknown.transactions[0], RULES, sender_bic=HONG_KONG_A)
    assert reason is not None
    final = status("ACSC", leg, settled_on=BUSINESS_DATE, settlement_reference=BATCH)
    short = "Short of HKD 3,000,000.00; place 1 of 1 in the queue of HKBBHKHHXXX for HKD"
    entries = [
        LegEntry(f"{HONG_KONG_A}-{found.currency}", found.currency, parse_amount(found.currency, found.amount_text),
                 found.payee_bic == HONG_KONG_A, BUSINESS_DATE, BATCH, pvp.definition, THAI_A, found.end_to_end_id,
                 str(found.uetr), found.instruction_id)
        for found in (leg, read("02-pvp-thai-bank-a.xml").transactions[0])
    ]  # fmt: skip
    return {
        "01-final.pacs.002.xml": report(1, pvp, final),
        "01-settled.camt.054.xml": credit_debit_notification(
            message_id="CORR-20261123-N001",
            created_at=ANSWERED_AT,
            operator_bic=OPERATOR,
            owner_bic=HONG_KONG_A,
            entries=entries,
        ),
        "03-waiting.pacs.002.xml": report(2, waiting, status("PDNG", waiting.transactions[0], text=short)),
        "03-forwarded.pacs.008.xml": forward(
            [one.content for one in waiting.transactions],
            payer_bic=HONG_KONG_B,
            payee_bic=THAI_B,
            message_id="CORR-20261123-F001",
            created_at=ANSWERED_AT,
        ),
        "refused-unknown-bank.pacs.002.xml": report(
            3, unknown, status("RJCT", unknown.transactions[0], code=reason.code, text=reason.text)
        ),
        "refused-control-sum.pacs.002.xml": report(4, control_sum, None),
        "refused-not-valid.admi.002.xml": message_reject(unreadable, created_at=ANSWERED_AT),
    }


def shown(written: bytes) -> bytes:
    """Indented for readers, as the files are kept; a bank gets it on one line."""
    root = etree.fromstring(written)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def test_the_answers_shown_are_what_the_corridor_writes() -> None:
    assert {path.name: path.read_bytes() for path in ANSWERS.glob("*.xml")} == {
        name: shown(written) for name, written in answers().items()
    }


def test_the_answers_are_valid() -> None:
    for written in answers().values():
        assert_valid(written)


def test_the_guide_shows_a_file_for_each_case_and_every_code() -> None:
    guide = GUIDE.read_text()
    names = [*TAKEN, *(path.name for path in (*MESSAGES.glob("refused-*.xml"), *ANSWERS.glob("*.xml")))]
    assert [name for name in (*names, *REASON_CODES, *STATUS_CODES, *UNREADABLE_CODES) if name not in guide] == []


def test_the_guide_names_no_file_that_is_not_there() -> None:
    named = re.findall(r"`([a-z0-9.-]+\.xml)`", GUIDE.read_text() + (MESSAGES / "README.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (MESSAGES / name).is_file() and not (ANSWERS / name).is_file()] == []


if __name__ == "__main__":
    ANSWERS.mkdir(exist_ok=True)
    for answer_name, answer in answers().items():
        (ANSWERS / answer_name).write_bytes(shown(answer))

"""A bank's own books remember what it instructed and consented to, and nothing happens to them twice."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from corridor.agent_books import Consent, SqlBooks, UnknownPayment
from corridor.consent_rules import Instructed
from corridor.store.tables import instructed, submitted
from tests.actors import HKD, TH_BANK_A, uetr_of

OPEN = Instructed(uetr_of(1), bytes([1]) * 32, TH_BANK_A, "HKD", 100_00, None, None, "open")
GROSS = Consent("gross", bytes([2]) * 32, bytes([3]) * 32, None, None, 1_000)
NET = Consent("net", bytes([4]) * 32, bytes([5]) * 32, "0x" + "99" * 20, 7, 2_000)


@pytest.fixture
def books(hk_bank_a):
    """The books of Hong Kong bank A, within one database transaction."""
    with hk_bank_a.database.begin() as connection:
        yield SqlBooks(connection)


def record(books, *instructions, message=b"message"):
    books.record_message(message.ljust(32, b"\0"), message, "{}", instructions)


def state(books, uetr=OPEN.uetr):
    return books.snapshot([], [uetr]).instructed[uetr].state


def test_what_was_recorded_is_read_back_as_it_was(books):
    pvp = replace(OPEN, uetr=uetr_of(2), bought_currency="THB", bought_minor=450_00)
    record(books, OPEN, pvp)
    assert books.snapshot([], [OPEN.uetr, pvp.uetr, uetr_of(9)]).instructed == {OPEN.uetr: OPEN, pvp.uetr: pvp}


def test_recording_a_message_again_changes_nothing(books, hk_bank_a):
    record(books, OPEN)
    books.set_state(OPEN.uetr, "held")
    record(books, OPEN)
    assert state(books) == "held"
    for table in (instructed, submitted):
        assert books._connection.execute(select(func.count()).select_from(table)).scalar() == 1


def test_other_content_under_a_uetr_leaves_the_first_in_the_books(books):
    record(books, OPEN)
    record(books, replace(OPEN, amount_minor=999_00), message=b"another")
    assert books.snapshot([], [OPEN.uetr]).instructed[OPEN.uetr] == OPEN


def test_a_refused_instruction_may_be_given_anew_with_other_content(books):
    record(books, OPEN)
    books.end([OPEN.uetr], "refused")
    anew = replace(OPEN, amount_minor=999_00)
    record(books, anew, message=b"another")
    assert books.snapshot([], [OPEN.uetr]).instructed[OPEN.uetr] == anew


def test_hold_and_release_may_follow_each_other(books):
    record(books, OPEN)
    for wanted in ("held", "held", "open", "open", "held", "cancelled"):
        books.set_state(OPEN.uetr, wanted)
        assert state(books) == wanted


@pytest.mark.parametrize("ended", ["cancelled", "refused"])
def test_what_has_ended_stays_as_it_ended(books, ended):
    record(books, OPEN)
    books.end([OPEN.uetr], ended)
    with pytest.raises(UnknownPayment, match=f"is {ended}"):
        books.set_state(OPEN.uetr, "open")
    books.end([OPEN.uetr], "cancelled" if ended == "refused" else "refused")
    assert state(books) == ended


def test_a_payment_that_the_bank_never_instructed_cannot_be_held(books):
    with pytest.raises(UnknownPayment, match="instructed no payment"):
        books.set_state(uetr_of(9), "held")


@pytest.mark.parametrize("ended", ["open", "held", "discharged", ""])
def test_a_payment_ends_as_cancelled_or_refused_and_nothing_else(books, ended):
    record(books, OPEN)
    with pytest.raises(UnknownPayment, match="no payment ends as"):
        books.end([OPEN.uetr], ended)
    assert state(books) == "open"


def test_a_live_consent_ties_up_its_obligation_and_its_instruction(books):
    record(books, OPEN)
    books.record_consent(GROSS, {HKD: 100_00}, "{}", [GROSS.subject.hex(), OPEN.uetr])
    known = books.snapshot([GROSS.subject], [OPEN.uetr])
    (live,) = known.all_live
    assert (live.kind, live.subject, live.debits) == ("gross", GROSS.subject, {HKD: 100_00})
    assert known.live == {GROSS.subject.hex(): (live,), OPEN.uetr: (live,)}
    assert books.live_consents() == [GROSS]
    with pytest.raises(UnknownPayment, match="may still take effect"):
        books.set_state(OPEN.uetr, "cancelled")


def test_recording_a_consent_again_changes_nothing(books):
    for _ in range(2):
        books.record_consent(NET, {HKD: 1}, "{}", ["item"])
    assert books.live_consents() == [NET]


def test_a_released_consent_ties_up_nothing(books):
    record(books, OPEN)
    books.record_consent(NET, {HKD: 1}, "{}", [GROSS.subject.hex(), OPEN.uetr])
    books.close(NET, "released")
    known = books.snapshot([GROSS.subject], [OPEN.uetr])
    assert (known.live, known.all_live, known.discharged) == ({}, (), frozenset())
    assert state(books) == "open"
    assert books.evidence(GROSS.subject) is None


def test_a_discharged_consent_discharges_its_obligation_and_instruction_for_good(books):
    record(books, OPEN)
    books.record_consent(NET, {HKD: 1}, "the evidence", [GROSS.subject.hex(), OPEN.uetr])
    books.close(NET, "discharged")
    assert books.snapshot([GROSS.subject], [OPEN.uetr]).discharged == {GROSS.subject}
    books.end([OPEN.uetr], "cancelled")
    assert state(books) == "discharged"
    assert books.evidence(GROSS.subject) == "the evidence"


def test_evidence_is_that_of_the_consent_that_took_effect(books):
    books.record_consent(GROSS, {}, "lapsed", [GROSS.subject.hex()])
    books.close(GROSS, "released")
    books.record_consent(NET, {}, "settled", [GROSS.subject.hex()])
    books.close(NET, "discharged")
    assert books.evidence(GROSS.subject) == "settled"


def test_a_payment_is_credited_once(books):
    payments = [("HKBAHKHHXXX", uetr_of(1)), ("HKBBHKHHXXX", uetr_of(1))]
    assert books.record_credits(payments, "one.xml") is None
    assert books.record_credits([("HKBAHKHHXXX", uetr_of(2)), payments[1]], "two.xml") == uetr_of(1)
    assert books.record_credits([("HKBAHKHHXXX", uetr_of(3))] * 2, "three.xml") == uetr_of(3)


def test_books_take_more_payments_than_one_statement_does(books):
    many = [replace(OPEN, uetr=uetr_of(number)) for number in range(12_001)]
    record(books, *many)
    books.end([one.uetr for one in many], "refused")
    assert {one.state for one in books.snapshot([], [one.uetr for one in many]).instructed.values()} == {"refused"}

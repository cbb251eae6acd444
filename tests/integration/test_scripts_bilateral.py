"""What two banks need to settle a trade alone: one obligation from two messages, the trade file, keys unprompted."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from corridor import bilateral, typed_data, wire
from corridor.bilateral import LedgerNow, TradeRefused
from corridor.keys import KeyUnusable
from corridor.model import SAFETY_MARGIN_S, LockTerms, ObligationRecord, ObligationState

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "messages"
HK_SIDE = (EXAMPLES / "01-pvp-hong-kong-bank-a.xml").read_bytes()
THAI_SIDE = (EXAMPLES / "02-pvp-thai-bank-a.xml").read_bytes()
HK_BANK, THAI_BANK = "HKBAHKHHXXX", "THBATHBKXXX"
TOKENS = {"HKD": "0x" + "A1" * 20, "THB": "0x" + "b2" * 20}
SETTLEMENT = "0x" + "c3" * 20
CHAIN, OTHER_CHAIN = 852466, 852467
PREIMAGE = bytes(range(32))
NEVER_LOCKED = ObligationRecord(ObligationState.NONE, 0, 0)


def agreed(*messages, thb_chain=CHAIN):
    tokens = {"HKD": (CHAIN, TOKENS["HKD"]), "THB": (thb_chain, TOKENS["THB"])}
    return bilateral.agreed_obligation(messages, tokens=tokens, operator_bic="CORRHKHHXXX")


def seen(record=NEVER_LOCKED, now_s=1_000, chain_id=CHAIN):
    return LedgerNow(chain_id, SETTLEMENT, record, now_s)


def trade():
    return bilateral.lead_trade(PREIMAGE, agreed(HK_SIDE, THAI_SIDE), seen())


def crossing(**follow):
    """HKD leads on one ledger, THB follows on the other."""
    owed = agreed(HK_SIDE, THAI_SIDE, thb_chain=OTHER_CHAIN)
    return bilateral.lead_trade(PREIMAGE, owed, seen(), seen(chain_id=OTHER_CHAIN, **follow))


def load(text, *, chain_id=CHAIN, settlement=SETTLEMENT):
    return bilateral.load_trade(text, chain_id=chain_id, settlement=settlement)


def test_both_banks_get_the_same_obligation_whatever_order_they_read_the_messages_in():
    owed = agreed(HK_SIDE, THAI_SIDE)
    assert owed == agreed(THAI_SIDE, HK_SIDE)
    assert [(leg.payer, leg.payee, leg.token, leg.amount_minor) for leg in owed.legs] == [
        (HK_BANK, THAI_BANK, TOKENS["HKD"].lower(), 1_000_000_000),
        (THAI_BANK, HK_BANK, TOKENS["THB"].lower(), 4_500_000_000),
    ]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([HK_SIDE], "one side only"),
        ([HK_SIDE, HK_SIDE], "do not match"),
        ([HK_SIDE, THAI_SIDE.replace(b"45000000.00", b"45000000.01")], "do not match"),
        ([HK_SIDE, THAI_SIDE, HK_SIDE], "3 messages"),
        ([], "0 messages"),
        ([HK_SIDE, (EXAMPLES / "04-bulk-payments.xml").read_bytes()], "transactions"),
        ([HK_SIDE.replace(b"THB45000000.00", b"JPY45000000")], "no deposit token for JPY"),
    ],
)
def test_messages_that_do_not_form_one_obligation_are_refused_with_the_reason(messages, why):
    with pytest.raises(TradeRefused, match=why):
        agreed(*messages)


def test_a_single_plain_payment_is_an_obligation_of_one_leg():
    owed = agreed((EXAMPLES / "03-payment-that-waits.xml").read_bytes())
    assert len(owed.legs) == len(owed.instructions) == 1


def test_a_message_is_the_instruction_of_the_bank_that_pays_and_of_nobody_else():
    assert bilateral.pays_in(HK_SIDE, HK_BANK, "CORRHKHHXXX") == {"HKD"}
    assert bilateral.pays_in(HK_SIDE, THAI_BANK, "CORRHKHHXXX") == frozenset()


def test_the_hashlock_is_sha256_of_the_preimage_and_the_next_attempt_follows_the_last():
    owed = agreed(HK_SIDE, THAI_SIDE)
    terms = bilateral.lead_trade(PREIMAGE, owed, seen(), window_s=700).terms
    assert terms == LockTerms(1, hashlib.sha256(PREIMAGE).digest(), 1_700)
    refunded = ObligationRecord(ObligationState.REFUNDED, 1, 0)
    assert bilateral.lead_trade(PREIMAGE, owed, seen(refunded)).terms.attempt == 2


@pytest.mark.parametrize("state", [ObligationState.LOCKED, ObligationState.CLAIMED, ObligationState.SETTLED])
def test_no_terms_are_made_for_what_is_locked_or_discharged(state):
    with pytest.raises(TradeRefused, match=state.name.lower()):
        bilateral.lead_trade(PREIMAGE, agreed(HK_SIDE, THAI_SIDE), seen(ObligationRecord(state, 1, 0)))
    with pytest.raises(TradeRefused, match=f"{state.name.lower()} already on chain {OTHER_CHAIN}"):
        crossing(record=ObligationRecord(state, 1, 0))


@pytest.mark.parametrize(("left_s", "refused"), [(659, True), (660, False), (604_800, False), (604_801, True)])
def test_a_lock_has_a_block_s_time_more_than_the_contract_s_shortest_window(left_s, refused):
    terms = LockTerms(1, bytes(32), 1_000 + left_s)
    if not refused:
        assert bilateral.require_window(terms, 1_000) is None
        return
    with pytest.raises(TradeRefused, match=f"{left_s} s are left"):
        bilateral.require_window(terms, 1_000)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_preimage_has_32_bytes(length):
    with pytest.raises(TradeRefused, match="32 bytes"):
        bilateral.hashlock_of(bytes(length))


def test_a_trade_file_comes_back_as_it_was_written_and_keeps_no_secret():
    text = bilateral.dump_trade(trade())
    assert load(text) == trade()
    assert PREIMAGE.hex() not in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 1}, "no trade file of version 2"),
        ({"chain_id": 1}, "chain 1"),
        ({"settlement": "0x" + "dd" * 20}, "0xdddd"),
        ({"terms": replace(trade().terms, other_chain_id=1)}, "don't fit its legs"),
        ({"terms": replace(trade().terms, other_timelock_s=1)}, "don't fit its legs"),
        ({"follow_attempt": 1}, "don't fit its legs"),
        ({"obligation": agreed(HK_SIDE, THAI_SIDE, thb_chain=1)}, "don't fit its legs"),
        ({"obligation": replace(trade().obligation, legs=trade().obligation.legs[::-1])}, "no trade file"),
        ({"obligation": replace(trade().obligation, legs=())}, "1 to 16 legs"),
    ],
)
def test_a_trade_file_of_another_ledger_version_or_form_is_refused(change, why):
    with pytest.raises(TradeRefused, match=why):
        load(bilateral.dump_trade(replace(trade(), **change)))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version":1}'])
def test_what_is_no_trade_file_is_said_to_be_none(text):
    with pytest.raises(TradeRefused, match="no trade file"):
        load(text)


def test_a_bank_locks_nothing_else_than_its_own_copy_of_the_messages_says():
    more = replace(trade().obligation.legs[0], amount_minor=1_000_000_001)
    changed = replace(trade().obligation, legs=(more, trade().obligation.legs[1]))
    bilateral.require_agreed(trade(), agreed(HK_SIDE, THAI_SIDE))
    with pytest.raises(TradeRefused, match="another obligation"):
        bilateral.require_agreed(replace(trade(), obligation=changed), agreed(HK_SIDE, THAI_SIDE))


def test_only_its_own_preimage_opens_a_trade():
    bilateral.require_preimage(trade(), PREIMAGE)
    with pytest.raises(TradeRefused, match="another trade"):
        bilateral.require_preimage(trade(), bytes(32))


@pytest.mark.parametrize(
    ("mask", "payer", "to_lock", "to_refund"),
    [(0b00, None, (0, 1), ()), (0b01, HK_BANK, (1,), (0,)), (0b11, THAI_BANK, (), (1,)), (0b11, None, (), (0, 1))],
)
def test_the_ledger_s_mask_says_which_legs_are_to_lock_and_which_to_refund(mask, payer, to_lock, to_refund):
    record = ObligationRecord(ObligationState.LOCKED, 1, mask)
    assert bilateral.legs_to_lock(trade().obligation, CHAIN, record) == to_lock
    assert bilateral.legs_to_refund(trade().obligation, record, payer=payer) == to_refund


# -- two ledgers -------------------------------------------------------------------------------------------------------


def test_across_two_ledgers_the_lead_leg_is_locked_longer_by_the_margin_and_the_terms_mirror_each_other():
    made = crossing()
    lead, follow = made.terms_on(CHAIN), made.terms_on(OTHER_CHAIN)
    assert follow.timelock_s == 1_000 + bilateral.DEFAULT_WINDOW_S + SAFETY_MARGIN_S
    assert lead.timelock_s == follow.timelock_s + SAFETY_MARGIN_S
    assert (follow.other_chain_id, follow.other_timelock_s) == (CHAIN, lead.timelock_s)
    assert follow.mirrored(OTHER_CHAIN, SETTLEMENT, lead.attempt) == lead
    assert [leg.chain_id for leg in made.obligation.legs] == [CHAIN, OTHER_CHAIN]
    assert load(bilateral.dump_trade(made)) == made == load(bilateral.dump_trade(made), chain_id=OTHER_CHAIN)


def test_each_ledger_counts_its_own_attempts_and_the_later_clock_sets_the_timelocks():
    refunded = ObligationRecord(ObligationState.REFUNDED, 3, 0)
    made = bilateral.lead_trade(
        PREIMAGE,
        agreed(HK_SIDE, THAI_SIDE, thb_chain=OTHER_CHAIN),
        seen(now_s=1_000),
        LedgerNow(OTHER_CHAIN, SETTLEMENT, refunded, 1_030),
    )
    assert (made.terms_on(CHAIN).attempt, made.terms_on(OTHER_CHAIN).attempt) == (1, 4)
    assert made.terms.other_timelock_s == 1_030 + bilateral.DEFAULT_WINDOW_S + SAFETY_MARGIN_S


@pytest.mark.parametrize(
    "change",
    [
        {"timelock_s": crossing().terms.timelock_s - 1},
        {"other_chain_id": 1},
        {"other_chain_id": 0},
    ],
)
def test_a_trade_file_whose_ledgers_or_timelocks_do_not_fit_is_refused(change):
    made = crossing()
    with pytest.raises(TradeRefused, match="don't fit its legs"):
        load(bilateral.dump_trade(replace(made, terms=replace(made.terms, **change))))


def follow_leg(made, **change):
    locked = ObligationRecord(ObligationState.LOCKED, 1, 0b10, typed_data.terms_hash(made.follow_terms)[:25])
    return replace(locked, **change)


@pytest.mark.parametrize(("seconds_early", "shown"), [(1, True), (0, False), (-1, False)])
def test_the_preimage_is_shown_only_until_the_margin_before_the_follow_leg_s_timelock(seconds_early, shown):
    made = crossing()
    now_s = made.follow_terms.timelock_s - SAFETY_MARGIN_S - seconds_early
    seen_there = seen(follow_leg(made), now_s, OTHER_CHAIN)
    if shown:
        assert bilateral.require_claimable(made, seen_there) is None
        return
    with pytest.raises(TradeRefused, match="1800 s are left"):
        bilateral.require_claimable(made, seen_there)


@pytest.mark.parametrize(
    "change", [{"state": ObligationState.NONE}, {"locked_mask": 0}, {"commitment": bytes(25)}, {"locked_mask": 0b11}]
)
def test_the_preimage_stays_secret_while_the_follow_leg_is_not_locked_under_the_trade_s_terms(change):
    made = crossing()
    with pytest.raises(TradeRefused, match="keep the preimage secret"):
        bilateral.require_claimable(made, seen(follow_leg(made, **change), chain_id=OTHER_CHAIN))


# -- keys, where nobody can be asked -----------------------------------------------------------------------------------


@pytest.fixture
def keystore(tmp_path):
    stored = Account.encrypt(PREIMAGE, "right", kdf="scrypt", iterations=2)
    (tmp_path / "key.json").write_text(json.dumps(stored))
    return tmp_path / "key.json"


@pytest.fixture
def signer():
    pytest.importorskip("ape", reason="ape is not installed: run make test once, it installs the test tools")
    from scripts import _common

    class Ledger:
        chain_id = CHAIN

    def sign(folder, keystore, passphrase_file=None):
        where = _common.Place(Ledger(), folder, folder / "deployment.json", None, None)
        return _common.signer(where, _common.KeyOptions(None, keystore, passphrase_file), folder / "banks" / HK_BANK)

    return sign


def test_a_keystore_opens_by_the_environment_or_by_a_file_with_a_line_end(signer, keystore, tmp_path, monkeypatch):
    expected = Account.from_key(PREIMAGE).address.lower()
    monkeypatch.setenv("CORRIDOR_PASSPHRASE", "right")
    assert signer(tmp_path, keystore).address == expected
    monkeypatch.setenv("CORRIDOR_PASSPHRASE", "wrong")
    (tmp_path / "passphrase").write_text("right\n")
    assert signer(tmp_path, keystore, tmp_path / "passphrase").address == expected


def test_without_a_passphrase_or_with_a_wrong_one_nobody_is_asked(signer, keystore, tmp_path, monkeypatch):
    monkeypatch.delenv("CORRIDOR_PASSPHRASE", raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asks"))
    with pytest.raises(KeyUnusable, match="none is asked for"):
        signer(tmp_path, keystore)
    monkeypatch.setenv("CORRIDOR_PASSPHRASE", "wrong")
    with pytest.raises(KeyUnusable, match="does not open"):
        signer(tmp_path, keystore)
    with pytest.raises(KeyUnusable, match="no readable keystore"):
        signer(tmp_path, tmp_path / "missing.json")


def test_a_signature_in_wire_form_is_what_a_consent_prints():
    text = wire.dump(trade().terms)
    assert wire.load(LockTerms, text) == trade().terms

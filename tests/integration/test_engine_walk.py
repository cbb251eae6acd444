"""The whole story of the examples: what goes out is valid, adds up, and can be read by who gets it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from corridor.cli import _sender
from corridor.engine import days, views
from corridor.iso20022 import read_message
from tests.samples import BANKS, HK_A, HK_B, OPERATOR, TH_A, TH_B, told
from tests.unit.iso20022_samples import assert_valid

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "messages"
# The bilateral ones are for two banks alone, without the operator.
FILES = sorted(path for path in EXAMPLES.glob("*.xml") if "bilateral" not in path.name)

pytestmark = pytest.mark.xdist_group("walk")


@pytest.fixture(scope="module")
def walked(set_up_once, open_on, tmp_path_factory):
    """Every example submitted, with a cycle after each, and the day closed. The tests only look."""
    root = tmp_path_factory.mktemp("walk") / "data"
    shutil.copytree(set_up_once, root)
    bench = open_on(root)
    for path in FILES:
        raw = path.read_bytes()
        bench.send(_sender(raw, None, bench.corridor.config), raw)
        bench.cycle()
    days.close_day(bench.desk)
    yield bench
    bench.close()


def test_every_outgoing_message_of_the_walk_validates_against_its_official_schema(walked):
    checked = 0
    for bank in BANKS:
        for raw in walked.outbox(bank):
            assert_valid(raw)
            checked += 1
    assert checked > 50


def test_every_forwarded_message_of_the_walk_can_be_read_and_pays_its_receiver(walked):
    finals = {one["uetr"]: one for one in views.statuses(walked.desk) if one["state"] == "final"}
    arrived = {}
    for bank in BANKS:
        for raw in walked.outbox(bank, "forward"):
            for transfer in read_message(raw, operator_bic=OPERATOR).transactions:
                assert transfer.payee_bic == bank
                assert transfer.uetr not in arrived
                arrived[transfer.uetr] = transfer
    assert arrived.keys() == finals.keys()
    assert {uetr: one.payer_bic for uetr, one in arrived.items()} == {
        uetr: one["payer"] for uetr, one in finals.items()
    }


def test_the_walk_ends_with_the_balances_that_the_readme_of_the_examples_tells(walked):
    expected = {HK_A: (3.5, 45), HK_B: (0.5, 5.25), TH_A: (3, 0.5), TH_B: (17, 49.25)}
    found = {bank: (walked.balance(bank, "HKD"), walked.balance(bank, "THB")) for bank in BANKS}
    assert found == {bank: (hkd * 10**8, thb * 10**8) for bank, (hkd, thb) in expected.items()}
    walked.assert_conserved()


def test_every_payment_of_the_walk_ends_and_its_bank_is_told_how(walked):
    last = {"final": "ACSC", "expired": "RJCT", "rejected": "RJCT", "cancelled": "CANC"}
    listed = views.statuses(walked.desk)
    assert len(listed) > 15
    for one in listed:
        assert walked.statuses(one["payer"], one["uetr"])[-1] == last[one["state"]], one


def test_no_answer_of_the_walk_is_given_twice(walked):
    for bank in BANKS:
        names = walked.outbox_names(bank)
        assert len({name.split(".")[0] for name in names}) == len(names)
        for raw in walked.outbox(bank, "pacs.002"):
            uetrs = [one.uetr for one in told(raw) if one.uetr]
            assert len(uetrs) == len(set(uetrs))


def test_a_bank_that_uses_headers_gets_them(walked):
    [with_header] = [path for path in FILES if "header" in path.name]
    [transfer] = read_message(with_header.read_bytes(), operator_bic=OPERATOR).transactions
    reports = [raw for raw in walked.outbox(TH_B, "pacs.002") if (transfer.uetr or "").encode() in raw]
    assert reports
    assert all(b"AppHdr" in raw for raw in reports)

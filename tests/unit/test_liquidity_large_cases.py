"""Large case files: read straight into arrays, as strictly as small ones, and left to the exact reading if in doubt."""

import json
import sys

import pytest

from liquidity import NO_PRIORITY, InvalidField, io, large_cases, resolve
from liquidity.io import parse_case
from tests.unit.test_liquidity_io import EXAMPLES, MALFORMED, MALFORMED_TEXT, case, refused_field


@pytest.fixture(autouse=True)
def _every_case_is_large(monkeypatch):
    monkeypatch.setattr(io, "LARGE_CASE_BYTES", 0)
    monkeypatch.setattr(large_cases, "PIECE_BYTES", 64)


def many(count=50, **changes):
    """A case of transfers and PvPs; ``changes`` go into every obligation."""
    obligations = []
    for number in range(count):
        legs = [{"payer": "HK1", "payee": f"TH{number % 3}", "currency": "HKD", "amount": number + 1}]
        if number % 4 == 0:
            legs.append({"payer": f"TH{number % 3}", "payee": "HK1", "currency": "THB", "amount": 5, "priority": 1})
        obligations.append({"id": f"T{number}", "legs": legs, "priority": number % 5 or None, **changes})
    return case(obligations=obligations)


def quickly(content):
    """The case if it is read the quick way, else None."""
    return io._large_case(json.dumps(content).encode() if isinstance(content, dict) else content)


@pytest.mark.parametrize("with_orjson", [True, False])
def test_a_large_case_is_read_into_arrays_and_means_the_same(with_orjson, monkeypatch):
    if not with_orjson:
        monkeypatch.setitem(sys.modules, "orjson", None)
    read = quickly(many())
    assert read.queue._obligations is None
    exact = io._case(json.dumps(many()).encode(), None)
    assert read.queue.obligations == exact.queue.obligations
    assert (read.balances, read.limits) == (exact.balances, exact.limits)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
@pytest.mark.parametrize("order", ["fifo", "priority"])
def test_the_examples_have_the_same_answers(path, order):
    quick, exact = parse_case(path.read_bytes()), io._case(path.read_bytes(), None)
    answers = [
        resolve(read.queue, read.balances, order=order, floors=read.floors, limits=read.limits, rates=read.rates)
        for read in (quick, exact)
    ]
    assert answers[0].settled == answers[1].settled
    assert answers[0].closing_balances == answers[1].closing_balances


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_case_is_refused_by_its_field(name):
    content, field = MALFORMED[name]
    assert refused_field(json.dumps(content).encode()) == field


@pytest.mark.parametrize("name", MALFORMED_TEXT)
def test_a_file_that_is_no_case_is_refused(name):
    content, field = MALFORMED_TEXT[name]
    assert refused_field(content) == field


@pytest.mark.parametrize(
    "changes",
    [
        {"note": "10:30"},
        {"note": 1.5, "held": True},
        {"note": 'a "quoted: \\" colon'},
        {"priority": -(2**63)},
    ],
)
def test_colons_quotes_and_plain_unknown_keys_are_read_quickly(changes):
    assert quickly(many(**changes)).queue.leg_count == 63


@pytest.mark.parametrize(
    "changes",
    [
        {"note": {"a": 1}},
        {"note": [1]},
        {"note": 2**63},
        {"note": 1e300},
        {"priority": NO_PRIORITY},
        {"priority": 2**63},
        {"priority": 2**70},
    ],
)
def test_what_parsers_read_differently_is_left_to_the_exact_reading(changes):
    assert quickly(many(**changes)) is None
    assert parse_case(json.dumps(many(**changes)).encode()).queue.leg_count == 63


@pytest.mark.parametrize("key", ['"amount": 7', '"payer": "HK1"', '"priority": null'])
def test_a_key_twice_in_the_last_leg_of_many_is_refused(key):
    text = json.dumps(many())
    at = text.rindex('"payer"')
    twice = text[:at] + key + ", " + key + ", " + text[at:]
    assert refused_field(twice.encode()).startswith("obligations[49]")


@pytest.mark.parametrize("number", [0, 25, 49])
def test_a_wrong_amount_anywhere_in_many_is_named_by_its_place(number):
    content = many()
    content["obligations"][number]["legs"][0]["amount"] = 0
    with pytest.raises(InvalidField) as refused:
        parse_case(json.dumps(content).encode())
    assert str(refused.value) == f"obligations[{number}].legs[0].amount: must be an integer > 0, got 0"


def test_an_id_twice_far_apart_is_refused():
    content = many()
    content["obligations"][48]["id"] = "T1"
    assert refused_field(json.dumps(content).encode()) == "obligations[48].id"


def test_only_the_cases_own_obligations_are_taken_for_them():
    hidden = json.dumps({"other": {"obligations": many()["obligations"]}, **many(count=2)}).encode()
    assert quickly(hidden) is None
    assert len(parse_case(hidden).queue) == 2
    in_text = json.dumps({"note": '"obligations": [', **many(count=2)}).encode()
    assert len(parse_case(in_text).queue) == 2


def test_a_text_that_already_holds_the_stand_in_is_left_to_the_exact_reading():
    stand_in = large_cases.STAND_IN
    assert quickly({"note": stand_in, **many()}) is None
    doubled = json.dumps({**many(), "obligations": [stand_in]}).encode()
    assert refused_field(doubled) == "obligations[0]"


def test_the_rest_of_the_case_may_stand_on_either_side_of_the_obligations():
    content = many()
    turned = {"obligations": content["obligations"], "balances": content["balances"], "rates": {"THB": "1/4"}}
    assert quickly(turned).balances == content["balances"]
    assert quickly(json.dumps(turned, indent=2).encode()).queue.obligations == quickly(content).queue.obligations

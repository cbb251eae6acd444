"""The quick reading of large cases against the exact one, on texts whole, reordered, cut and damaged."""

import json
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from liquidity import InvalidField, io, large_cases

PROFILE = settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

banks = st.sampled_from(["HK1", "HK:2", 'T"H', "T\\H", "กรุง", "{[,"])
odd = st.sampled_from([None, True, 0, -1, 1.5, 1e300, 2**63 - 1, 2**64, 10**120, "", "1", [], {}, [{}], {"a": 1}])
priorities = st.none() | st.integers(-2, 3)
unknown = st.dictionaries(st.sampled_from(["note", "expected", 'a":"b']), odd | st.text(max_size=3), max_size=1)


def mostly(right, wrong=odd):
    """Right nearly always; the number is one that isn't drawn more often than others."""
    return st.integers(0, 63).flatmap(lambda drawn: wrong if drawn == 37 else right)


@st.composite
def objects(draw, fields, optional):
    """An object with its keys in any order, optional ones now and then, an unknown one sometimes."""
    chosen = {**fields, **{key: value for key, value in optional.items() if draw(st.booleans())}}
    made = [(key, draw(value)) for key, value in chosen.items()] + list(draw(mostly(st.just({}), unknown)).items())
    return dict(draw(st.permutations(made)))


@st.composite
def legs(draw):
    payer = draw(banks)
    fields = {
        "payer": mostly(st.just(payer)),
        "payee": mostly(banks.filter(lambda bank: bank != payer)),
        "currency": mostly(st.sampled_from(["HKD", "THB"])),
        "amount": mostly(st.integers(1, 10**15)),
    }
    return draw(objects(fields, {"priority": mostly(priorities)}))


@st.composite
def cases(draw):
    obligations = [
        draw(
            objects(
                {
                    "id": st.just(f"T:{number}"),
                    "legs": mostly(st.lists(legs(), min_size=1, max_size=3)),
                },
                {"priority": mostly(priorities), "held": mostly(st.booleans())},
            )
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    fields = {
        "obligations": st.just(obligations),
        "balances": st.just({"HK1": {"HKD": 5}}),
    }
    optional = {"floors": mostly(st.just({"HK1": {"HKD": -1}})), "rates": mostly(st.just({"THB": "10/46"}))}
    return draw(objects(fields, optional))


@st.composite
def texts(draw):
    """A case as text, compact or spread out, sometimes with a piece lost, doubled or put in."""
    case = draw(cases())
    text = json.dumps(
        case, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])), separators=draw(SEPARATORS)
    )
    damage = draw(st.sampled_from(["none", "none", "none", "lost", "doubled", "put in"]))
    at = draw(st.integers(0, len(text) - 1))
    length = draw(st.integers(1, 30))
    if damage == "lost":
        text = text[:at] + text[at + length :]
    elif damage == "doubled":
        text = text[: at + length] + text[at:]
    elif damage == "put in":
        text = text[:at] + draw(st.sampled_from(TOKENS)) + text[at:]
    return text.encode()


SEPARATORS = st.sampled_from([(",", ":"), (", ", ": ")])
TOKENS = [",", "}", "{", "]", "[", '"', ":", "\\", "NaN", "1e999", '"id": "T:1", ', '"amount": 7, ', ",,", " ", "\x00"]


def exactly(text):
    try:
        case = io._case(text, None)
    except InvalidField as error:
        return str(error)
    return case, case.queue.obligations


@PROFILE
@given(texts(), st.sampled_from([1, 60, 200, 10**6]), st.booleans())
@example(b'{"balances": {}, "obligations": [{"id": "1", "legs": [1]}, ]}', 1, True)
def test_the_quick_reading_is_the_exact_one_or_leaves_it_to_that(text, piece_bytes, with_orjson):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(large_cases, "PIECE_BYTES", piece_bytes)
        if not with_orjson:
            patched.setitem(sys.modules, "orjson", None)
        quick = io._large_case(text)
    exact = exactly(text)
    if quick is not None:
        assert not isinstance(exact, str), f"read what is refused: {exact}"
        case, obligations = exact
        assert quick.queue.obligations == obligations
        assert quick.queue.ids == case.queue.ids
        assert (quick.balances, quick.floors, quick.rates, quick.limits) == (
            case.balances,
            case.floors,
            case.rates,
            case.limits,
        )


@PROFILE
@given(texts())
def test_reading_gives_the_same_case_or_the_same_error_whatever_the_size(text):
    exact = exactly(text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(io, "LARGE_CASE_BYTES", 0)
        patched.setattr(large_cases, "PIECE_BYTES", 100)
        try:
            read = io.parse_case(text).queue.obligations
        except InvalidField as error:
            read = str(error)
    assert read == (exact if isinstance(exact, str) else exact[1])

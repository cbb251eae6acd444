"""Any day that can be written is read back as it was; any that can't is refused, never changed."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow", exc_type=ImportError)

from hypothesis import given
from hypothesis import strategies as st

from liquidity import InvalidField, Leg, Obligation, Queue
from liquidity.day import MAX_DAY_S, NO_CUT_OFF, Day
from liquidity.tables import day_of_frames, frames_of_day, read_day, write_day

NAMES = st.one_of(
    st.sampled_from(["HK1", "TH1", "HK2", "a,b", 'say "hi"', "NA", "null", "0", "1e3", "-", "=1+1", "ธนาคาร"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)
PRIORITIES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 2))


@st.composite
def _legs(draw: st.DrawFn) -> Leg:
    payer, payee = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    amount = draw(st.integers(1, 2**63 - 1))
    return Leg(payer, payee, draw(NAMES), amount, draw(PRIORITIES))


@st.composite
def _days(draw: st.DrawFn) -> Day:
    ids = draw(st.lists(NAMES, max_size=6, unique=True))
    obligations = [
        Obligation(name, draw(st.lists(_legs(), min_size=1, max_size=3)), draw(PRIORITIES), draw(st.booleans()))
        for name in ids
    ]
    seconds = st.integers(0, MAX_DAY_S)
    latest = draw(st.none() | st.lists(st.just(NO_CUT_OFF) | seconds, min_size=len(ids), max_size=len(ids)))
    return Day(
        queue=Queue(obligations),
        arrival_s=np.array(sorted(draw(st.lists(seconds, min_size=len(ids), max_size=len(ids)))), dtype=np.int64),
        latest_s=None if latest is None else np.array(latest, dtype=np.int64),
        balances=draw(st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(-(2**63), 2**63 - 1)), max_size=3)),
    )


def _assert_same(left: Day, right: Day) -> None:
    assert left.queue.obligations == right.queue.obligations
    assert left.arrival_s.tolist() == right.arrival_s.tolist()
    nobody = [NO_CUT_OFF] * len(left.queue)
    cut_offs = [nobody if day.latest_s is None else day.latest_s.tolist() for day in (left, right)]
    assert cut_offs[0] == cut_offs[1]
    assert {bank: row for bank, row in left.balances.items() if row} == {b: r for b, r in right.balances.items() if r}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@given(day=_days())
def test_a_day_is_read_back_as_it_was_written_or_refused(suffix: str, day: Day) -> None:
    with tempfile.TemporaryDirectory() as folder:
        legs, balances = Path(folder) / f"day.{suffix}", Path(folder) / f"balances.{suffix}"
        named = [name for leg in day.queue for one in leg.legs for name in (leg.id, one.payer, one.payee, one.currency)]
        named += [name for bank, row in day.balances.items() for code in row for name in (bank, code)]
        if suffix == "csv" and any(name != name.strip() or "\n" in name or "\r" in name for name in named):
            with pytest.raises(InvalidField, match="to be written as CSV"):
                write_day(day, legs, balances)
        else:
            write_day(day, legs, balances)
            _assert_same(read_day(legs, balances), day)


@given(day=_days())
def test_a_day_goes_through_frames_unchanged(day: Day) -> None:
    _assert_same(day_of_frames(*frames_of_day(day)), day)


@given(content=st.binary(max_size=200) | st.text('id,time9:0HK1\n"-. ', max_size=200).map(str.encode))
def test_whatever_a_file_holds_it_is_a_day_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.csv"
        path.write_bytes(b"id,time,payer,payee,currency,amount\n" + content)
        with contextlib.suppress(InvalidField):
            assert isinstance(read_day(path), Day)


@given(day=_days(), data=st.data())
def test_the_rows_of_a_day_may_stand_in_any_order(day: Day, data: st.DataObject) -> None:
    """Only the legs of one obligation, and obligations of one second, stay in their order."""
    legs, balances = frames_of_day(day)
    order = data.draw(st.permutations(range(len(legs))))
    of_second = {second: iter(np.flatnonzero(legs["time"] == second)) for second in set(legs["time"])}
    shuffled = legs.iloc[[next(of_second[legs["time"].iloc[row]]) for row in order]]
    _assert_same(day_of_frames(shuffled, balances), day)

"""Days as tables: what is written is read back, and what is wrong is refused by its row and column."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow", exc_type=ImportError)

import pandas as pd

from liquidity import InvalidField, Leg, Limits, Obligation, Queue, check_settlement, resolve
from liquidity.day import NO_CUT_OFF, Day, Hours
from liquidity.generating import Traffic, bank_names, generate_day
from liquidity.io import parse_case, read_case
from liquidity.tables import case_of_day, day_of_case, day_of_frames, frames_of_day, read_day, write_day

SHARED_CASES = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases"

HEADER = "id,time,payer,payee,currency,amount"
GOOD = f"{HEADER}\nT1,09:00,HK1,TH1,HKD,100\nT2,09:05:30,TH1,HK1,HKD,25\nT2,09:05:30,HK1,TH1,THB,115\n"

FULL_DAY = Day(
    queue=Queue(
        [
            Obligation("T1", [Leg("HK1", "TH1", "HKD", 10**15)], priority=-7),
            Obligation("T2", [Leg("TH1", "HK1", "HKD", 25, priority=3), Leg("HK1", "TH1", "THB", 115)], held=True),
            Obligation("T,3 ✓", [Leg('bank "x"', "TH1", "JPY", 1)]),
        ]
    ),
    arrival_s=np.array([0, 32_730, 86_400]),
    balances={"HK1": {"HKD": 5, "THB": -3}, "idle": {"HKD": 1}},
    floors={"HK1": {"HKD": -50}, "TH1": {"THB": -2}},
    hours={"HKD": Hours(0, 90_000)},
    rates={"THB": Fraction(10, 46)},
    latest_s=np.array([40_000, NO_CUT_OFF, NO_CUT_OFF]),
)


def _nonzero(table: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    return {(bank, code): amount for bank, row in table.items() for code, amount in row.items() if amount}


def _assert_same(left: Day, right: Day) -> None:
    assert left.queue.obligations == right.queue.obligations
    assert left.arrival_s.tolist() == right.arrival_s.tolist()
    assert _nonzero(left.balances) == _nonzero(right.balances)
    assert _nonzero(left.floors) == _nonzero(right.floors)
    assert (left.latest_s is None) == (right.latest_s is None)
    assert left.latest_s is None or left.latest_s.tolist() == right.latest_s.tolist()


def _written(tmp_path: Path, text: str, name: str = "day.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_day_with_everything_in_it_is_read_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    legs, balances = tmp_path / f"day.{suffix}", tmp_path / f"balances.{suffix}"
    write_day(FULL_DAY, legs, balances)
    _assert_same(read_day(legs, balances), FULL_DAY)


def test_a_day_goes_through_pandas_and_back() -> None:
    _assert_same(day_of_frames(*frames_of_day(FULL_DAY)), FULL_DAY)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_drawn_day_is_read_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    day = generate_day(Traffic(communities=(bank_names("HK", 5), bank_names("TH", 3)), obligations=500), seed=11)
    legs, balances = tmp_path / f"day.{suffix}", tmp_path / f"balances.{suffix}"
    write_day(day, legs, balances)
    _assert_same(read_day(legs, balances), day)


def test_obligations_are_sorted_by_time_and_their_legs_gathered(tmp_path: Path) -> None:
    text = (
        f"{HEADER},note\n"
        "LATE,10:00,HK1,TH1,HKD,100,x\n"
        "PVP,09:00,TH1,HK1,HKD,25,\n"
        "EARLY,32399,HK1,TH1,HKD,1,\n"
        "PVP,9:00:00,HK1,TH1,THB,115,\n"
        "SAME,36000,TH1,HK1,HKD,7,\n"
    )
    day = read_day(_written(tmp_path, text))
    assert day.queue.ids == ("EARLY", "PVP", "LATE", "SAME")
    assert day.arrival_s.tolist() == [32_399, 32_400, 36_000, 36_000]
    assert day.queue.obligations[1].legs == (Leg("TH1", "HK1", "HKD", 25), Leg("HK1", "TH1", "THB", 115))


def test_blanks_around_a_cell_and_empty_lines_are_not_part_of_a_csv_file(tmp_path: Path) -> None:
    text = f"{HEADER},priority,held\n\nT1, 09:00 ,HK1, TH1,HKD, 100 , ,FALSE\n\n"
    day = read_day(_written(tmp_path, text))
    assert day.queue.obligations == (Obligation("T1", [Leg("HK1", "TH1", "HKD", 100)]),)


def test_a_day_without_obligations_is_a_day(tmp_path: Path) -> None:
    assert len(read_day(_written(tmp_path, HEADER + "\n")).queue) == 0


def test_terms_that_stand_in_no_file_are_passed_on(tmp_path: Path) -> None:
    limits = Limits(multilateral={"HK1": {"HKD": 5}})
    hours = {"HKD": Hours(1, 2)}
    day = read_day(_written(tmp_path, GOOD), hours=hours, rates={"THB": Fraction(1, 4)}, limits=limits)
    assert (day.hours, day.rates, day.limits) == (hours, {"THB": Fraction(1, 4)}, limits)


@pytest.mark.parametrize(
    ("line", "where", "problem"),
    [
        ("T3,09:00,HK1,TH1,HKD,0", "row 4, column amount", "integer > 0"),
        ("T3,09:00,HK1,TH1,HKD,-5", "row 4, column amount", "integer > 0"),
        ("T3,09:00,HK1,TH1,HKD,1.5", "row 4, column amount", "integer > 0"),
        ("T3,09:00,HK1,TH1,HKD,1e3", "row 4, column amount", "integer > 0"),
        ("T3,09:00,HK1,TH1,HKD,", "row 4, column amount", "integer > 0"),
        ("T3,09:00,HK1,TH1,HKD,0x10", "row 4, column amount", "integer > 0"),
        ("T3,09:00,HK1,TH1,HKD,9223372036854775808", "row 4, column amount", "64 bits"),
        ("T3,09:00,HK1,TH1,HKD,99999999999999999999", "row 4, column amount", "integer > 0"),
        ("T3,9 am,HK1,TH1,HKD,5", "row 4, column time", "HH:MM"),
        ("T3,09:60,HK1,TH1,HKD,5", "row 4, column time", "HH:MM"),
        ("T3,,HK1,TH1,HKD,5", "row 4, column time", "HH:MM"),
        ("T3,-1,HK1,TH1,HKD,5", "row 4, column time", "HH:MM"),
        ("T3,172801,HK1,TH1,HKD,5", "row 4, column time", "HH:MM"),
        ("T3,09:00,HK1,HK1,HKD,5", "row 4, column payee", "differ from the payer"),
        ("T3,09:00,,HK1,HKD,5", "row 4, column payer", "not be empty"),
        ("T3,09:00,HK1,TH1, ,5", "row 4, column currency", "not be empty"),
        (",09:00,HK1,TH1,HKD,5", "row 4, column id", "not be empty"),
        ("T2,09:06,HK1,TH1,HKD,5", "row 4, column time", "as in row 2"),
        ("T1,09:01,HK1,TH1,HKD,5", "row 4, column time", "as in row 1"),
    ],
)
def test_a_wrong_cell_is_refused_by_its_row_and_column(tmp_path: Path, line: str, where: str, problem: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_day(_written(tmp_path, GOOD + line + "\n"))
    assert refused.value.field == f"day {where}"
    assert problem in refused.value.problem
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("column", "cell"),
    [("priority", "high"), ("priority", "1.0"), ("leg_priority", "x"), ("held", "maybe"), ("latest", "25 o'clock")],
)
def test_a_wrong_optional_cell_is_refused_by_its_row_and_column(tmp_path: Path, column: str, cell: str) -> None:
    text = f"{HEADER},{column}\nT1,09:00,HK1,TH1,HKD,100,\nT2,09:00,HK1,TH1,HKD,100,{cell}\n"
    with pytest.raises(InvalidField) as refused:
        read_day(_written(tmp_path, text))
    assert refused.value.field == f"day row 2, column {column}"


@pytest.mark.parametrize("column", HEADER.split(","))
def test_a_missing_column_is_refused_by_its_name(tmp_path: Path, column: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_day(_written(tmp_path, GOOD.replace(column, "other", 1)))
    assert refused.value.field == f"day column {column}"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", GOOD.encode() + b"T3,09:00,HK1,TH1\n", GOOD.encode() + b"T3,09:00,\xff,TH1,HKD,5\n"],
    ids=["empty", "binary", "short line", "not UTF-8"],
)
@pytest.mark.parametrize("name", ["day.csv", "day.parquet"])
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidField, match=r"^day") as refused:
        read_day(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [GOOD.replace(",", ";").encode(), GOOD.replace(",", "\t").encode(), b"\xff\xfe"])
def test_a_csv_file_of_another_kind_is_told_what_it_must_be(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidField, match="a CSV file in UTF-8 with commas between its columns"):
        read_day(path)


def test_a_file_that_isnt_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="cannot read"):
        read_day(tmp_path / "nowhere.csv")


def test_a_column_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="once"):
        read_day(_written(tmp_path, f"{HEADER},amount\nT1,09:00,HK1,TH1,HKD,100,200\n"))


def test_a_parquet_file_may_have_its_columns_in_any_order_and_of_any_kind_that_holds_them(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    legs = pd.DataFrame(
        {
            "amount": np.array([5, 7], dtype=np.uint16),
            "currency": pd.Categorical(["HKD", "HKD"]),
            "payee": ["TH1", "HK1"],
            "payer": pd.array(["HK1", "TH1"], dtype="string"),
            "time": ["09:00", "10:00"],
            "id": [18, 17],
            "more": [1.5, None],
        }
    )
    legs.to_parquet(path, row_group_size=1)
    day = read_day(path)
    assert day.queue.obligations == (
        Obligation("18", [Leg("HK1", "TH1", "HKD", 5)]),
        Obligation("17", [Leg("TH1", "HK1", "HKD", 7)]),
    )
    legs.assign(payee=["TH1", None]).to_parquet(path)
    with pytest.raises(InvalidField, match="row 2, column payee"):
        read_day(path)
    legs.assign(payee=[True, False]).to_parquet(path)
    with pytest.raises(InvalidField, match="day column payee"):
        read_day(path)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("HK1,HKD,5,0", "row 2, column currency"),
        ("HK2,HKD,1.5,0", "row 2, column balance"),
        ("HK2,HKD,,0", "row 2, column balance"),
        ("HK2,HKD,5,low", "row 2, column floor"),
        (",HKD,5,", "row 2, column bank"),
    ],
)
def test_a_wrong_balance_is_refused_by_its_row_and_column(tmp_path: Path, line: str, where: str) -> None:
    balances = _written(tmp_path, f"bank,currency,balance,floor\nHK1,HKD,5,-3\n{line}\n", "balances.csv")
    with pytest.raises(InvalidField) as refused:
        read_day(_written(tmp_path, GOOD), balances)
    assert refused.value.field == f"balances {where}"


def test_amounts_that_are_floats_are_refused_whatever_their_value() -> None:
    legs, _ = frames_of_day(FULL_DAY)
    with pytest.raises(InvalidField, match="day column amount"):
        day_of_frames(legs.assign(amount=legs["amount"].astype(float)))


def test_priorities_with_gaps_are_read_though_pandas_makes_them_floats() -> None:
    legs = pd.DataFrame(
        {
            "id": [1, 2],
            "time": [5, 6],
            "payer": ["HK1", "HK1"],
            "payee": ["TH1", "TH1"],
            "currency": pd.Categorical(["HKD", "HKD"]),
            "amount": [1, 2],
            "priority": [3, None],
        }
    )
    assert [one.priority for one in day_of_frames(legs).queue] == [3, None]
    with pytest.raises(InvalidField, match="row 1, column priority"):
        day_of_frames(legs.assign(priority=[3.5, None]))


def test_what_doesnt_fit_a_table_is_refused_when_it_is_written(tmp_path: Path) -> None:
    huge = Queue([Obligation("T1", [Leg("HK1", "TH1", "HKD", 2**63)])])
    with pytest.raises(InvalidField, match="64 bits"):
        write_day(replace(FULL_DAY, queue=huge, arrival_s=[0], latest_s=None), tmp_path / "day.csv")
    with pytest.raises(InvalidField, match="cannot write"):
        write_day(FULL_DAY, tmp_path / "nowhere" / "day.csv")


def test_a_day_becomes_a_case_file_and_back() -> None:
    back = day_of_case(parse_case(case_of_day(FULL_DAY).encode()))
    assert back.queue.obligations == FULL_DAY.queue.obligations
    assert (back.balances, back.floors, back.rates) == (FULL_DAY.balances, FULL_DAY.floors, FULL_DAY.rates)


@pytest.mark.parametrize("name", ["pvp-ring-settles", "ubin-2.3.1", "scalefree-20x500"])
def test_a_published_case_settles_the_same_after_a_journey_through_csv(tmp_path: Path, name: str) -> None:
    path = SHARED_CASES / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} isn't here")
    case = read_case(path)
    day = replace(day_of_case(case), limits=Limits())
    write_day(day, tmp_path / "day.csv", tmp_path / "balances.csv")
    back = read_day(tmp_path / "day.csv", tmp_path / "balances.csv")
    settled = [resolve(one.queue, one.balances, floors=one.floors).settled for one in (day, back)]
    assert settled[0] == settled[1]
    check_settlement(day.queue, day.balances, settled[1], order="fifo", floors=day.floors)

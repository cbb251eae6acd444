"""``python -m liquidity simulate``: one line of JSON, or one line that says what is wrong and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow", exc_type=ImportError)

from liquidity import Policy, read_day, simulate
from liquidity.__main__ import main

DAYS = Path(__file__).resolve().parents[2] / "examples" / "days"
DAY, BALANCES = str(DAYS / "corridor.csv"), str(DAYS / "corridor-balances.csv")


def _answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["simulate", *arguments]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.count("\n") == 1
    answer = json.loads(said.out)
    assert isinstance(answer, dict)
    return answer


def test_the_example_day_settles_as_it_does_when_called_from_python(capfd: pytest.CaptureFixture[str]) -> None:
    answer = _answer(capfd, DAY, "--balances", BALANCES, "--seed", "3")
    result = simulate(read_day(DAY, BALANCES), Policy.gridlock(every_s=900), seed=3)
    assert (answer["policy"], answer["seed"], answer["method"]) == (result.policy.name, 3, result.method)
    metrics = answer["metrics"]
    assert isinstance(metrics, dict)
    assert set(metrics) == set(result.metrics().columns)


@pytest.mark.parametrize(
    ("arguments", "policy"),
    [
        (["--policy", "rtgs"], Policy.rtgs()),
        (["--policy", "queue", "--order", "priority"], Policy.queue("priority")),
        (["--policy", "gridlock", "--every", "60"], Policy.gridlock(every_s=60)),
        (["--policy", "bypass", "--every", "7200"], Policy.gridlock("bypass", every_s=7200)),
        (["--policy", "net", "--at", "12:00", "--at", "18:29:59"], Policy.net(43_200, 66_599)),
    ],
)
def test_every_policy_can_be_said(capfd: pytest.CaptureFixture[str], arguments: list[str], policy: Policy) -> None:
    assert _answer(capfd, DAY, "--balances", BALANCES, *arguments)["policy"] == policy.name


def test_the_result_is_written_with_one_row_per_obligation(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "result.csv"
    _answer(capfd, DAY, "--balances", BALANCES, "--policy", "queue", "--out", str(out))
    header, *rows = out.read_text().splitlines()
    assert header.replace('"', "") == "id,time,entered,settled,batch"
    result = simulate(read_day(DAY, BALANCES), Policy.queue())
    assert len(rows) == len(result.day.queue)
    assert sum(row.endswith(",,") for row in rows) == (result.settled_at_s < 0).sum() > 0


def test_the_day_is_drawn(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "day.png"
    _answer(capfd, DAY, "--balances", BALANCES, "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_hours_and_rates_are_passed_on(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "result.csv"
    terms = ["--hours", "HKD=08:30-18:30", "--hours", "THB=09:30-12:00", "--rate", "THB=10/46"]
    _answer(capfd, DAY, "--balances", BALANCES, "--out", str(out), *terms)
    pvp = {obligation.id for obligation in read_day(DAY).queue if len(obligation.legs) == 2}
    rows = [line.replace('"', "").split(",") for line in out.read_text().splitlines()[1:]]
    assert max(settled for name, _, _, settled, _ in rows if name in pvp) <= "12:00:00"
    assert max(settled for name, _, _, settled, _ in rows) > "12:00:00"


@pytest.mark.parametrize(
    "arguments",
    [
        [DAY, "--policy", "net"],
        [DAY, "--policy", "queue", "--every", "60"],
        [DAY, "--policy", "queue", "--at", "12:00"],
        ["nowhere.csv"],
        [DAY, "--balances", DAY],
        [DAY, "--out", "nowhere/at/all.csv"],
    ],
)
def test_what_cannot_be_done_ends_with_one_line_and_exit_code_two(
    capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["simulate", *arguments]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--policy", "magic"],
        ["--every", "0"],
        ["--every", "many"],
        ["--at", "25 o'clock"],
        ["--hours", "HKD"],
        ["--hours", "HKD=8-18"],
        ["--hours", "HKD=18:00-08:00"],
        ["--rate", "THB=0.2"],
        ["--rate", "THB=1/0"],
        ["--seed", "-1"],
    ],
)
def test_an_argument_that_is_none_ends_with_one_line_and_exit_code_two(
    capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", DAY, *arguments])
    assert ended.value.code == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1

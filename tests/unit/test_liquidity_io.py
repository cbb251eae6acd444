"""Case files and the command line: right answers as JSON, wrong cases refused in one line that names the field."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from liquidity import InvalidField, Leg, Queue, resolve
from liquidity.__main__ import main
from liquidity.io import MAX_INTEGER_DIGITS, parse_case, ratio_text

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples" / "cases"


def case(**changes):
    """A sound case, with changes."""
    sound = {
        "balances": {"HK1": {"HKD": 100}},
        "obligations": [{"id": "T1", "legs": [{"payer": "HK1", "payee": "TH1", "currency": "HKD", "amount": 60}]}],
    }
    return {**sound, **changes}


def with_leg(**changes):
    return case(obligations=[{"id": "T1", "legs": [{**case()["obligations"][0]["legs"][0], **changes}]}])


def with_obligation(**changes):
    return case(obligations=[{**case()["obligations"][0], **changes}])


def without(case_object, *path):
    """The case without the key at the path's end."""
    clone = json.loads(json.dumps(case_object))
    inner = clone
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return clone


SOUND = json.dumps(case())
LEG = "obligations[0].legs[0]"
MALFORMED = {
    "not an object": ([], "case"),
    "null": (None, "case"),
    "no balances": (without(case(), "balances"), "balances"),
    "no obligations": (without(case(), "obligations"), "obligations"),
    "balances a list": (case(balances=[]), "balances"),
    "balances null": (case(balances=None), "balances"),
    "bank without currencies": (case(balances={"HK1": 5}), "balances.HK1"),
    "balance fractional": (case(balances={"HK1": {"HKD": 1.5}}), "balances.HK1.HKD"),
    "balance text": (case(balances={"HK1": {"HKD": "5"}}), "balances.HK1.HKD"),
    "balance boolean": (case(balances={"HK1": {"HKD": True}}), "balances.HK1.HKD"),
    "balance null": (case(balances={"HK1": {"HKD": None}}), "balances.HK1.HKD"),
    "bank without a name": (case(balances={"": {}}), "balances"),
    "bank with a line break": (case(balances={"H\nK": {"HKD": 1.5}}), "balances['H\\nK'].HKD"),
    "obligations an object": (case(obligations={}), "obligations"),
    "obligation a number": (case(obligations=[7]), "obligations[0]"),
    "no id": (without(case(), "obligations", 0, "id"), "obligations[0].id"),
    "id a number": (with_obligation(id=7), "obligations[0].id"),
    "id empty": (with_obligation(id=""), "obligations[0].id"),
    "id twice": (case(obligations=case()["obligations"] * 2), "obligations[1].id"),
    "no legs key": (without(case(), "obligations", 0, "legs"), "obligations[0].legs"),
    "no legs": (with_obligation(legs=[]), "obligations[0].legs"),
    "legs an object": (with_obligation(legs={}), "obligations[0].legs"),
    "legs null": (with_obligation(legs=None), "obligations[0].legs"),
    "leg a text": (with_obligation(legs=["leg"]), LEG),
    "priority fractional": (with_obligation(priority=1.5), "obligations[0].priority"),
    "priority boolean": (with_obligation(priority=False), "obligations[0].priority"),
    "held a number": (with_obligation(held=1), "obligations[0].held"),
    "held null": (with_obligation(held=None), "obligations[0].held"),
    **{f"no {key}": (without(case(), "obligations", 0, "legs", 0, key), f"{LEG}.{key}") for key in Leg.__slots__[:4]},
    "payer a number": (with_leg(payer=1), f"{LEG}.payer"),
    "payee null": (with_leg(payee=None), f"{LEG}.payee"),
    "payer is payee": (with_leg(payee="HK1"), f"{LEG}.payee"),
    "currency a list": (with_leg(currency=["HKD"]), f"{LEG}.currency"),
    "amount zero": (with_leg(amount=0), f"{LEG}.amount"),
    "amount negative": (with_leg(amount=-1), f"{LEG}.amount"),
    "amount fractional": (with_leg(amount=1.5), f"{LEG}.amount"),
    "amount a whole float": (with_leg(amount=100.0), f"{LEG}.amount"),
    "amount boolean": (with_leg(amount=True), f"{LEG}.amount"),
    "amount text": (with_leg(amount="100"), f"{LEG}.amount"),
    "amount null": (with_leg(amount=None), f"{LEG}.amount"),
    "amount NaN": (with_leg(amount=float("nan")), f"{LEG}.amount"),
    "amount infinite": (with_leg(amount=float("inf")), f"{LEG}.amount"),
    "amount enormous": (with_leg(amount=10**4000), f"{LEG}.amount"),
    "leg priority text": (with_leg(priority="1"), f"{LEG}.priority"),
    "floors a list": (case(floors=[]), "floors"),
    "floor fractional": (case(floors={"HK1": {"HKD": 0.5}}), "floors.HK1.HKD"),
    "floor of a bank": (case(floors={"HK1": -50}), "floors.HK1"),
    "rates a list": (case(rates=["10/46"]), "rates"),
    **{
        f"rate {rate!r}": (case(rates={"THB": rate}), "rates.THB")
        for rate in ("1/0", "0", "-1/2", "1.5", "10/", "a", "", " 1/2", "1/2/3", "١", 0, -1, 0.5, True, None, [1, 2])
    },
    "limits a list": (case(limits=[]), "limits"),
    "bilateral a number": (case(limits={"bilateral": 5}), "limits.bilateral"),
    "bilateral without payee": (case(limits={"bilateral": {"HK1": {"HKD": 5}}}), "limits.bilateral.HK1.HKD"),
    "bilateral negative": (
        case(limits={"bilateral": {"HK1": {"TH1": {"HKD": -1}}}}),
        "limits.bilateral.HK1.TH1.HKD",
    ),
    "multilateral fractional": (case(limits={"multilateral": {"HK1": {"HKD": 0.5}}}), "limits.multilateral.HK1.HKD"),
    "NaN where nobody looks": (case(comment=float("nan")), "case"),
}
MALFORMED_TEXT = {
    "empty": (b"", "case"),
    "not JSON": (b"{", "case"),
    "trailing text": (SOUND.encode() + b"x", "case"),
    "invalid UTF-8": (b'{"balances": {"\xff": {}}, "obligations": []}', "case"),
    "UTF-16": (SOUND.encode("utf-16"), "case"),
    "nested too deeply": (b"[" * 200_000 + b"]" * 200_000, "case"),
    "nested too deeply without an end": (b'{"a":' * 200_000, "case"),
    "nested too deeply behind brackets in strings": (b'["]",' * 200_000, "case"),
    "a key twice": (SOUND.replace('"amount": 60', '"amount": 60, "amount": 6').encode(), LEG),
    "a bank twice": (b'{"balances": {"A": {}, "A": {}}, "obligations": []}', "balances"),
    "a key twice where nobody looks": (SOUND[:-1].encode() + b', "x": {"a": 1, "a": 2}}', "case"),
    "a section twice": (SOUND[:-1].encode() + b', "balances": {}}', "case"),
}


def refused_field(content):
    with pytest.raises(InvalidField) as refused:
        parse_case(content)
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 300
    return refused.value.field


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_case_is_refused_by_its_field(name):
    content, field = MALFORMED[name]
    assert refused_field(json.dumps(content).encode()) == field


@pytest.mark.parametrize("name", MALFORMED_TEXT)
def test_a_file_that_is_no_case_is_refused(name):
    content, field = MALFORMED_TEXT[name]
    assert refused_field(content) == field


def test_an_integer_too_long_to_convert_is_refused_not_crashed_on():
    content = SOUND.replace("60", "9" * 100_000).encode()
    assert refused_field(content) == f"{LEG}.amount"
    assert parse_case(SOUND.replace("60", "9" * MAX_INTEGER_DIGITS).encode()).queue.leg_count == 1


def test_unknown_keys_are_ignored_everywhere_and_optional_ones_may_be_absent():
    noisy = with_leg(note={"deep": [1.5, None]}, priority=None)
    noisy["obligations"][0].update(comment=1.5, priority=None)
    noisy.update(expected={}, limits={"other": 1})
    read = parse_case(json.dumps(noisy).encode("utf-8-sig"))
    assert resolve(read.queue, read.balances).settled == ("T1",)
    assert (read.floors, read.rates) == ({}, {})


def test_every_section_of_a_case_is_read():
    read = parse_case((EXAMPLES / "priority-limits.json").read_bytes())
    assert isinstance(read.queue, Queue)
    assert [(obligation.id, obligation.priority, obligation.held) for obligation in read.queue] == [
        ("T1", 2, False),
        ("T2", 1, False),
        ("T3", None, True),
        ("T4", None, False),
    ]
    assert read.floors == {"TH1": {"THB": -450}}
    assert read.rates == {"THB": Fraction(10, 46)}
    assert read.limits.bilateral == {"HK1": {"TH1": {"HKD": 180}}}
    assert read.limits.multilateral == {"HK1": {"HKD": 400}}


def test_ratios_are_written_exactly_whatever_their_length():
    assert ratio_text(Fraction(10, 46)) == "5/23"
    assert ratio_text(Fraction(-6, 3)) == "-2"
    assert ratio_text(Fraction(10**5000, 3)) == "1" + "0" * 5000 + "/3"


def test_the_answer_has_every_key_and_exact_figures(capsys):
    assert main(["resolve", str(EXAMPLES / "priority-limits.json"), "--order", "priority", "--time-limit", "5"]) == 0
    output = capsys.readouterr()
    answer = json.loads(output.out)
    assert output.err == ""
    assert answer.pop("elapsed_s") >= 0
    assert answer.pop("method").startswith("elimination")
    assert answer == {
        "settled": ["T2", "T4"],
        "closing_balances": {"HK1": {"HKD": 140, "THB": 920}, "TH1": {"THB": -420, "HKD": 160}},
        "settled_count": 2,
        "settled_value": {"HKD": 240, "THB": 920},
        "objective": "440",
        "upper_bound": "440",
        "gap": 0,
        "proof": "unique-maximum",
    }


def test_fifo_is_the_default_order(capsys):
    assert main(["resolve", str(EXAMPLES / "priority-limits.json")]) == 0
    assert json.loads(capsys.readouterr().out)["settled"] == []


def run(*arguments, stdout=subprocess.PIPE):
    command = [sys.executable, "-m", "liquidity", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_the_module_answers_as_a_program():
    done = run("resolve", str(EXAMPLES / "gridlock-hkd-thb.json"))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["settled_count"] == 4


def test_an_answer_that_nobody_reads_ends_with_exit_code_2_and_one_line():
    reader, writer = os.pipe()
    os.close(reader)
    done = run("resolve", str(EXAMPLES / "gridlock-hkd-thb.json"), stdout=writer)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr == "cannot write the answer: Broken pipe\n"


def test_a_malformed_case_ends_with_exit_code_2_and_one_line(tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(with_leg(amount=1.5)))
    done = run("resolve", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{LEG}.amount: must be an integer > 0, got 1.5\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["resolve", "no-such-file.json"], "case"),
        (["resolve", "."], "case"),
        (["resolve", str(EXAMPLES / "priority-limits.json"), "--order", "lifo"], "--order"),
        (["resolve", str(EXAMPLES / "priority-limits.json"), "--order", "a\nb"], "--order"),
        (["resolve", str(EXAMPLES / "priority-limits.json"), "--time-limit", "nan"], "--time-limit"),
        (["resolve", str(EXAMPLES / "priority-limits.json"), "--time-limit", "0"], "--time-limit"),
        (["resolve"], "CASE.json"),
        ([], "COMMAND"),
    ],
)
def test_wrong_arguments_end_with_exit_code_2_and_one_line(arguments, named, capsys):
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    output = capsys.readouterr()
    assert (code, output.out) == (2, "")
    assert len(output.err.splitlines()) == 1
    assert named in output.err

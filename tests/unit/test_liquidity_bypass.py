"""Most value in free order: small cases that can be followed by hand, limits of the search, and the command line."""

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from liquidity import (
    InvalidField,
    InvalidSettlement,
    Leg,
    Limits,
    Obligation,
    Queue,
    check_settlement,
    resolve,
)
from liquidity.comparing import compare
from liquidity.io import read_case
from tests.waiting import random_queue, transfer

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_CASES = REPOSITORY / ".." / "shared" / "cases"
FEW = 12


def shared_case_files():
    return sorted(SHARED_CASES.glob("*.json")) if SHARED_CASES.is_dir() else []


@pytest.mark.parametrize("path", shared_case_files() or [None], ids=lambda path: path.stem if path else "absent")
@pytest.mark.parametrize("objective", ["value", "count"])
def test_published_optima_are_found(path, objective):
    if path is None:
        pytest.skip("the shared cases are not next to this checkout")
    case = read_case(path)
    terms = {"floors": case.floors, "limits": case.limits}
    answer = resolve(
        case.queue, case.balances, order="bypass", rates=case.rates, objective=objective, work_limit=FEW, **terms
    )
    closing = check_settlement(
        case.queue, case.balances, answer.settled, closing_balances=answer.closing_balances, **terms
    )
    assert closing == answer.closing_balances
    expected = json.loads(path.read_text())["expected"].get("bypass", {})
    fifo = resolve(case.queue, case.balances, rates=case.rates, **terms)
    if objective == "value":
        assert answer.objective >= fifo.objective
        for key in {"max_value", "max_value_hkd"} & set(expected):
            assert (answer.objective, answer.proof) == (Fraction(expected[key]), "optimal")
    else:
        assert answer.objective == answer.settled_count >= fifo.settled_count
        if "max_count" in expected:
            assert (answer.settled_count, answer.proof) == (expected["max_count"], "optimal")
    assert answer.objective <= answer.upper_bound


def test_a_blocked_bank_is_passed_by_those_behind_it():
    queue = Queue([transfer("large", "HK1", "TH1", 90), transfer("small", "HK1", "TH1", 40)])
    assert resolve(queue, {"HK1": {"HKD": 50}}).settled == ()
    answer = resolve(queue, {"HK1": {"HKD": 50}}, order="bypass")
    assert answer.settled == ("small",)
    assert (answer.proof, answer.gap) == ("optimal", 0)


def test_what_most_means_can_be_chosen():
    queue = Queue(
        [
            transfer("large", "HK1", "TH1", 90, priority=2),
            transfer("first", "HK1", "TH1", 40, priority=3),
            transfer("second", "HK1", "TH1", 40, priority=3),
            transfer("urgent", "HK1", "TH1", 30, priority=1),
        ]
    )
    balances = {"HK1": {"HKD": 100}}

    def settled(objective):
        answer = resolve(queue, balances, order="bypass", objective=objective)
        assert answer.proof == "optimal"
        return answer.settled

    assert settled("value") == ("large",)
    assert settled("count") in {("first", "urgent"), ("second", "urgent"), ("first", "second")}
    assert settled("priority") == ("first", "urgent")


@pytest.mark.parametrize("objective", ["value", "count"])
def test_a_search_is_valid_bounded_and_no_worse_than_fifo(objective):
    queue, balances = random_queue(1)
    answer = resolve(queue, balances, order="bypass", objective=objective, work_limit=FEW)
    fifo = resolve(queue, balances)
    check_settlement(queue, balances, answer.settled, closing_balances=answer.closing_balances)
    assert answer.objective <= answer.upper_bound
    assert answer.objective > (fifo.settled_count if objective == "count" else fifo.objective)
    assert answer.proof == ("optimal" if answer.objective == answer.upper_bound else "gap")
    assert 0 <= answer.gap < Fraction(1, 5)


def test_the_most_urgent_settle_most_under_the_priority_objective():
    queue, balances = random_queue(2)

    def urgent(answer):
        chosen = set(answer.settled)
        return sum(leg.amount for one in queue if one.id in chosen and one.priority == 0 for leg in one.legs)

    by_priority = resolve(queue, balances, order="bypass", objective="priority", work_limit=FEW)
    assert urgent(by_priority) > urgent(resolve(queue, balances, order="bypass", work_limit=FEW))


def test_the_same_seed_and_work_give_the_same_answer_whatever_the_threads():
    queue, balances = random_queue(3, count=80)
    answers = [resolve(queue, balances, order="bypass", seed=7, work_limit=36, jobs=jobs).settled for jobs in (1, 2)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("scale", [10**12, 10**15, 2**60, 10**30])
def test_amounts_of_any_size_are_searched_exactly(scale):
    queue, balances = random_queue(4, count=120, scale=scale)
    small, few = random_queue(4, count=120)
    answer = resolve(queue, balances, order="bypass", work_limit=FEW)
    reference = resolve(small, few, order="bypass", work_limit=FEW)
    check_settlement(queue, balances, answer.settled, closing_balances=answer.closing_balances)
    assert reference.objective * scale * Fraction(98, 100) < answer.objective <= answer.upper_bound
    assert resolve(queue, balances).objective <= answer.objective
    assert answer.objective <= reference.upper_bound * scale
    assert reference.objective * scale <= answer.upper_bound


def test_amounts_in_other_units_are_searched_the_same_way_also_where_nothing_is_proven():
    answers = []
    for scale in (1, 3, 10**9):
        queue, balances = random_queue(6, count=250, scale=scale, pvp=0.3)
        scarce = {
            bank: {code: amount // 20 // scale * scale for code, amount in row.items()}
            for bank, row in balances.items()
        }
        answers.append(resolve(queue, scarce, order="bypass", work_limit=6))
    assert answers[0].proof == "gap"
    assert len({(answer.settled, answer.gap, answer.method) for answer in answers}) == 1


def test_amounts_of_any_size_are_searched_class_by_class():
    settled = []
    for scale in (1, 2**70):
        drawn, balances = random_queue(2, count=250, scale=scale)
        queue = Queue([replace(one, priority=(1, 2, None)[at % 3]) for at, one in enumerate(drawn)])
        answer = resolve(queue, balances, order="bypass", objective="priority", work_limit=120)
        chosen = set(answer.settled)
        per_class = dict.fromkeys((1, 2, None), 0)
        for one in queue:
            per_class[one.priority] += sum(leg.amount for leg in one.legs if one.id in chosen) // scale
        settled.append(list(per_class.values()))
    exact, coarse = settled
    assert coarse[0] >= exact[0] * 99 // 100
    assert all(own >= other * 9 // 10 for own, other in zip(coarse, exact, strict=True))


def test_limits_and_floors_hold_in_a_search():
    queue, balances = random_queue(5)
    limits = Limits(
        bilateral={"B0": {"B1": {"HKD": 900}}, "B1": {"B0": {"HKD": 300}}}, multilateral={"B2": {"THB": 500}}
    )
    floors = {"B3": {"HKD": -800}, "B0": {"THB": 500}}
    answer = resolve(queue, balances, order="bypass", floors=floors, limits=limits, work_limit=FEW)
    closing = check_settlement(queue, balances, answer.settled, floors=floors, limits=limits)
    assert closing == answer.closing_balances
    assert answer.objective >= resolve(queue, balances, floors=floors, limits=limits).objective


def test_an_empty_queue_and_one_that_is_all_held_settle_nothing():
    held = Queue([transfer("T", "HK1", "TH1", 1, held=True)])
    for queue in (Queue([]), held):
        answer = resolve(queue, {"HK1": {"HKD": 5}}, order="bypass")
        assert (answer.settled, answer.objective, answer.proof) == ((), 0, "optimal")
    many = Queue([transfer(f"T{at}", "HK1", "TH1", 1, held=True) for at in range(300)])
    assert resolve(many, {}, order="bypass").objective == 0


def newest_first(queue, balances, *, floors, limits, rates, time_limit_s, seed):
    """A resolver as an analyst would write it: newest first, while the account can pay."""
    left = {(bank, code): amount for bank, row in balances.items() for code, amount in row.items()}
    for obligation in reversed(tuple(queue)):
        if all(left.get((leg.payer, leg.currency), 0) >= leg.amount for leg in obligation.legs):
            for leg in obligation.legs:
                left[leg.payer, leg.currency] -= leg.amount
            yield obligation.id


def test_a_resolver_of_ones_own_is_checked_and_gets_a_bound():
    queue, balances = random_queue(6)
    answer = resolve(queue, balances, order=newest_first)
    assert (answer.order, answer.method, answer.proof) == ("newest_first", "newest_first", "gap")
    assert 0 < answer.objective < answer.upper_bound
    check_settlement(queue, balances, answer.settled, closing_balances=answer.closing_balances)


def test_algorithms_are_compared_on_the_same_terms():
    queue, balances = random_queue(7)
    table = compare(queue, balances, orders=["fifo", newest_first, "bypass"], work_limit=FEW).set_index("order")
    assert list(table.index) == ["fifo", "newest_first", "bypass"]
    assert table.settled_share["bypass"] > table.settled_share["newest_first"]
    assert table.share_of_bound.between(0, 1).all()
    assert table.proof["fifo"] == "unique-maximum"
    assert table.settled_count["fifo"] == resolve(queue, balances).settled_count


def test_a_resolver_of_ones_own_that_overdraws_is_refused():
    queue = Queue([transfer("T", "HK1", "TH1", 5)])

    def everything(queue, balances, **_):
        return list(queue.ids)

    with pytest.raises(InvalidSettlement, match="floor"):
        resolve(queue, {}, order=everything)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, InvalidField),
        ("T", InvalidField),
        (7, InvalidField),
        ([["T"]], InvalidSettlement),
        ([7], InvalidSettlement),
    ],
)
def test_a_resolver_of_ones_own_that_returns_no_ids_is_refused(answer, error):
    queue = Queue([transfer("T", "HK1", "TH1", 5)])
    with pytest.raises(error):
        resolve(queue, {"HK1": {"HKD": 5}}, order=lambda *_, **__: answer)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"time_limit_s": 0}, "time_limit_s"),
        ({"time_limit_s": 10**400}, "time_limit_s"),
        ({"time_limit_s": float("nan")}, "time_limit_s"),
        ({"time_limit_s": "1"}, "time_limit_s"),
        ({"work_limit": 0}, "work_limit"),
        ({"work_limit": 1.5}, "work_limit"),
        ({"objective": "most"}, "objective"),
        ({"seed": -1}, "seed"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_limits_that_are_none_are_refused_by_their_name(terms, field):
    with pytest.raises(InvalidField) as refused:
        resolve(Queue([]), {}, order="bypass", **terms)
    assert refused.value.field == field


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "liquidity", "resolve", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def case_file(folder, queue, balances):
    obligations = [
        {
            "id": one.id,
            "legs": [
                {"payer": x.payer, "payee": x.payee, "currency": x.currency, "amount": x.amount} for x in one.legs
            ],
        }
        for one in queue
    ]
    path = folder / "case.json"
    path.write_text(json.dumps({"balances": balances, "obligations": obligations}))
    return str(path)


def test_the_command_line_searches_and_prints_one_line_of_json(tmp_path):
    queue, balances = random_queue(8)
    done = command(case_file(tmp_path, queue, balances), "--order", "bypass", "--work-limit", "8", "--seed", "3")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    check_settlement(queue, balances, answer["settled"], closing_balances=answer["closing_balances"])
    assert answer["proof"] in {"gap", "optimal"}
    assert Fraction(answer["objective"]) <= Fraction(answer["upper_bound"])
    assert resolve(queue, balances, order="bypass", work_limit=8, seed=3).settled == tuple(answer["settled"])


def test_a_small_case_is_answered_without_numpy(tmp_path):
    queue, balances = random_queue(9, banks=4, count=10)
    path = case_file(tmp_path, queue, balances)
    script = (
        "import sys; from liquidity.__main__ import main; "
        f"assert main(['resolve', {path!r}, '--order', 'bypass']) == 0; assert 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["proof"] == "optimal"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seed", "-1"),
        ("--seed", "1.5"),
        ("--work-limit", "0"),
        ("--work-limit", "many"),
        ("--objective", "most"),
        ("--time-limit", "0"),
        ("--order", "lifo"),
    ],
)
def test_malformed_options_end_with_one_line_and_exit_code_2(tmp_path, arguments):
    path = case_file(tmp_path, Queue([transfer("T", "HK1", "TH1", 1)]), {})
    done = command(path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert arguments[0] in done.stderr


@pytest.mark.parametrize("objective", ["value", "count", "priority"])
def test_small_amounts_beside_one_beyond_64_bits_are_searched_too(objective):
    small = [Obligation(f"T{at}", [Leg("HK1", "HK2", "HKD", at + 3)], priority=at % 3) for at in range(60)]
    queue = Queue([*small, Obligation("BIG", [Leg("TH1", "TH2", "HKD", 5 * 10**18)])])
    balances = {"HK1": {"HKD": 500}, "TH1": {"HKD": 5 * 10**18}}
    found = resolve(queue, balances, order="bypass", objective=objective, work_limit=10)
    check_settlement(queue, balances, found.settled)
    assert "BIG" in found.settled
    assert found.settled_count >= resolve(queue, balances).settled_count
    assert found.objective <= found.upper_bound
    assert found.proof != "optimal" or objective == "count"


def test_more_priorities_than_are_searched_one_by_one_leave_nothing_proven():
    first = [
        Obligation(f"F{at}_{part}", [Leg(f"HK{at}", "TH1", "HKD", 1)], priority=at)
        for at in range(62)
        for part in range(4)
    ]
    last = [Obligation(f"L{at}", [Leg("A", "TH1", "HKD", 20 * at)], priority=60 + at) for at in (3, 4, 5)]
    balances = {"A": {"HKD": 100}, **{f"HK{at}": {"HKD": 9} for at in range(62)}}
    for count, proof in ((1, "optimal"), (3, "gap")):
        queue = Queue([*first, *last[:count]])
        found = resolve(queue, balances, order="bypass", objective="priority", work_limit=200)
        check_settlement(queue, balances, found.settled)
        assert found.proof == proof

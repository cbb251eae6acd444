"""Most value in free order: small cases that can be followed by hand, limits of the search, and the command line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from liquidity import (
    InvalidField,
    InvalidSettlement,
    Leg,
    Limits,
    Obligation,
    Queue,
    check_settlement,
    compiling,
    resolve,
)
from liquidity.bypass import branching, rounding
from liquidity.bypass.annealing import annealed, melted
from liquidity.bypass.budget import make_budget
from liquidity.bypass.mixed import make_mixed, solve_mixed
from liquidity.bypass.neighbourhoods import applied, deal, improved_part
from liquidity.bypass.state import made_valid, make_mender, make_state
from liquidity.comparing import compare
from liquidity.io import read_case
from liquidity.program import make_program
from liquidity.relaxation import solve_relaxation
from liquidity.terms import make_rates, make_terms

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_CASES = REPOSITORY / ".." / "shared" / "cases"
FEW = 12


def transfer(name, payer, payee, amount, currency="HKD", **extra):
    return Obligation(name, [Leg(payer, payee, currency, amount)], **extra)


def shared_case_files():
    return sorted(SHARED_CASES.glob("*.json")) if SHARED_CASES.is_dir() else []


def random_queue(seed, banks=12, count=400, scale=1, pvp=0.1):
    """Single transfers and PvPs between banks of unlike size, with a little liquidity each."""
    draw = np.random.default_rng(seed)
    weight = 1 / np.arange(1, banks + 1)
    obligations = []
    for number in range(count):
        payer, payee = (f"B{at}" for at in draw.choice(banks, 2, replace=False, p=weight / weight.sum()))
        code = ("HKD", "THB")[int(draw.integers(2))]
        amount = int(np.exp(draw.normal(6, 1.2))) * scale + scale
        legs = [Leg(payer, payee, code, amount)]
        if draw.random() < pvp:
            legs.append(Leg(payee, payer, "THB" if code == "HKD" else "HKD", amount + scale))
        obligations.append(Obligation(f"T{number}", legs, int(draw.integers(3))))
    balances = {f"B{at}": dict.fromkeys(("HKD", "THB"), int(draw.integers(2000)) * scale) for at in range(banks)}
    return Queue(obligations), balances


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


def program_of(queue, balances):
    return make_program(queue, make_terms(balances, None, None), make_rates(None))


def test_what_is_found_in_all_hands_holds_together():
    program = program_of(*random_queue(5, count=400))
    state = made_valid(make_mender(program, np.zeros(len(program.worth))), np.zeros(len(program.worth), dtype=bool))
    hands = deal(len(program.worth), 3, np.random.default_rng(1))
    assert sorted(np.concatenate(hands).tolist()) == list(range(len(program.worth)))
    parts = [improved_part(make_mixed(program), program, state, 3, None, hand) for hand in hands]
    assert all(part is not None for part in parts)
    for part in parts:
        better = applied(program, state, part)
        assert better.worth > state.worth
        assert better.slack.min() >= 0
        state = better


def test_a_set_that_overdraws_a_little_is_annealed_to_a_valid_one_worth_nearly_as_much():
    program = program_of(*random_queue(6, count=400))
    relaxed = solve_relaxation(program)
    rounded = relaxed.x > 0.5
    assert make_state(program, rounded) is None
    mender = make_mender(program, relaxed.margin)
    state = annealed(mender, rounded, relaxed.prices, make_budget(None, FEW), seed=1)
    assert state.slack.min() >= 0
    assert state.worth >= made_valid(mender, rounded).worth
    assert Fraction(9, 10) * relaxed.most < state.worth <= relaxed.most


def test_melting_finds_much_more_than_repair_and_the_same_for_a_seed():
    queue, balances = random_queue(7, banks=30, count=600)
    scarce = {bank: {code: amount // 20 for code, amount in row.items()} for bank, row in balances.items()}
    program = program_of(queue, scarce)
    relaxed = solve_relaxation(program)
    mender = make_mender(program, relaxed.margin)
    first, second = (melted(mender, relaxed.x > 0.5, relaxed.prices, make_budget(None, 8), 5) for _ in range(2))
    assert first.worth == second.worth == make_state(program, first.chosen).worth
    assert np.array_equal(first.chosen, second.chosen)
    repaired = made_valid(mender, relaxed.x > 0.5)
    assert repaired.worth * 5 // 4 < first.worth <= relaxed.most
    assert melted(mender, relaxed.x > 0.5, relaxed.prices, make_budget(None, 8).part(0), 5) is None


def test_a_window_is_decided_by_a_program_only_where_time_is_left_for_one(monkeypatch):
    program = program_of(*random_queue(6, count=400))
    relaxed = solve_relaxation(program)
    solved, asked = rounding.solve_part, []

    def solve_part(part, binary, **options):
        asked.append(len(binary))
        return solved(part, binary, **options)

    monkeypatch.setattr(rounding, "solve_part", solve_part)
    for least, begun in ((0.0, True), (1.0, False)):
        asked.clear()
        monkeypatch.setattr(rounding, "LEAST_SECONDS", least)
        chosen = rounding.relax_and_fix(program, relaxed, make_budget(60, None), gap=3e-4)
        assert any(asked) == begun
        assert chosen.sum() > len(chosen) // 10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_obligations_end_with_proof_at_the_optimum_of_highs(seed):
    queue, balances = random_queue(seed, banks=8, count=110, pvp=0.3)
    answer = resolve(queue, balances, order="bypass", seed=seed)
    assert answer.proof == "optimal"
    assert answer.objective == answer.upper_bound
    program = program_of(queue, balances)
    everything = np.ones(len(program.worth), dtype=bool)
    mixed = make_mixed(program)
    found = solve_mixed(mixed, np.flatnonzero(everything), everything, mixed.room, nodes=10**6, gap=0.0, seconds=None)
    assert answer.objective == int(program.worth[found > 0.5].sum()) * program.worth_scale


@pytest.mark.parametrize("objective", ["value", "priority"])
def test_currencies_without_pvp_are_searched_apart_and_proven_together(objective):
    drawn, balances = random_queue(4, banks=8, count=220, pvp=0)
    queue = Queue([replace(one, priority=int(one.legs[0].currency == "THB")) for one in drawn])
    answer = resolve(queue, balances, order="bypass", objective=objective, work_limit=60)
    assert answer.proof == "optimal"
    assert "2 components" in answer.method
    check_settlement(queue, balances, answer.settled)
    for code in ("HKD", "THB"):
        own = Queue([one for one in queue if one.legs[0].currency == code])
        alone = resolve(own, balances, order="bypass", work_limit=60)
        assert answer.settled_value[code] == alone.settled_value[code]


@pytest.mark.parametrize("scale", [2**bits for bits in range(30, 46)])
def test_a_proof_holds_whatever_digits_prices_are_cut_into(scale):
    answers = [resolve(*random_queue(1, banks=8, count=110, scale=one), order="bypass") for one in (1, scale)]
    assert [answer.proof for answer in answers] == ["optimal", "optimal"]
    assert answers[1].objective == answers[0].objective * scale


def test_by_the_clock_a_search_goes_without_branch_and_bound_until_that_is_compiled(monkeypatch):
    queue, balances = random_queue(1, banks=8, count=110, pvp=0.3)
    monkeypatch.setattr(branching, "is_ready", lambda *_: False)
    without = resolve(queue, balances, order="bypass", time_limit_s=0.5)
    assert "branch and bound" not in without.method
    assert without.objective <= without.upper_bound
    assert "branch and bound" in resolve(queue, balances, order="bypass", work_limit=20).method
    monkeypatch.setattr(branching, "is_ready", lambda *_: True)
    answer = resolve(queue, balances, order="bypass", time_limit_s=60)
    assert answer.proof == "optimal"
    assert "branch and bound" in answer.method


def test_what_is_not_compiled_yet_another_process_compiles_once(monkeypatch, tmp_path):
    source, begun = tmp_path / "kernels.py", []
    source.touch()
    kernel = SimpleNamespace(
        __name__="kernel",
        signatures=[],
        stats=SimpleNamespace(cache_path=str(tmp_path)),
        py_func=SimpleNamespace(__code__=SimpleNamespace(co_filename=str(source))),
    )
    monkeypatch.setattr(compiling, "begin", begun.append)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    assert begun == [branching.compile_ahead]
    monkeypatch.setattr(compiling, "AGAIN_S", -1.0)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    assert len(begun) == 2
    on_disk = tmp_path / "kernels.kernel-7.py311.nbi"
    on_disk.touch()
    os.utime(on_disk, (source.stat().st_mtime + 1,) * 2)
    assert compiling.is_ready(kernel, branching.compile_ahead)
    os.utime(on_disk, (source.stat().st_mtime - 1,) * 2)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    kernel.signatures.append("loaded")
    assert compiling.is_ready(kernel, branching.compile_ahead)


def test_another_process_keeps_on_disk_what_it_compiles():
    assert compiling.begin(branching.compile_ahead).wait(timeout=300) == 0
    fresh = (
        "from liquidity.bypass.branching import compile_ahead, start_again\n"
        "from liquidity.compiling import is_ready\n"
        "raise SystemExit(not is_ready(start_again, compile_ahead))"
    )
    assert subprocess.run([sys.executable, "-c", fresh], cwd=REPOSITORY, check=False).returncode == 0


def test_a_budget_that_is_ended_is_late():
    budget = make_budget(60, None)
    assert not budget.is_late()
    budget.end()
    assert budget.is_late()


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


def test_amounts_of_any_size_are_searched_class_by_class():
    settled = []
    for scale in (1, 2**70):
        drawn, balances = random_queue(2, count=250, scale=scale)
        queue = Queue([replace(one, priority=(1, 2, None)[at % 3]) for at, one in enumerate(drawn)])
        answer = resolve(queue, balances, order="bypass", objective="priority", work_limit=60)
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

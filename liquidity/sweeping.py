"""Many days, parameters and policies: every combination simulated once, on any executor, resumable.

A sweep is a function that makes a day from parameters and a seed, a grid of parameters, seeds, and policies. Each day
is one task; its policies run on it one after the other. Results go to a file line by line as they come, so that a
sweep that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquidity.day import Day
from liquidity.errors import InvalidField, child, shown
from liquidity.metrics import with_liquidity
from liquidity.model import entries, exact_seed
from liquidity.simulation import Policy, simulate

if TYPE_CHECKING:
    from pandas import DataFrame

MAX_PENDING = 256
"""Tasks handed to the executor and not done: enough for a large cluster, few enough that days aren't all made at
once."""

MAX_RUNS = 10_000_000
"""Rows of one sweep; more is a mistake in the grid."""

FORMAT = "liquidity-sweep-1"
"""First in a file of results, so that no other file is taken for one."""

ALPHAS = tuple(Fraction(step, 10) for step in range(11))
"""Levels of liquidity between the bounds: 0, 0.1, … 1."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Task:
    """One day to make, and the policies still to run on it, by the key of their row."""

    parameters: tuple[tuple[str, Any], ...]
    seed: int
    policies: tuple[tuple[str, str, Policy], ...]  # key, name, policy


def sweep(
    make_day: Callable[..., Day],
    policies: Sequence[Policy] | Mapping[str, Policy],
    *,
    grid: Mapping[str, Sequence[Any]] | None = None,
    seeds: Sequence[int] = (0,),
    executor: Executor | None = None,
    results: str | Path | None = None,
    progress: bool = True,
) -> DataFrame:
    """All metrics of every combination of parameters, seed and policy, as a frame with one row each.

    Parameters
    ----------
    make_day
        Called as ``make_day(seed=seed, **parameters)``, in the executor's process: a function of a module or a
        :func:`functools.partial` of one (what can be pickled).
    policies
        Rules to compare, by a name of your own or by their :attr:`Policy.name`.
    grid
        Parameter → its values; every combination is run. Text, numbers, fractions, booleans or ``None``.
    seeds
        Of the days, and of what the policies draw.
    executor
        Any :class:`concurrent.futures.Executor`, a Dask client's ``get_executor()`` too; ``None`` runs here.
    results
        File that results are appended to, one line of JSON each; what it already holds is not run again. One file
        belongs to one ``make_day``.
    progress
        Show a bar on standard error (needs tqdm).

    Returns
    -------
    pandas.DataFrame
        Columns: the parameters, ``seed``, ``policy``, and those of :func:`liquidity.metrics.metrics`; sorted as the
        grid, the seeds and the policies are given, whatever finished first.

    Raises
    ------
    InvalidField
        For a grid, a policy or a file of results that is none, or one of another sweep.
    """
    import pandas as pd

    named = _named_policies(policies)
    values = {name: _listed(row, child("grid", name)) for name, row in entries(grid or {}, "grid")}
    tasks = list(_tasks(values, [exact_seed(one, "seeds") for one in _listed(seeds, "seeds")], named))
    order = [key for task in tasks for key, _, _ in task.policies]
    path = None if results is None else Path(results)
    if path is not None:
        _check_named(make_day, named)
    rows = {} if path is None else _read_results(path, _identity(make_day))
    missing = [left for task in tasks if (left := _without(task, rows)).policies]
    with _bar(len(order), len(order) - sum(len(task.policies) for task in missing), progress) as bar:
        for finished in _finished(make_day, missing, executor):
            if path is not None:
                _append(path, finished)
            rows.update(finished)
            bar.update(len(finished))
    return pd.DataFrame([rows[key] for key in order])


def liquidity_curve(
    day: Day,
    policies: Sequence[Policy] | Mapping[str, Policy],
    *,
    alphas: Sequence[Fraction | float] = ALPHAS,
    seed: int = 0,
    executor: Executor | None = None,
    results: str | Path | None = None,
    progress: bool = True,
) -> DataFrame:
    """A day under each policy with ever more liquidity, from the net (0) to the gross (1) bound of every account.

    The frame that :func:`liquidity.plotting.plot_liquidity_delay` draws. Arguments and errors as for :func:`sweep`;
    for the bounds see :func:`liquidity.metrics.with_liquidity`.
    """
    return sweep(
        partial(_with_liquidity, day),
        policies,
        grid={"alpha": alphas},
        seeds=(seed,),
        executor=executor,
        results=results,
        progress=progress,
    )


def _with_liquidity(day: Day, *, alpha: Fraction | float, seed: int) -> Day:
    return with_liquidity(day, Fraction(str(alpha)) if isinstance(alpha, float) else alpha)


def _listed(values: object, field_name: str) -> list[Any]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise InvalidField(field_name, "must be a list of values", shown(values))
    return list(values)


def _check_named(make_day: Callable[..., Day], policies: Mapping[str, Policy]) -> None:
    """A file of results must know functions again; of one function's lambdas and inner functions all look alike."""
    resolvers = [(child("policies", name), policy.resolver) for name, policy in policies.items()]
    for path, function in [("make_day", make_day), *resolvers]:
        inner = _innermost(function)
        if "<" in getattr(inner, "__qualname__", ""):
            problem = "must be a function of a module, or a partial of one, for a file of results to know it again"
            raise InvalidField(path, problem, inner.__name__)


def _tasks(grid: Mapping[str, Sequence[Any]], seeds: Sequence[int], policies: Mapping[str, Policy]) -> Iterator[_Task]:
    taken = {"seed", "policy"} & set(grid)
    if taken:
        raise InvalidField("grid", "must not name a parameter seed or policy", shown(sorted(taken)[0]))
    runs = math.prod(len(values) for values in grid.values()) * len(seeds) * len(policies)
    if not 0 < runs <= MAX_RUNS:
        raise InvalidField("grid", f"must ask for 1 to {MAX_RUNS} runs", str(runs))
    seen: set[str] = set()
    for values in itertools.product(*grid.values()):
        parameters = tuple(zip(grid, values, strict=True))
        said = {name: _parameter(name, value) for name, value in parameters}
        for seed in seeds:
            keyed = tuple((_key(said, seed, name, policy), name, policy) for name, policy in policies.items())
            if keyed[0][0] in seen:
                raise InvalidField("grid", "must not ask for the same run twice", shown(keyed[0][0]))
            seen.add(keyed[0][0])
            yield _Task(parameters, seed, keyed)


def _without(task: _Task, done: Mapping[str, Row]) -> _Task:
    left = tuple(entry for entry in task.policies if entry[0] not in done)
    return _Task(task.parameters, task.seed, left)


def _finished(
    make_day: Callable[..., Day], tasks: Sequence[_Task], executor: Executor | None
) -> Iterator[dict[str, Row]]:
    """Rows by key as tasks finish; at most :data:`MAX_PENDING` are under way."""
    if executor is None:
        for task in tasks:
            yield _run(make_day, task)
        return
    waiting = iter(tasks)
    pending: set[Future[dict[str, Row]]] = set()
    try:
        while True:  # ends when every task has been handed out and has come back
            for task in itertools.islice(waiting, MAX_PENDING - len(pending)):
                pending.add(executor.submit(_run, make_day, task))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        for future in pending:
            future.cancel()


def _run(make_day: Callable[..., Day], task: _Task) -> dict[str, Row]:
    """One day under its policies: what an executor does."""
    day = make_day(seed=task.seed, **dict(task.parameters))
    said = {name: plain_value(value) for name, value in task.parameters}
    rows: dict[str, Row] = {}
    for key, name, policy in task.policies:
        metrics = simulate(day, policy, seed=task.seed).metrics().to_dict("records")[0]
        asked = {**said, "seed": task.seed, "policy": name}
        measured = {str(column): plain_value(value) for column, value in metrics.items()}
        rows[key] = asked | {column: value for column, value in measured.items() if column not in asked}
    return rows


def plain_value(value: Any) -> Any:
    """A cell of a frame as what JSON has; a number that is none becomes ``None``."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Fraction):
        value = float(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else None


def _named_policies(policies: Sequence[Policy] | Mapping[str, Policy]) -> dict[str, Policy]:
    every = policies.values() if isinstance(policies, Mapping) else policies
    for one in every:
        if not isinstance(one, Policy):
            raise InvalidField("policies", "must be Policy objects", shown(one))
    given = list(policies.items()) if isinstance(policies, Mapping) else [(one.name, one) for one in policies]
    named = dict(given)
    if not named or len(named) != len(given):
        raise InvalidField("policies", "must be at least one, of different names")
    return named


def _parameter(name: str, value: Any) -> Any:
    """A parameter as it stands in a key: numbers as they are, fractions as text."""
    if isinstance(value, Fraction):
        return str(value)
    value = plain_value(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InvalidField(f"grid {name}", "must be text, a number, a fraction, a boolean or None", shown(value))


def _key(parameters: Row, seed: int, name: str, policy: Policy) -> str:
    rules = {field.name: _rule(getattr(policy, field.name)) for field in fields(policy)}
    return json.dumps({"parameters": parameters, "seed": seed, "policy": name, "rules": rules}, sort_keys=True)


def _rule(value: Any) -> str:
    return _identity(value) if callable(value) else repr(value)


def _identity(function: Callable[..., Any]) -> str:
    """A function, the same in every process: its name, and a digest of what it is given; an object by its ``repr``."""
    if not isinstance(function, partial):
        return _called(function)
    digest = hashlib.sha256()
    for value in (*function.args, *itertools.chain.from_iterable(sorted(function.keywords.items()))):
        for said in _told(value) if isinstance(value, Day) else [repr(value).encode()]:
            digest.update(len(said).to_bytes(8, "big") + said)
    return f"{_identity(function.func)} {digest.hexdigest()[:32]}"


def _innermost(function: Any) -> Any:
    return _innermost(function.func) if isinstance(function, partial) else function


def _told(day: Day) -> Iterator[bytes]:
    """All that a day says."""
    arrays = day.queue.arrays()
    if arrays is None:
        yield repr(day.queue.obligations).encode()
    else:
        for column in (getattr(arrays, field.name) for field in fields(arrays)):
            yield column.tobytes() if hasattr(column, "tobytes") else repr(column).encode()
    yield repr(tuple(day.queue.ids)).encode()
    yield day.arrival_s.tobytes()
    yield b"" if day.latest_s is None else day.latest_s.tobytes()
    yield repr((day.balances, day.floors, day.hours, day.outages, day.limits, day.rates)).encode()


def _called(function: Callable[..., Any]) -> str:
    named, owner = getattr(function, "__qualname__", None), getattr(function, "__self__", None)
    if named is None:
        return repr(function)
    return f"{function.__module__}.{named}" + ("" if owner is None else f" of {owner!r}")


# --- the file of results ----------------------------------------------------------------------------------------


def _read_results(path: Path, identity: str) -> dict[str, Row]:
    """What a file holds, its last line left out if it was cut off; a new file is begun."""
    head = json.dumps({"format": FORMAT, "make_day": identity}).encode()
    try:
        content = path.read_bytes() if path.exists() else b""
        first, newline, _ = content.partition(b"\n")
        if not newline and head.startswith(first):  # none yet, or a head that was being written when the process died
            path.write_bytes(head + b"\n")
            return {}
        if first != head:
            raise InvalidField("results", "must be a file of this sweep, or none yet", shown(str(path)))
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # a line that was being written
            os.truncate(path, whole)
        rows: dict[str, Row] = {}
        for line in content[:whole].decode("utf-8").splitlines()[1:]:
            entry = json.loads(line)
            rows[entry["key"]] = entry["row"]
    except OSError as error:
        raise InvalidField("results", f"cannot use {shown(str(path))}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InvalidField("results", "must hold lines of JSON with a key and a row", shown(str(path))) from None
    return rows


def _append(path: Path, rows: Mapping[str, Row]) -> None:
    """All of a task's rows in one write at the end of the file, and down to the disk."""
    lines = "".join(json.dumps({"key": key, "row": row}) + "\n" for key, row in rows.items())
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, lines.encode("utf-8"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _bar(total: int, done: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit="run", disable=not progress)

"""HiGHS's branch and cut, through scipy: the only place that calls it.

It works in floating point, and nobody believes what it answers without exact integers.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

STRAY = b"HighsMipSolverData::"
"""How a line begins that HiGHS prints past Python, whatever it is told (jump-dev/HiGHS.jl, issue 312)."""

STANDARD_OUTPUT = 1


class _Kept:
    """What is written to standard output while anybody solves; the last who is done passes on what isn't stray."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._real = -1
        self._file: IO[bytes] | None = None

    @contextmanager
    def back(self) -> Iterator[None]:
        """For one call of the solver."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._end()

    def _begin(self) -> None:
        try:
            self._real = os.dup(STANDARD_OUTPUT)
        except OSError:
            return  # nothing is open there that a line could spoil
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever is done last
        os.dup2(self._file.fileno(), STANDARD_OUTPUT)

    def _end(self) -> None:
        if self._file is None:
            return
        os.dup2(self._real, STANDARD_OUTPUT)
        os.close(self._real)
        with self._file as file:
            file.seek(0)
            own = b"".join(line for line in file if not line.startswith(STRAY))
        self._file = None
        with open(STANDARD_OUTPUT, "wb", closefd=False) as output:
            output.write(own)


kept = _Kept()


def branch_and_cut(
    worth: Any, entries: Any, room: Any, whole: Any, upper: Any, *, gap: float, nodes: int | None, seconds: float | None
) -> Any:
    """Columns worth most with ``entries @ x <= room`` and ``0 <= x <= upper``, integer where ``whole`` says so.

    ``entries``: sparse (rows × columns). Stops within ``gap`` (relative), or after ``nodes`` or ``seconds``, where
    given. Scipy's result: its ``x`` is ``None`` where nothing was found by then, its ``fun`` the negative worth.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    limits = {"node_limit": nodes, "time_limit": seconds}
    with kept.back():
        return milp(
            -worth,
            integrality=whole,
            bounds=Bounds(0.0, upper),
            constraints=LinearConstraint(entries, ub=room),
            options={"mip_rel_gap": gap, **{name: limit for name, limit in limits.items() if limit is not None}},
        )

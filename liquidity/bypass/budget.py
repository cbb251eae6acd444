"""How long a search may go on: seconds for who waits for it, work for who wants the same answer again."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field

from liquidity.errors import InvalidField, shown
from liquidity.model import exact_integer

DEFAULT_WORK = 60
"""Solver calls when the caller sets no limit: ten to thirty seconds for 10,000 obligations on one core, a minute where
liquidity is scarce."""


@dataclass(slots=True)
class Budget:
    """What is left of a search. ``work`` counts solver calls (a linear or mixed-integer program, or a compiled round).

    With seconds the search stops by the clock and its answer may differ from run to run. Without, nothing that
    it does depends on the clock.
    """

    seconds: float | None
    work: int | None
    used: int = 0
    started: float = field(default_factory=time.monotonic)

    def take(self) -> None:
        """Count one solver call."""
        self.used += 1

    def granted(self) -> bool:
        """Whether one more solver call may be made; then it is counted."""
        may = not self.is_spent()
        self.used += may
        return may

    def is_spent(self) -> bool:
        """Whether the search must end now."""
        return self.left() <= 0

    def end(self) -> None:
        """No seconds more, for whoever searches with it."""
        self.seconds = 0.0

    def is_late(self) -> bool:
        """Whether the seconds are over, whatever work is left."""
        return self.seconds_left() == 0

    def left(self) -> float:
        """Share of the budget that is left, 0 to 1."""
        shares = [1.0]
        if self.seconds is not None:
            shares.append(1 - (time.monotonic() - self.started) / self.seconds if self.seconds > 0 else 0.0)
        if self.work is not None:
            shares.append(1 - self.used / self.work if self.work > 0 else 0.0)
        return max(0.0, min(shares))

    def part(self, share: float) -> Budget:
        """A budget of ``share`` of what is left; with 0, one that is spent from the start."""
        seconds = self.seconds_left(share)
        work = None if self.work is None else int((self.work - self.used) * share)
        return Budget(seconds, 0 if share == 0 else work)

    def seconds_left(self, share: float = 1.0, most: float = math.inf) -> float | None:
        """``share`` of the seconds left, at most ``most``; ``None`` where no clock is looked at."""
        if self.seconds is None:
            return None
        return min(most, max(0.0, self.seconds - (time.monotonic() - self.started)) * share)


def make_budget(time_limit_s: float | None, work_limit: int | None) -> Budget:
    """The budget of one search; raises :class:`InvalidField` for limits that are none."""
    seconds = checked_seconds(time_limit_s)
    if work_limit is not None:
        work_limit = exact_integer(work_limit, "work_limit", "must be an integer > 0", minimum=1)
    elif seconds is None:
        work_limit = DEFAULT_WORK
    return Budget(seconds, work_limit)


def checked_seconds(time_limit_s: float | None) -> float | None:
    """A time limit, if there is one; raises :class:`InvalidField` for what is no number of seconds."""
    if time_limit_s is None:
        return None
    is_number = isinstance(time_limit_s, int | float) and not isinstance(time_limit_s, bool)
    if not is_number or not 0 < time_limit_s <= sys.float_info.max:
        raise InvalidField("time_limit_s", "must be a number of seconds > 0", shown(time_limit_s))
    return float(time_limit_s)

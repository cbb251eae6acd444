"""Passes of the first-order solver of :mod:`liquidity.relaxation`, compiled: each reads the program once."""

from __future__ import annotations

import numpy as np

from liquidity.arrays import Floats, Int32s, Int64s
from liquidity.compiling import compiled


@compiled
def dual_value(start: Int64s, row: Int32s, change: Floats, worth: Floats, room: Floats, prices: Floats) -> float:
    """What the prices prove, in floating point: room · prices + what each column is worth above its price."""
    value = 0.0
    for at in range(len(room)):
        value += room[at] * prices[at]
    for column in range(len(worth)):
        margin = worth[column]
        for entry in range(start[column], start[column + 1]):
            margin -= change[entry] * prices[row[entry]]
        value += max(margin, 0.0)
    return value


@compiled
def halpern_passes(
    start: Int64s,
    row: Int32s,
    change: Floats,
    worth: Floats,
    room: Floats,
    step: Floats,
    row_step: Floats,
    x: Floats,
    y: Floats,
    anchor_x: Floats,
    anchor_y: Floats,
    prices: Floats,
    done: int,
    passes: int,
) -> float:
    """Advance ``x`` and ``y`` (in place) by reflected Halpern passes; the last pass's movement, in the step's norm.

    One pass is a primal-dual step (a gradient step in ``x``, kept in the box 0..1, then one in ``y >= 0`` at the
    reflected ``x``), reflected and drawn towards the anchor with weight 1 / (k + 2), k counting from the anchor on
    (``done`` passes so far). ``prices`` receives the last step's ``y``, which is >= 0.
    """
    use = np.empty(len(room))
    movement = 0.0
    for k in range(done, done + passes):
        ahead = (k + 1.0) / (k + 2.0)
        use[:] = 0.0
        movement = 0.0
        for column in range(len(worth)):
            first, last = start[column], start[column + 1]
            margin = worth[column]
            for entry in range(first, last):
                margin -= change[entry] * y[row[entry]]
            was = x[column]
            now = min(max(was + step[column] * margin, 0.0), 1.0)
            reflected = 2.0 * now - was
            movement += (now - was) ** 2 / step[column]
            if reflected != 0.0:
                for entry in range(first, last):
                    use[row[entry]] += change[entry] * reflected
            x[column] = ahead * reflected + (1.0 - ahead) * anchor_x[column]
        for at in range(len(room)):
            was = y[at]
            now = max(was + row_step[at] * (use[at] - room[at]), 0.0)
            if row_step[at] > 0.0:
                movement += (now - was) ** 2 / row_step[at]
            prices[at] = now
            y[at] = ahead * (2.0 * now - was) + (1.0 - ahead) * anchor_y[at]
    return float(np.sqrt(movement))

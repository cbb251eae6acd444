"""Loops over arrays as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F, **options: Any) -> _F:
    """``function`` as machine code that releases the interpreter; kept on disk where that is possible.

    Then a second start is quick.
    """
    try:
        return cast(_F, njit(cache=True, nogil=True, **options)(function))
    except RuntimeError:  # numba finds no folder that it may write to
        return cast(_F, njit(nogil=True, **options)(function))

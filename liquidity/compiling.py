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


def uncounted(function: _F) -> _F:
    """``function`` as machine code that makes no arrays and counts no references to those it is handed.

    Counting is what most of the time would go to where every small function is handed all of them.
    """
    return compiled(function, _nrt=False)


def inner(function: _F) -> _F:
    """The same for what only machine code calls: no way in from Python, a third less to compile, nothing of its own
    on disk."""
    options: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(_F, njit(nogil=True, **options)(function))

"""Loops over arrays as machine code, kept on disk."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

_F = TypeVar("_F", bound=Callable[..., Any])

AGAIN_S = 600.0
"""What another process has begun to compile is there after so many seconds, or was given up."""


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


def is_ready(function: Callable[..., Any], compile_ahead: Callable[[], None]) -> bool:
    """Whether a compiled function is loaded or on disk; if not, another process begins to put it there.

    For who can't wait. ``compile_ahead``: what the other process calls, by its name.
    """
    dispatcher = cast(Any, function)
    folder, source = dispatcher.stats.cache_path, Path(dispatcher.py_func.__code__.co_filename)
    if dispatcher.signatures or folder is None:
        return bool(dispatcher.signatures)
    kept = Path(folder).glob(f"{source.stem}.{function.__name__}-*.nbi")
    if any(one.stat().st_mtime > source.stat().st_mtime for one in kept):
        return True
    begun = Path(folder, f"{source.stem}.begun")
    if not begun.exists() or time.time() - begun.stat().st_mtime > AGAIN_S:
        begun.touch()
        begin(compile_ahead)
    return False


@cache
def begin(action: Callable[[], None]) -> subprocess.Popen[bytes]:
    """Call a function without arguments, by its name, in a process that outlives this one if need be."""
    return subprocess.Popen(  # noqa: S603  this interpreter, and a name of our own
        [sys.executable, "-c", f"from {action.__module__} import {action.__name__} as action; action()"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

"""Run Foundry: ``python -m tools.foundry test [arguments]``.

It calls the real binary of this platform, never the package's shim, which exits 0 when tests fail. The exit code is
the binary's own; a run of ``test`` ends with one line that counts the tests, and fails if it ran none.
"""

from __future__ import annotations

import platform
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
NODE_WAIT_S = 10.0
"""Until a node listens; a loaded machine takes a second."""

_SUMMARY = re.compile(r"(\d+) tests? passed, (\d+) failed, (\d+) skipped \(\d+ total tests?\)")


def binary_of(program: str) -> Path | None:
    """A program of Foundry, such as ``anvil``, for this platform; None if it is not installed."""
    system = platform.system().lower()
    architecture = _ARCHITECTURES.get(platform.machine().lower(), platform.machine().lower())
    binary = ROOT / "node_modules" / "@foundry-rs" / f"{program}-{system}-{architecture}" / "bin" / program
    return binary if binary.is_file() else None


def required(program: str) -> Path:
    """The same, for a program that can do nothing without it: it ends with exit code 1 and says why."""
    binary = binary_of(program)
    if binary is None:
        raise SystemExit("Foundry is missing: run `npm ci` (it brings its programs for Linux on amd64).")
    return binary


@contextmanager
def anvil(*flags: str) -> Iterator[str]:
    """A fresh node, for as long as the context lasts; its URL."""
    binary = required("anvil")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([str(binary), "--port", str(port), *flags], stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            deadline = time.monotonic() + NODE_WAIT_S
            while not _listens(port) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(arguments: Sequence[str], *, binary: Path) -> int:
    """Run forge in the repository, echo what it says, and return its exit code (1 if ``test`` ran no test)."""
    passed = failed = skipped = 0
    with subprocess.Popen(  # noqa: S603  the arguments come from the caller's own command line
        [str(binary), *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if counts := _SUMMARY.search(line):
                passed, failed, skipped = (int(count) for count in counts.groups())
    if arguments[0] != "test":
        return process.returncode
    ran = passed + failed
    print(f"Foundry: {ran} tests run, {passed} passed, {failed} failed, {skipped} skipped.")
    if ran == 0 and process.returncode == 0:
        print("Foundry ran no test: that is a failure.", file=sys.stderr)
        return 1
    return process.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: whatever forge takes, at least a command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:
        print("Say what forge shall do, as in: python -m tools.foundry test", file=sys.stderr)
        return 2
    return run(given, binary=required("forge"))


if __name__ == "__main__":
    sys.exit(main())

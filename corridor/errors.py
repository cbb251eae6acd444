"""What may go wrong in normal operation.

A :class:`CorridorError` is expected: it carries typed facts, a stable code and what the caller can do next.
Anything else that is raised is a bug and may crash.
"""

from __future__ import annotations


class CorridorError(Exception):
    """Root of the errors that are expected in normal operation.

    Subclasses set ``code`` (stable, for machines) and ``exit_code`` (of the command line); ``next_step`` tells the
    caller what to do.
    """

    code = "CORRIDOR"
    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message}. {self.next_step}" if self.next_step else self.message

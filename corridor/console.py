"""How answers look: tables and sentences for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from corridor.engine.cycle import CycleReport
from corridor.money import format_minor


def show(answer: Any, as_json: bool, text: str) -> None:
    """Print ``answer`` as JSON, or ``text``."""
    click.echo(json.dumps(answer, indent=2) if as_json else text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Return rows under their heads; the columns in ``right`` are numbers."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def at(seconds: int) -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def payment_lines(views: Sequence[dict[str, Any]]) -> str:
    """Payments as a table, with why they wait or were refused."""
    if not views:
        return "none"
    rows = [
        [
            view["uetr"],
            view["payer"],
            view["payee"],
            f"{view['currency']} {view['amount'] or '?'}",
            view["priority"],
            view["state"] + (" (held)" if view["held"] else ""),
            _why(view),
        ]
        for view in views
    ]
    return table(["UETR", "payer", "payee", "amount", "priority", "state", "why"], rows, frozenset({3}))


def _why(view: dict[str, Any]) -> str:
    if not view["reason"]:
        return ""
    return f"{view['reason_code']}: {view['reason']}" if view["state"] in ("rejected", "expired") else view["reason"]


def payment_story(view: dict[str, Any]) -> str:
    """One payment with its journal."""
    lines = [
        f"{view['uetr']}: {view['state']}",
        f"{view['payer']} pays {view['payee']} {view['currency']} {view['amount']}, value date {view['value_date']}",
    ]
    if view["reason"]:
        lines.append(_why(view))
    for event in view["journal"]:
        settlement = f" in settlement {event['settlement'][:16]}" if event["settlement"] else ""
        detail = f": {event['detail']}" if event["detail"] else ""
        lines.append(f"  {at(event['at_s'])}  {event['event']}{settlement}{detail}")
    return "\n".join(lines)


def balance_lines(view: dict[str, Any]) -> str:
    """Accounts as a table, and per currency whether they add up to what was issued."""
    rows = [
        [
            one["participant"],
            one["name"],
            one["currency"],
            *(format_minor(one["currency"], one[key]) for key in ("balance_minor", "held_minor", "available_minor")),
        ]
        for one in view["accounts"]
    ]
    head = ["participant", "name", "currency", "balance", "held", "available"]
    lines = [table(head, rows, frozenset({3, 4, 5})), ""]
    for one in view["currencies"]:
        code, outstanding = one["currency"], one["issued_minor"] - one["redeemed_minor"]
        verdict = "conserved" if outstanding == one["total_minor"] else "NOT CONSERVED"
        total, issued = format_minor(code, one["total_minor"]), format_minor(code, outstanding)
        lines.append(f"{code}: all accounts {total}, issued less redeemed {issued}: {verdict}")
    return "\n".join(lines)


def statement_lines(view: dict[str, Any]) -> str:
    """A bank's statement."""
    rows = [
        [
            at(one["at_s"]),
            one["uetr"],
            one["counterparty"],
            f"{one['currency']} {'+' if one['direction'] == 'credit' else '-'}"
            + format_minor(one["currency"], one["amount_minor"]),
            one["settlement"][:16],
        ]
        for one in view["entries"]
    ]
    head = ["final at", "UETR", "counterparty", "amount", "settlement"]
    lines = [f"{view['participant']}, business date {view['business_date']}"]
    lines.append(table(head, rows, frozenset({3})) if rows else "no entries")
    for one in view["accounts"]:
        lines.append(f"{one['currency']} balance {format_minor(one['currency'], one['balance_minor'])}")
    return "\n".join(lines)


def cycle_lines(report: CycleReport) -> str:
    """What a cycle did."""
    lines = [*report.found]
    lines.append(f"settled gross: {len(report.gross)}, settled net: {len(report.net)}, waiting: {len(report.waiting)}")
    lines += [f"left out {identifier[:16]}: {why}" for identifier, why in report.left_out.items()]
    return "\n".join(lines)

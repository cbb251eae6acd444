"""One cycle: match, settle at once what is affordable, net the rest, confirm, and say why anything still waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select, update

from corridor import planning
from corridor.engine import confirm, days, life, queueing, settle
from corridor.engine.desk import Desk
from corridor.engine.life import State
from corridor.engine.queueing import Waiting
from corridor.store.tables import payments, settlements

log = structlog.get_logger()

# Each pass settles something or leaves something out; a handful of banks that sleep or refuse are left out one a pass.
MAX_PASSES = 50
# A bank objects to one obligation at a time. One that does so more often is out of step with the operator, and must
# not use up the passes in which the others settle: it is left out of the rest of the cycle.
MAX_OBJECTIONS = 5


@dataclass(slots=True)
class CycleReport:
    """What a cycle did: sentences on what a restart found, what settled how, and what was left out with why."""

    found: list[str] = field(default_factory=list)
    gross: list[str] = field(default_factory=list)
    net: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)


def run_cycle(desk: Desk, progress: Callable[[str], None] = lambda _: None) -> CycleReport:
    """Run one cycle to its end; safe to repeat after any interruption."""
    report = CycleReport(found=settle.recover(desk))
    days.wake_warehoused(desk)
    _nudge(desk)
    with desk.database.begin() as connection:
        unmatched = queueing.match_trades(connection, desk)
    net_only = False
    objections: Counter[str] = Counter()
    for _ in range(MAX_PASSES):
        with desk.database.begin() as connection:
            waiting = _open_today(queueing.load_waiting(connection), days.open_currencies(connection, desk))
        balances = queueing.available(desk)
        report.left_out.update(queueing.stopped(desk, waiting))
        queue = waiting.queue(without=report.left_out)
        plan = planning.plan(queue, balances, gross_limit=0 if net_only else desk.config.gross_limit)
        if not plan.obligation_ids:
            break
        progress(f"settling {len(plan.obligation_ids)} obligations {plan.kind}")
        obligations = [desk.obligation(waiting.members[identifier]) for identifier in plan.obligation_ids]
        attempt = settle.settle_gross if plan.kind == "gross" else settle.settle_net
        outcome = attempt(desk, obligations)
        (report.gross if plan.kind == "gross" else report.net).extend(outcome.settled)
        refused = bool(outcome.left_out or outcome.banks_out)
        net_only = net_only or refused
        objections.update(list(outcome.objections))
        banks_out = outcome.banks_out | {
            bank: why for bank, why in outcome.objections.items() if objections[bank] > MAX_OBJECTIONS
        }
        report.left_out.update(_of_banks(waiting, banks_out))
        if plan.kind == "net":
            # What a payer would not sign alone may still be netted, say because it is in an open round.
            report.left_out.update(outcome.left_out)
    _tell_waiting(desk, report, unmatched)
    return report


def _of_banks(waiting: Waiting, banks_out: Mapping[str, str]) -> dict[str, str]:
    """Every obligation that one of these banks has part in, with why the bank is left out of the rest of the cycle."""
    return {
        identifier: banks_out[bank]
        for identifier in waiting.members
        for bank in sorted(waiting.parties(identifier) & banks_out.keys())
    }


def _open_today(waiting: Waiting, open_currencies: frozenset[str]) -> Waiting:
    """Keep what can settle now: every currency of the obligation is open."""
    return Waiting(
        {
            identifier: rows
            for identifier, rows in waiting.members.items()
            if all(row["currency"] in open_currencies for row in rows)
        }
    )


def _nudge(desk: Desk) -> None:
    """Let an idle ledger make a block when a failed settlement's deadline has passed by the clock: banks release what
    they consented to only when a final block shows it."""
    head_s, now_s = desk.ledger.final_head().timestamp_s, desk.ledger_now_s()
    passed = select(settlements.c.deadline_s).where(
        settlements.c.state == "void", settlements.c.deadline_s > head_s, settlements.c.deadline_s <= now_s
    )
    with desk.database.begin() as connection:
        deadline_s = connection.execute(passed.order_by(settlements.c.deadline_s.desc()).limit(1)).scalar()
    if deadline_s is not None:
        settle.make_block(desk, f"nudge:{deadline_s}")


def _tell_waiting(desk: Desk, report: CycleReport, unmatched: dict[str, str]) -> None:
    """Write down why each payment waits, and tell its bank when that is new."""
    with desk.database.begin() as connection:
        waiting, open_currencies = queueing.load_waiting(connection), days.open_currencies(connection, desk)
    reasons = queueing.explain(waiting, queueing.available(desk))
    told: dict[str, tuple[str, str]] = {uetr: ("UNMATCHED", why) for uetr, why in unmatched.items()}
    for identifier, rows in waiting.members.items():
        kind, why = _why(identifier, rows, reasons, report.left_out, open_currencies)
        report.waiting[identifier] = why
        told |= {row["uetr"]: (kind, why) for row in rows}
    current = select(payments.c.uetr, payments.c.reason_code, payments.c.reason)
    with desk.database.begin() as connection:
        before = {
            row["uetr"]: row
            for row in connection.execute(
                current.where(payments.c.state.in_((State.QUEUED, State.UNMATCHED)))
            ).mappings()
        }
        for uetr, (kind, why) in told.items():
            if before[uetr]["reason"] != why:
                values = {"reason_code": kind, "reason": why}
                connection.execute(update(payments).where(payments.c.uetr == uetr).values(values))
        news: dict[str, list[str]] = {}
        for uetr, (kind, why) in told.items():
            if before[uetr]["reason_code"] != kind:
                news.setdefault(why, []).append(uetr)
        for why, uetrs in news.items():
            life.record(connection, desk.now_s(), "waiting", uetrs=uetrs, detail=why)
        confirm.report_waiting(connection, desk, {uetr: why for why, uetrs in news.items() for uetr in uetrs})
    confirm.deliver(desk)


def _why(
    identifier: str,
    rows: Iterable[object],
    reasons: dict[str, str],
    left_out: dict[str, str],
    open_currencies: frozenset[str],
) -> tuple[str, str]:
    if identifier in left_out:
        return "LEFT_OUT", left_out[identifier]
    closed = {row["currency"] for row in rows} - open_currencies  # type: ignore[index]
    if closed:
        return "CLOSED", f"{', '.join(sorted(closed))} is closed now; it settles when the day is open"
    why = reasons.get(identifier, "it settles in the next cycle")
    return ("HELD" if why.startswith("held") else "SHORT"), why

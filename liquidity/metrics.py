"""What a day's outcome means: settlement, liquidity, delay, risk and cost, as the literature measures them.

Each function takes a :class:`liquidity.SimulationResult` (or a :class:`liquidity.Day`) and returns a pandas frame, or
exact numbers. Money is added up in exact integers, ratios are exact until they enter a frame. Column names end in the
unit: ``_minor`` minor units of the row's currency, ``_reporting`` those of the reporting currency, ``_s`` seconds.

References
----------
.. [LS] H. Leinonen, K. Soramäki, "Optimizing liquidity usage and settlement speed in payment systems", Bank of
   Finland Discussion Paper 16/1999: bounds of liquidity, delay indicator, turnover.
.. [KS] R. Koponen, K. Soramäki, "Intraday liquidity needs in a modern interbank payment system: a simulation
   approach", Bank of Finland Studies E:14, 1998.
.. [DP] M. Denbee, R. Garratt, P. Zimmerman, "Methods for evaluating liquidity provision in real-time gross
   settlement payment systems", Journal of Financial Market Infrastructures 1 (2012): liquidity against payments.
.. [BCBS] Basel Committee on Banking Supervision, "Monitoring tools for intraday liquidity management", BCBS 248, 2013.
.. [GS] M. Galbiati, K. Soramäki, "Liquidity-saving mechanisms and bank behaviour", Bank of England Working Paper
   400, 2010: liquidity cost against delay cost.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from liquidity.arrays import Int64s
from liquidity.day import SECONDS_A_DAY, Day
from liquidity.errors import InvalidField, shown
from liquidity.model import Queue
from liquidity.simulation.engine import NEVER
from liquidity.simulation.flows import (
    Exact,
    account_columns,
    bounds,
    by_currency,
    extremes,
    flows_of,
    is_settled,
    last_s,
    ratio,
    samples,
    sent_and_received,
    sums,
    until,
    used_by_currency,
    waiting_times,
    weighted_sums,
)
from liquidity.simulation.simulating import SimulationResult
from liquidity.terms import lowest_closing, make_terms

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_S = 300
"""Curves over time are sampled every five minutes unless told otherwise."""

NOT_COMPUTABLE = {
    "A(ii), beyond balances and credit lines": "collateral and unencumbered assets aren't part of a day",
    "B(i) payments on behalf of correspondent banking customers": "an obligation names direct participants only",
    "B(ii) intraday credit lines extended to customers": "what banks grant to customers isn't part of a day",
}
"""The monitoring tools of [BCBS] that the data don't allow, and why."""


# --- settlement -----------------------------------------------------------------------------------------------------


def settled(result: SimulationResult) -> pd.DataFrame:
    """Value and volume, per currency: legs and minor units submitted and settled; share = settled / submitted."""
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    counted = ~np.repeat(flows.legs.held, np.diff(flows.legs.leg_start))
    submitted, paid = by_currency(flows, counted), by_currency(flows, done)
    return pd.DataFrame(
        {
            "currency": flows.legs.currencies,
            "submitted_legs": np.bincount(flows.legs.currency[counted], minlength=len(submitted)),
            "settled_legs": np.bincount(flows.legs.currency[done], minlength=len(submitted)),
            "submitted_minor": submitted,
            "settled_minor": paid,
            "settled_share": [ratio(one, all_) for one, all_ in zip(paid, submitted, strict=True)],
        }
    )


def queue_over_time(result: SimulationResult, every_s: int = SAMPLE_S) -> pd.DataFrame:
    """What has entered and neither settled nor expired, by count and value: ``queued(t) = entered(t) − left(t)``.

    One row for each ``every_s`` seconds from the first arrival to the last closing, at the end of that second.
    """
    import pandas as pd

    flows = flows_of(result.day)
    entered = result.entered_at_s != NEVER
    stayed = entered & (result.policy.queued | (result.settled_at_s != NEVER))  # what is rejected never waits
    left_s = np.where(result.settled_at_s != NEVER, result.settled_at_s, last_s(result.day, flows))
    at_s = samples(flows, every_s)
    columns: dict[str, Exact] = {"time_s": at_s}
    ones = np.ones(len(entered), dtype=np.int64)
    columns["queued_count"] = until(at_s, result.entered_at_s[stayed], ones[stayed]) - until(
        at_s, left_s[stayed], ones[stayed]
    )
    for number, currency in enumerate(flows.legs.currencies):
        mine = stayed[flows.obligation] & (flows.legs.currency == number)
        owner, amount = flows.obligation[mine], flows.amount[mine]
        came, went = until(at_s, result.entered_at_s[owner], amount), until(at_s, left_s[owner], amount)
        columns[f"queued_{currency}_minor"] = came - went
    return pd.DataFrame(columns)


def throughput(result: SimulationResult, every_s: int = SAMPLE_S) -> pd.DataFrame:
    """Shares of the day's submitted value that had arrived and had settled by each second, in the reporting currency.

    ``settled_share(t) = Σ value settled until t / Σ value submitted``.
    """
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    at_s = samples(flows, every_s)
    total = flows.worth(by_currency(flows, np.ones(len(flows.amount), dtype=np.bool_)))
    arrived, paid = (np.zeros(len(at_s), dtype=object) for _ in range(2))
    for number, rate in enumerate(flows.rates):
        mine = flows.legs.currency == number
        when = flows.ready_s[flows.obligation]
        arrived += rate * until(at_s, when[mine], flows.amount[mine]).astype(object)
        when = result.settled_at_s[flows.obligation]
        paid += rate * until(at_s, when[mine & done], flows.amount[mine & done]).astype(object)
    return pd.DataFrame(
        {
            "time_s": at_s,
            "arrived_share": [ratio(one, total) for one in arrived],
            "settled_share": [ratio(one, total) for one in paid],
        }
    )


# --- liquidity ------------------------------------------------------------------------------------------------------


def liquidity_used(result: SimulationResult) -> pd.DataFrame:
    """Per bank and currency what it sent, received, and its liquidity used: the peak net debit [LS].

    ``used = max over t of max(0, sent until t − received until t)``, at the ends of batches: what a batch nets within
    itself uses no liquidity. It is not the opening balance, which may lie idle.
    """
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    used = extremes(flows, result.batch[flows.obligation], done).debit
    sent, received = sent_and_received(flows, done)
    return pd.DataFrame({**account_columns(flows), "sent_minor": sent, "received_minor": received, "used_minor": used})


def turnover(result: SimulationResult) -> pd.DataFrame:
    """Per currency how often a unit of liquidity was paid on: ``value settled / Σ liquidity used`` [LS]."""
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    paid = by_currency(flows, done)
    used = used_by_currency(result, flows)
    return pd.DataFrame(
        {
            "currency": flows.legs.currencies,
            "settled_minor": paid,
            "used_minor": used,
            "turnover_ratio": [ratio(one, other) for one, other in zip(paid, used, strict=True)],
        }
    )


def netting(result: SimulationResult) -> pd.DataFrame:
    """Per currency, how much of what the runs settled was offset: ``ratio = 1 − Σ net debits / Σ gross``.

    Net debits are each account's in each run. The day's own figures say what one run at its end could have saved:
    ``1 − Σ max(0, sent − received) / Σ sent`` over everything submitted [LS].
    """
    import pandas as pd

    flows = flows_of(result.day)
    width, accounts = len(flows.legs.currencies), len(flows.accounts)
    run_number = np.full(int(result.batch.max(initial=NEVER)) + 2, NEVER)
    netted_in = result.run_batch[result.run_batch != NEVER]
    run_number[netted_in] = np.arange(len(netted_in))
    run = run_number[result.batch[flows.obligation]]  # batch −1 reads the last entry, which is −1
    mine = run != NEVER
    paid, received = (run[mine] * accounts + side[mine] for side in (flows.payer, flows.payee))
    keys, where = np.unique(np.concatenate((paid, received)), return_inverse=True)
    debit = sums(where, np.concatenate((flows.amount[mine], -flows.amount[mine])), len(keys))
    net = sums(keys % width, np.maximum(debit, 0), width)
    gross = by_currency(flows, mine)
    everything = np.ones(len(flows.amount), dtype=np.bool_)
    sent, got = sent_and_received(flows, everything)
    day_net = sums(np.arange(accounts) % width, np.maximum(sent - got, 0), width)
    day_gross = by_currency(flows, everything)
    return pd.DataFrame(
        {
            "currency": flows.legs.currencies,
            "gross_in_runs_minor": gross,
            "net_in_runs_minor": net,
            "netting_ratio": [ratio(one - other, one) for one, other in zip(gross, net, strict=True)],
            "day_gross_minor": day_gross,
            "day_net_minor": day_net,
            "day_netting_ratio": [ratio(one - other, one) for one, other in zip(day_gross, day_net, strict=True)],
        }
    )


def liquidity_bounds(day: Day) -> pd.DataFrame:
    """Per bank and currency the least liquidity that settles the whole day, and the least that delays nothing [KS, LS].

    ``lower = max(0, sent − received)`` over the day: what it needs if everything is netted at the end.
    ``upper = max over t of max(0, sent until t − received until t)`` if each obligation settles when it arrives, one
    after the other: with that much nothing ever waits.
    """
    import pandas as pd

    flows = flows_of(day)
    lower, upper = bounds(flows)
    sent, received = sent_and_received(flows, np.ones(len(flows.amount), dtype=np.bool_))
    return pd.DataFrame(
        {
            **account_columns(flows),
            "sent_minor": sent,
            "received_minor": received,
            "lower_minor": lower,
            "upper_minor": upper,
        }
    )


def with_liquidity(day: Day, alpha: Fraction | int) -> Day:
    """The same day, opening with ``LB + α (UB − LB)`` in each account, rounded up; no floors and no credit lines.

    The α-sweep of [LS]: α = 0 is the least that could settle everything by netting, α = 1 the least with which nothing
    waits. Raises :class:`InvalidField` for an α that is no exact ratio from 0 to 1.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | Fraction) or not 0 <= alpha <= 1:
        raise InvalidField("alpha", "must be a ratio of integers from 0 to 1, as Fraction(1, 2)", shown(alpha))
    flows = flows_of(day)
    lower, upper = bounds(flows)
    balances: dict[str, dict[str, int]] = {bank: {} for bank in flows.legs.banks}
    for (bank, currency), low, high in zip(flows.accounts, lower.tolist(), upper.tolist(), strict=True):
        balances[bank][currency] = low - (-(high - low) * Fraction(alpha) // 1)
    return replace(day, balances=balances, floors={})


def fairness(result: SimulationResult) -> pd.DataFrame:
    """Per bank and currency, liquidity provided over own share of payments [DP].

    ``ratio = (used / Σ used) / (sent / Σ sent)``; above 1 a bank provides more than its share of the payments, below 1
    it recycles others' money. Accounts that sent nothing have no ratio.
    """
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    used = extremes(flows, result.batch[flows.obligation], done).debit
    sent, _ = sent_and_received(flows, done)
    all_used, all_sent = used_by_currency(result, flows), by_currency(flows, done)
    width = len(all_used)
    used_share = [Fraction(int(one), int(all_used[at % width]) or 1) for at, one in enumerate(used)]
    sent_share = [Fraction(int(one), int(all_sent[at % width]) or 1) for at, one in enumerate(sent)]
    return pd.DataFrame(
        {
            **account_columns(flows),
            "liquidity_share": [float(one) for one in used_share],
            "payments_share": [float(one) for one in sent_share],
            "ratio": [ratio(one, other) for one, other in zip(used_share, sent_share, strict=True)],
        }
    )


# --- delay, risk and cost -------------------------------------------------------------------------------------------


def delays(result: SimulationResult) -> pd.DataFrame:
    """Per currency the delay indicator [LS] and the value-weighted delay.

    ``indicator = Σ v (s − a) / Σ v (T − a)``: queued value × time, over the same if everything waited to the end. a is
    when an obligation could settle by the calendar (the later of arrival and opening), s when it settled, T its
    currencies' closing; what doesn't settle has s = T. 0: nothing waits; 1: everything waits to the end.
    ``value_weighted_delay_s = Σ v (s − a) / Σ v`` over what settled.
    """
    import pandas as pd

    flows = flows_of(result.day)
    waited, could_wait, waited_settled = waiting_times(result, flows)
    paid = by_currency(flows, is_settled(result, flows))
    return pd.DataFrame(
        {
            "currency": flows.legs.currencies,
            "waited_minor_s": waited,
            "could_wait_minor_s": could_wait,
            "delay_indicator": [ratio(one, other, 0.0) for one, other in zip(waited, could_wait, strict=True)],
            "value_weighted_delay_s": [ratio(one, int(v)) for one, v in zip(waited_settled, paid, strict=True)],
        }
    )


def split_pvp(day: Day) -> tuple[Day, Int64s]:
    """The same day without PvP: every leg an obligation of its own, ``<id>/<leg number>``; and whose leg each was.

    Each leg arrives when its obligation did and keeps its cut-off and priority, but follows its own currency's hours:
    that is how two RTGS settle the two sides of a trade on their own.
    """
    arrays = day.queue.arrays()
    if arrays is None:
        raise InvalidField("day.queue", "must have amounts of at most 64 bits to be split")
    counts = np.diff(arrays.leg_start)
    whole = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(whole)) - np.repeat(arrays.leg_start[:-1], counts)
    ids = day.queue.ids
    queue = Queue.from_arrays(
        banks=arrays.banks,
        currencies=arrays.currencies,
        payer=arrays.payer,
        payee=arrays.payee,
        currency=arrays.currency,
        amount=arrays.amount,
        priority=None if arrays.priority is None else arrays.priority[whole],
        leg_priority=arrays.leg_priority,
        held=arrays.held[whole],
        ids=[f"{ids[number]}/{leg}" for number, leg in zip(whole.tolist(), within.tolist(), strict=True)],
    )
    latest_s = None if day.latest_s is None else day.latest_s[whole]
    return replace(day, queue=queue, arrival_s=day.arrival_s[whole], latest_s=latest_s), whole


def principal_at_risk(result: SimulationResult, whole: Int64s | None = None) -> pd.DataFrame:
    """Per currency, value × time paid but not yet received: Herstatt risk.

    ``Σ v (last − s)`` over the legs that settled, s being when, and last when the last leg of the same obligation
    settled, or the last closing of the day if one never did. ``unreciprocated_minor`` is what had been paid for
    nothing at the end. With PvP all legs settle at once and both are 0 by construction; pass the second value of
    :func:`split_pvp` as ``whole`` (n) to link the legs of a day that was split.
    """
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    group = np.arange(len(result.settled_at_s)) if whole is None else np.asarray(whole)
    if len(group) != len(result.settled_at_s):
        raise InvalidField("whole", f"must have {len(result.settled_at_s)} entries", str(len(group)))
    end_s = int(flows.close_s.max(initial=0))
    until_s = np.where(result.settled_at_s == NEVER, end_s, result.settled_at_s)
    count = int(group.max(initial=-1)) + 1
    last_s, incomplete = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    np.maximum.at(last_s, group, until_s)
    np.logical_or.at(incomplete, group, result.settled_at_s == NEVER)
    exposed_s = (last_s[group] - until_s)[flows.obligation]
    width = len(flows.legs.currencies)
    currency = flows.legs.currency[done].astype(np.int64)
    unmet = done & incomplete[group][flows.obligation]
    return pd.DataFrame(
        {
            "currency": flows.legs.currencies,
            "at_risk_minor_s": weighted_sums(currency, flows.amount[done], exposed_s[done], width),
            "unreciprocated_minor": by_currency(flows, unmet),
        }
    )


def costs(
    result: SimulationResult, *, liquidity_rate: Fraction | int, delay_rate: Fraction | int
) -> tuple[Fraction, Fraction]:
    """Liquidity cost and delay cost of the day, exact, in minor units of the reporting currency [GS].

    ``liquidity cost = liquidity_rate × Σ liquidity used``, ``delay cost = delay_rate × Σ v (s − a) / 86,400``: each
    rate is per unit of value, for having it available on the day and for a day's delay. Obligations that don't settle
    count as delayed to their closing.
    """
    flows = flows_of(result.day)
    waited, _, _ = waiting_times(result, flows)
    used = flows.worth(used_by_currency(result, flows))
    return Fraction(liquidity_rate) * used, Fraction(delay_rate) * flows.worth(waited) / SECONDS_A_DAY


# --- supervision ----------------------------------------------------------------------------------------------------


def monitoring(result: SimulationResult) -> pd.DataFrame:
    """Per bank and currency the tools A(i) to A(iv) of [BCBS], as far as a day has the data.

    A(i) daily maximum intraday liquidity usage: the largest negative and positive net cumulative position, ≥ 0 both.
    A(ii) available intraday liquidity at the start: opening balance less the least that the account may fall to, that
    is, balance and credit line. A(iii) total payments: gross sent and received. A(iv) time-specific obligations:
    those with a cut-off of their own, how many legs the bank has in them, their value, and what settled in time.
    See :data:`NOT_COMPUTABLE` for the rest.
    """
    import pandas as pd

    day, flows = result.day, flows_of(result.day)
    done = is_settled(result, flows)
    peaks = extremes(flows, result.batch[flows.obligation], done)
    sent, received = sent_and_received(flows, done)
    terms = make_terms(day.balances, day.floors, day.limits)
    available = [terms.opening.get(one, 0) - lowest_closing(terms, one) for one in flows.accounts]
    timed = np.zeros(len(flows.amount), dtype=np.bool_)
    if day.latest_s is not None:
        timed = ((day.latest_s < flows.close_s) & ~flows.legs.held)[flows.obligation]
    count = len(flows.accounts)
    return pd.DataFrame(
        {
            **account_columns(flows),
            "largest_negative_position_minor": peaks.debit,
            "largest_positive_position_minor": peaks.credit,
            "available_at_start_minor": available,
            "sent_minor": sent,
            "received_minor": received,
            "time_specific_legs": np.bincount(flows.payer[timed], minlength=count),
            "time_specific_minor": sums(flows.payer[timed], flows.amount[timed], count),
            "time_specific_settled_minor": sums(flows.payer[timed & done], flows.amount[timed & done], count),
        }
    )


def intraday_throughput(result: SimulationResult, every_s: int = 3600) -> pd.DataFrame:
    """Tool C(i) of [BCBS]: the share of its day's settled payments that each bank had sent by each hour."""
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    at_s = samples(flows, every_s)
    bucket = np.searchsorted(at_s, result.settled_at_s[flows.obligation][done])
    accounts = len(flows.accounts)
    table = sums(bucket * accounts + flows.payer[done], flows.amount[done], len(at_s) * accounts)
    sent = np.cumsum(table.reshape(len(at_s), accounts), axis=0)
    banks = np.flatnonzero(sent[-1]) if len(at_s) else np.zeros(0, dtype=np.int64)
    names = [flows.accounts[account] for account in banks.tolist()]
    return pd.DataFrame(
        {
            "bank": np.repeat([bank for bank, _ in names], len(at_s)),
            "currency": np.repeat([currency for _, currency in names], len(at_s)),
            "time_s": np.tile(at_s, len(names)),
            "sent_share": (sent[:, banks].astype(np.float64) / sent[-1:, banks].astype(np.float64)).T.ravel(),
        }
    )


# --- all in one row -------------------------------------------------------------------------------------------------


def metrics(result: SimulationResult) -> pd.DataFrame:
    """Everything above that is one number for the whole day, as one row; values in the reporting currency."""
    import pandas as pd

    flows = flows_of(result.day)
    done = is_settled(result, flows)
    everything = np.ones(len(flows.amount), dtype=np.bool_)
    submitted, paid = flows.worth(by_currency(flows, everything)), flows.worth(by_currency(flows, done))
    used = flows.worth(used_by_currency(result, flows))
    waited, could_wait, waited_settled = (flows.worth(one) for one in waiting_times(result, flows))
    width = len(flows.legs.currencies)
    currency = np.arange(len(flows.accounts)) % width
    lower, upper = (flows.worth(sums(currency, one, width).tolist()) for one in bounds(flows))
    offset = netting(result)
    gross, net = (flows.worth(offset[f"{one}_in_runs_minor"].tolist()) for one in ("gross", "net"))
    waiting = queue_over_time(result)
    row = {
        "policy": result.policy.name,
        "seed": result.seed,
        "submitted_count": int((~flows.legs.held).sum()),
        "settled_count": int((result.settled_at_s != NEVER).sum()),
        "submitted_value_reporting": float(submitted),
        "settled_value_reporting": float(paid),
        "settled_value_share": ratio(paid, submitted),
        "liquidity_used_reporting": float(used),
        "liquidity_lower_bound_reporting": float(lower),
        "liquidity_upper_bound_reporting": float(upper),
        "turnover_ratio": ratio(paid, used),
        "delay_indicator": ratio(waited, could_wait, 0.0),
        "value_weighted_delay_s": ratio(waited_settled, paid),
        "most_queued_count": int(waiting["queued_count"].max()) if len(waiting) else 0,
        "runs_count": len(result.run_at_s),
        "netting_ratio": ratio(gross - net, gross),
    }
    return pd.DataFrame([row])

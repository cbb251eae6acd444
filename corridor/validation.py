"""The second level of refusal: a readable transaction that the corridor doesn't take, by rules in a fixed order.

The first rule that refuses decides, so a transaction with several faults always gets the same code. What needs the
store (the UETR was used with other content: AM05) is decided there; the code table is this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from corridor.calendars import Calendar, cutoff_at_s, is_business_day
from corridor.iso20022.codes import REASON_CODES, Refusal
from corridor.iso20022.reading import CreditTransfer
from corridor.money import MINOR_UNIT_DIGITS, AmountError, Money, parse_amount

__all__ = [
    "MAX_AMOUNT_MINOR",
    "PRECEDENCE",
    "REASON_CODES",
    "ParticipantStatus",
    "Refusal",
    "Rules",
    "refusal",
    "settlement_date",
]

# HKD 1,000,000,000,000.00. A full message of such amounts (20,000 of them) still adds up in 64 bits, in the store and
# in the liquidity engine alike.
MAX_AMOUNT_MINOR = 10**14


class ParticipantStatus(Enum):
    """Whether a participant may start anything new."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a transaction is judged by.

    Attributes:
        participants: status by BIC11.
        calendars: by currency; these are the corridor's currencies.
        business_date: the day that is open.
        horizon_days: how many calendar days ahead a value date may lie (it is warehoused until then).
        now_s: the time, in seconds since 1970, of the clock that decides cut-offs.
    """

    participants: Mapping[str, ParticipantStatus]
    calendars: Mapping[str, Calendar]
    business_date: date
    horizon_days: int
    now_s: int


def settlement_date(transaction: CreditTransfer, rules: Rules) -> date:
    """The day on which a transaction is to settle: its value date, or the business date if it names none."""
    return transaction.value_date or rules.business_date


def refusal(transaction: CreditTransfer, rules: Rules, *, sender_bic: str) -> Refusal | None:
    """Why the corridor doesn't take ``transaction`` from ``sender_bic`` (BIC11); None when it does.

    The rules, in their order of precedence, are :data:`PRECEDENCE`.
    """
    for rule in PRECEDENCE:
        found = rule(transaction, rules, sender_bic)
        if found is not None:
            return found
    return None


def _currencies(transaction: CreditTransfer) -> tuple[str, ...]:
    """The currencies it needs open: both of a PvP trade."""
    return (transaction.currency, *((transaction.pvp.bought_currency,) if transaction.pvp else ()))


def _amounts(transaction: CreditTransfer) -> tuple[tuple[str, str], ...]:
    pvp = transaction.pvp
    bought = ((pvp.bought_currency, pvp.bought_amount_text),) if pvp else ()
    return ((transaction.currency, transaction.amount_text), *bought)


def _uetr_missing(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    if transaction.uetr is None:
        return Refusal("NARR", "The UETR is missing: every transaction here has one")
    return None


def _message_fault(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    return transaction.fault


def _zero_amount(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    if not transaction.amount_text.strip("0."):
        return Refusal("AM01", f"The amount is {transaction.currency} {transaction.amount_text}")
    return None


def _unknown_currency(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    for currency in _currencies(transaction):
        if currency not in rules.calendars or currency not in MINOR_UNIT_DIGITS:
            known = ", ".join(sorted(rules.calendars))
            return Refusal("AM03", f"{currency} is not a currency of this corridor ({known})")
    return None


def _inexpressible_amount(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    for currency, text in _amounts(transaction):
        try:
            amount_minor = parse_amount(currency, text)
        except AmountError as error:
            return Refusal("AM12", error.message)
        if amount_minor > MAX_AMOUNT_MINOR:
            most = Money(currency, MAX_AMOUNT_MINOR)
            return Refusal("NARR", f"{currency} {text} is more than {most}, the most that is taken in one payment")
    return None


def _not_a_participant(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    for role, bic in (("payer", transaction.payer_bic), ("payee", transaction.payee_bic)):
        if not bic:
            return Refusal("RC01", f"No BIC names the {role}'s bank")
        if bic not in rules.participants:
            return Refusal("RC01", f"{bic}, named as the {role}'s bank, is not a participant")
    return None


def _sender_is_not_payer(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    # The external list has no code for it that fits (DS0H speaks of signers of an account), so a sentence says it.
    if sender_bic != transaction.payer_bic:
        return Refusal("NARR", f"{sender_bic} can't instruct what {transaction.payer_bic} pays")
    return None


def _forbidden(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    if transaction.payer_bic == transaction.payee_bic:
        return Refusal("AG01", f"{transaction.payer_bic} is payer and payee")
    for bic in (transaction.payer_bic, transaction.payee_bic):
        if rules.participants[bic] is ParticipantStatus.SUSPENDED:
            return Refusal("AG01", f"{bic} is suspended")
    return None


def _agent_suspended(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    for bic in transaction.agent_bics:
        if rules.participants.get(bic) is ParticipantStatus.SUSPENDED:
            return Refusal("AG10", f"The agent {bic} is suspended")
    return None


def _value_date(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    day = settlement_date(transaction, rules)
    if day < rules.business_date:
        return Refusal("DT01", f"The value date {day} is before the business date {rules.business_date}")
    last = rules.business_date + timedelta(days=rules.horizon_days)
    if day > last:
        return Refusal("DT01", f"The value date {day} is beyond {last}, the last that is taken now")
    for currency in _currencies(transaction):
        if not is_business_day(day, rules.calendars[currency]):
            return Refusal("DT01", f"{day} is not a business day for {currency}")
    return None


def _after_cut_off(transaction: CreditTransfer, rules: Rules, sender_bic: str) -> Refusal | None:
    day = settlement_date(transaction, rules)
    for currency in _currencies(transaction):
        if rules.now_s >= cutoff_at_s(day, rules.calendars[currency]):
            return Refusal("TM01", f"{currency} is past its cut-off for {day}")
    return None


_Rule = Callable[[CreditTransfer, Rules, str], Refusal | None]

PRECEDENCE: tuple[_Rule, ...] = (
    _uetr_missing,  # NARR: nothing can be answered, or sent again, without it
    _message_fault,  # NARR: incomplete PvP terms
    _zero_amount,  # AM01
    _unknown_currency,  # AM03, also of the currency bought
    _inexpressible_amount,  # AM12 (NARR if it is too large), also of the amount bought
    _not_a_participant,  # RC01
    _sender_is_not_payer,  # NARR: a bank instructs only what it pays itself
    _forbidden,  # AG01
    _agent_suspended,  # AG10
    _value_date,  # DT01
    _after_cut_off,  # TM01
)

"""Money: an integer count of minor units with a currency. No float comes near it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from corridor.errors import CorridorError

# ISO 4217 minor units of the currencies a corridor can be configured with.
MINOR_UNIT_DIGITS = {"HKD": 2, "THB": 2, "CNY": 2, "USD": 2, "EUR": 2, "SGD": 2, "JPY": 0, "KRW": 0}

_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]*)?|\.[0-9]+")


class AmountError(CorridorError):
    """An amount that its currency cannot express; ``facts['reason']`` is ``syntax``, ``zero`` or ``decimals``."""

    code = "AMOUNT"


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """``amount_minor`` minor units of ``currency``."""

    currency: str
    amount_minor: int

    def __str__(self) -> str:
        return f"{self.currency} {format_minor(self.currency, self.amount_minor)}"


def parse_amount(currency: str, text: str) -> int:
    """Return the minor units that a decimal ``text`` says, exactly.

    Trailing zeros beyond the currency's decimals are harmless; any other digit there is refused.

    Raises:
        AmountError: ``text`` is not a non-negative decimal, is zero, or has more decimals than ``currency`` has.
        KeyError: ``currency`` is unknown (callers check the currency first).
    """
    digits = MINOR_UNIT_DIGITS[currency]
    if not _AMOUNT.fullmatch(text):
        raise AmountError(f"'{text}' is not an amount", reason="syntax")
    whole, _, fraction = text.partition(".")
    if fraction[digits:].strip("0"):
        raise AmountError(f"{currency} has {digits} decimals, '{text}' has more", reason="decimals")
    amount_minor = int((whole or "0") + fraction[:digits].ljust(digits, "0"))
    if amount_minor == 0:
        raise AmountError("the amount is zero", reason="zero")
    return amount_minor


def format_minor(currency: str, amount_minor: int, *, grouped: bool = True) -> str:
    """Return ``amount_minor`` as a decimal with the currency's decimals, e.g. ``1,234.50``."""
    digits = MINOR_UNIT_DIGITS[currency]
    sign, units = ("-" if amount_minor < 0 else ""), abs(amount_minor)
    whole, fraction = divmod(units, 10**digits)
    whole_text = f"{whole:,}" if grouped else str(whole)
    return f"{sign}{whole_text}.{fraction:0{digits}d}" if digits else f"{sign}{whole_text}"

"""The corridor's configuration: who takes part, in which currencies, by which calendar and rules. TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from corridor.calendars import Calendar, CalendarError, calendar_from
from corridor.errors import CorridorError
from corridor.model import is_bic, is_integer
from corridor.money import MINOR_UNIT_DIGITS, AmountError, parse_amount

# Banks sign nothing that stays valid for more than 900 s; a minute is left for a proposal made again.
MAX_CONSENT_LIFETIME_S = 840


class ConfigError(CorridorError):
    """A configuration that can't be used; the message names the entry."""

    code = "CONFIG"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of the corridor: its deposit token's name, its issuer, its business days and hours."""

    code: str
    name: str
    country: str
    issuer: str
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Participant:
    """A bank: what its central bank issues to it at the start, and the net debit it allows itself (minor units)."""

    bic: str
    name: str
    lei: str
    opening_minor: Mapping[str, int]
    debit_limits_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is set, and nothing that happens."""

    operator_bic: str
    clock: Literal["business", "system"]
    finality_blocks: int
    consent_lifetime_s: int
    gross_limit: int
    horizon_days: int
    blocked: frozenset[str]
    schemas: str
    currencies: Mapping[str, Currency]
    participants: Mapping[str, Participant]


def default_text() -> str:
    """Return the configuration that is used where none is named."""
    return resources.files("corridor").joinpath("default.toml").read_text()


def parse_config(text: str) -> Config:
    """Return the configuration that TOML ``text`` says; :class:`ConfigError` names what is wrong with it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration is no TOML: {error}") from error
    currencies = {code: _currency(code, entry) for code, entry in _section(raw, "currencies").items()}
    participants = {bic: _participant(bic, entry, currencies) for bic, entry in _section(raw, "participants").items()}
    clock = _text(raw, "clock", "clock")
    if clock not in ("business", "system"):
        raise ConfigError("clock: must be 'business' or 'system'")
    blocked = raw.get("blocked", [])
    if not isinstance(blocked, list) or not all(isinstance(item, str) and item for item in blocked):
        raise ConfigError("blocked: must be a list of texts")
    return Config(
        _bic(_text(raw, "operator_bic", "operator_bic"), "operator_bic"),
        "business" if clock == "business" else "system",
        _count(raw, "finality_blocks", 0),
        _count(raw, "consent_lifetime_s", 30, MAX_CONSENT_LIFETIME_S),
        _count(raw, "gross_limit", 0),
        _count(raw, "horizon_days", 0),
        frozenset(blocked),
        _schemas(raw),
        currencies,
        participants,
    )


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name)
    if not isinstance(section, dict) or not section or not all(isinstance(one, dict) for one in section.values()):
        raise ConfigError(f"{name}: must be a table with at least one entry, each a table")
    return section


def _text(raw: Mapping[str, Any], key: str, where: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: must be a text")
    return value


def _count(raw: Mapping[str, Any], key: str, least: int, most: int = 1_000_000) -> int:
    value = raw.get(key)
    if not is_integer(value, least, most):
        raise ConfigError(f"{key}: must be an integer from {least} to {most}")
    return int(value)  # type: ignore[arg-type]


def _bic(bic: str, where: str) -> str:
    if not is_bic(bic):
        raise ConfigError(f"{where}: a BIC of eleven upper-case characters is needed, not '{bic}'")
    return bic


def _schemas(raw: Mapping[str, Any]) -> str:
    """The directory with the official XSDs; empty where there is none."""
    value = raw.get("schemas", "")
    if not isinstance(value, str):
        raise ConfigError("schemas: must be the path of a directory with the official XSDs, or empty")
    return value


def _currency(code: str, entry: Mapping[str, Any]) -> Currency:
    where = f"currencies.{code}"
    if code not in MINOR_UNIT_DIGITS:
        raise ConfigError(f"{where}: known currencies are {', '.join(sorted(MINOR_UNIT_DIGITS))}")
    try:
        calendar = calendar_from(code, entry.get("calendar"))
    except CalendarError as error:
        raise ConfigError(f"{where}: {error.message}") from error
    name, country, issuer = (_text(entry, key, f"{where}.{key}") for key in ("name", "country", "issuer"))
    return Currency(code, name, country, issuer, calendar)


def _participant(bic: str, entry: Mapping[str, Any], currencies: Mapping[str, Currency]) -> Participant:
    where = f"participants.{bic}"
    _bic(bic, where)
    if bic[4:6] not in {currency.country for currency in currencies.values()}:
        raise ConfigError(f"{where}: no currency has {bic[4:6]} as its country, so no issuer can admit this bank")
    name, lei = (_text(entry, key, f"{where}.{key}") for key in ("name", "lei"))
    opening = _amounts(entry.get("opening_balance", {}), f"{where}.opening_balance", currencies)
    for code in opening:
        if currencies[code].country != bic[4:6]:
            raise ConfigError(f"{where}.opening_balance: {code} is issued to banks of {currencies[code].country} only")
    limits = _amounts(entry.get("debit_limit", {}), f"{where}.debit_limit", currencies)
    return Participant(bic, name, lei, opening, limits)


def _amounts(raw: Any, where: str, currencies: Mapping[str, Currency]) -> dict[str, int]:
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: must be a table of currency and amount")
    amounts = {}
    for code, amount in raw.items():
        if code not in currencies or not isinstance(amount, str):
            raise ConfigError(f"{where}.{code}: must be an amount, as text, in a currency of the corridor")
        try:
            amounts[code] = parse_amount(code, amount)
        except AmountError as error:
            raise ConfigError(f"{where}.{code}: {error.message}") from error
    return amounts

"""What a central bank does: admit and suspend banks of its jurisdiction, issue and redeem its deposit token."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from corridor.ledger import contracts
from corridor.ledger.contracts import Call, ParticipantStatus
from corridor.ledger.records import RedemptionRequest, RedemptionState
from corridor.money import format_minor, parse_amount
from scripts import _common
from scripts._common import Command, KeyOptions, Place, Unusable

_BANK = click.argument("bic", callback=_common.bank_code)
_REFERENCE = click.option(
    "--reference", required=True, help="The reserve account's booking reference; each is used once for a currency."
)


@click.group()
def cli() -> None:
    """For a central bank: admit, suspend, reinstate banks; issue and redeem the deposit token."""


@cli.command(cls=Command)
@_BANK
@click.argument("lei")
@click.argument("address")
@_common.key_options
@_common.place_options
def admit(
    provider: Any, bic: str, lei: str, address: str, key: KeyOptions, data_dir: Path, addresses: Path | None
) -> None:
    """Admit bank BIC with its LEI; ADDRESS is that of its key. Signed by the central bank of its country."""
    if not _common.is_address(address):
        raise click.BadParameter(f"{address} is no address: 0x and 40 hexadecimal digits", param_hint="ADDRESS")
    with _common.place(provider, data_dir, addresses) as where:
        record = contracts.participant(where.ledger, where.deployment.registry, bic)
        if (record.lei, record.key.lower(), record.status) == (lei, address.lower(), ParticipantStatus.ACTIVE):
            click.echo(f"{bic} is admitted already, with this LEI and key; nothing was sent")
            return
        call = contracts.admit(where.deployment.registry, bic, lei, address.lower())
        by = _common.signer(where, key, _home_of_country(where, bic[4:6]))
        _common.told(_common.send(where, by, call, f"admit:{bic}"), f"{bic} is admitted, LEI {lei}, key {address}")


@cli.command(cls=Command)
@_BANK
@_common.key_options
@_common.place_options
def suspend(provider: Any, bic: str, key: KeyOptions, data_dir: Path, addresses: Path | None) -> None:
    """Suspend bank BIC: it starts nothing new; what is locked can still be claimed and refunded."""
    with _common.place(provider, data_dir, addresses) as where:
        call = contracts.suspend(where.deployment.registry, bic)
        _change_status(where, key, bic, call, ParticipantStatus.SUSPENDED)


@cli.command(cls=Command)
@_BANK
@_common.key_options
@_common.place_options
def reinstate(provider: Any, bic: str, key: KeyOptions, data_dir: Path, addresses: Path | None) -> None:
    """Reinstate the suspended bank BIC."""
    with _common.place(provider, data_dir, addresses) as where:
        call = contracts.reinstate(where.deployment.registry, bic)
        _change_status(where, key, bic, call, ParticipantStatus.ACTIVE)


@cli.command(cls=Command)
@click.argument("currency")
@_BANK
@click.argument("amount")
@_REFERENCE
@_common.key_options
@_common.place_options
def issue(
    provider: Any,
    currency: str,
    bic: str,
    amount: str,
    reference: str,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Issue AMOUNT (say 1000000.00) of CURRENCY to bank BIC against reserves. Sending it again changes nothing."""
    with _common.place(provider, data_dir, addresses) as where:
        token, amount_minor = _token(where, currency), parse_amount(currency, amount)
        hashed = _common.reference_hash(reference)
        by = _common.signer(where, key, where.data_dir / "issuers" / currency)
        call = contracts.issue(token, bic, amount_minor, hashed)
        purpose = f"issue:{currency}:{bic}:{amount_minor}:{hashed.hex()}"
        receipt = _common.send(where, by, call, purpose)
        _common.told(receipt, f"issued {currency} {format_minor(currency, amount_minor)} to {bic}, {reference}")


@cli.command(cls=Command)
@click.argument("currency")
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--reference", help="Fulfil: the reserve account's booking reference; each is used once for a currency.")
@click.option("--refuse", is_flag=True, help="Refuse: the bank has its tokens back.")
@_common.key_options
@_common.place_options
def redeem(
    provider: Any,
    currency: str,
    number: int | None,
    reference: str | None,
    refuse: bool,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Answer request NUMBER of a bank to redeem CURRENCY: --reference fulfils it, --refuse refuses it.

    Without NUMBER: list the open requests. A bank asks with: ape run bank redeem.
    """
    if number is not None and (reference is None) != refuse:
        raise click.UsageError("answer a request with either --reference or --refuse")
    with _common.place(provider, data_dir, addresses) as where:
        token = _token(where, currency)
        requests = {one.number: one for one in contracts.redemption_requests(where.ledger, token)}
        if number is None:
            _list_open(currency, requests.values())
            return
        if number not in requests:
            raise Unusable(f"there is no request {number} for {currency}", next_step="List them: leave NUMBER out")
        by = _common.signer(where, key, where.data_dir / "issuers" / currency)
        if refuse:
            call, done = contracts.refuse_redemption(token, number), "refused"
        else:
            hashed = _common.reference_hash(reference or "")
            call, done = contracts.fulfil_redemption(token, number, hashed), f"fulfilled, {reference}"
        asked = requests[number]
        receipt = _common.send(where, by, call, f"redemption:{currency}:{number}:{'refuse' if refuse else reference}")
        amount = format_minor(currency, asked.amount_minor)
        _common.told(receipt, f"request {number} of {asked.participant}, {currency} {amount}: {done}")


def _list_open(currency: str, requests: Iterable[RedemptionRequest]) -> None:
    open_ones = [one for one in requests if one.state is RedemptionState.REQUESTED]
    for one in open_ones:
        click.echo(f"{one.number}: {one.participant} asks for {currency} {format_minor(currency, one.amount_minor)}")
    if not open_ones:
        click.echo(f"no open requests to redeem {currency}")


def _change_status(where: Place, key: KeyOptions, bic: str, call: Call, wanted: ParticipantStatus) -> None:
    record = contracts.participant(where.ledger, where.deployment.registry, bic)
    if record.status is wanted:
        click.echo(f"{bic} is {wanted.name.lower()} already; nothing was sent")
        return
    by = _common.signer(where, key, _home_of_country(where, bic[4:6]))
    # A bank may be suspended many times; until this one is mined, the key's number of transactions names it.
    purpose = f"{wanted.name.lower()}:{bic}:{where.ledger.account_nonce(by.address)}"
    _common.told(_common.send(where, by, call, purpose), f"{bic} is {wanted.name.lower()}")


def _home_of_country(where: Place, country: str) -> Path:
    codes = [code for code, currency in where.config.currencies.items() if currency.country == country]
    return where.data_dir / "issuers" / (codes[0] if codes else country)


def _token(where: Place, currency: str) -> str:
    try:
        return where.deployment.tokens[currency]
    except KeyError:
        listed = ", ".join(sorted(where.deployment.tokens))
        raise Unusable(f"the corridor has no currency {currency}", next_step=f"It has: {listed}") from None

"""What the corridor operator does: put the contracts on a ledger, once, and run a settlement cycle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from corridor.config import Config
from corridor.ledger import deployment
from corridor.ledger.abi import contract
from corridor.ledger.contracts import REGISTRY, TOKEN
from corridor.ledger.deployment import Currency, Deployment, Jurisdiction, Plan
from corridor.money import MINOR_UNIT_DIGITS
from scripts import _common
from scripts._common import Command, KeyOptions, Place, Unusable

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "messages"
# The two sides of a trade, which a throwaway corridor settles to show a cycle.
_SHOWN = (("HKBAHKHHXXX", "01-pvp-hong-kong-bank-a.xml"), ("THBATHBKXXX", "02-pvp-thai-bank-a.xml"))


@click.group()
def cli() -> None:
    """For the corridor operator: deploy the contracts, run a settlement cycle."""


@cli.command(cls=Command)
@click.option("--issuer", "issuers", multiple=True, metavar="CURRENCY=ADDRESS", help="A currency's issuer; repeat it.")
@click.option("--operator", metavar="ADDRESS", help="The operator's key.  [default: the key that deploys]")
@click.option(
    "--business-date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Without --issuer: the first day to open."
)
@_common.key_options
@_common.place_options
def deploy(
    provider: Any,
    issuers: tuple[str, ...],
    operator: str | None,
    day: datetime | None,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Deploy the contracts, or find those that stand already; print their addresses.

    With --issuer for each currency: the contracts alone, each party keeps its own key. Without: a whole corridor in
    the data directory as `corridor init` makes it, all parties' keys there, banks admitted and opening balances
    issued. That is for trying and for pilots; `cycle` and `bank submit` need it.
    """
    if operator is not None and not _common.is_address(operator):
        raise click.BadParameter(f"{operator} is no address: 0x and 40 hexadecimal digits", param_hint="--operator")
    if issuers and not hasattr(provider, "tester"):
        with _common.place(provider, data_dir, addresses) as where:
            _print(_deploy_contracts(where, _pairs(issuers, where.config), operator, key))
        return
    if not hasattr(provider, "tester"):
        _set_up(_common.node_url(provider), data_dir, day.date() if day else None)
    with _common.place(provider, data_dir, addresses) as where:
        _print(where.deployment)


@cli.command(cls=Command)
@_common.place_options
def cycle(provider: Any, data_dir: Path, addresses: Path | None) -> None:
    """Match, settle what is affordable, net the rest, confirm, and say why anything still waits."""
    from corridor import console
    from corridor.engine.cycle import run_cycle

    with _common.place(provider, data_dir, addresses) as where, _common.corridor(where) as opened:
        if where.throwaway is not None:
            click.echo("Nothing waits in a throwaway corridor: both sides of an example trade are submitted first.")
            for bic, name in _SHOWN:
                opened.agents[bic].submit((_EXAMPLES / name).read_bytes(), opened.operator)
        report = run_cycle(opened.desk)
        click.echo(console.cycle_lines(report))


def _set_up(url: str, data_dir: Path, day: date | None) -> None:
    from corridor import logs
    from corridor.app import World
    from corridor.config import default_text
    from corridor.setup import set_up

    logs.configure(verbose=False)
    toml = data_dir / "corridor.toml"
    text = toml.read_text() if toml.exists() else default_text()
    set_up(data_dir, text, url=url, day=day, seed=None, world=World(), progress=lambda step: click.echo(f"  {step}"))


def _deploy_contracts(where: Place, issuers: Mapping[str, str], operator: str | None, key: KeyOptions) -> Deployment:
    by = _common.signer(where, key, where.data_dir / "operator")
    plan = _plan(where.config, issuers, (operator or by.address).lower())
    if where.addresses.exists():
        _require_same(where, plan)
        click.echo("The contracts stand already; nothing was sent.")
        return where.deployment
    where.addresses.parent.mkdir(parents=True, exist_ok=True)
    deployment.fund_if_needed(where.ledger, [by.address])
    made = deployment.deploy(where.ledger, by.key, plan, by.store, now_s=_common.now_s)
    deployment.save_deployment(made, where.addresses)
    return made


def _plan(config: Config, issuers: Mapping[str, str], operator: str) -> Plan:
    return Plan(
        operator,
        tuple(Jurisdiction(config.currencies[code].country, address) for code, address in issuers.items()),
        tuple(
            Currency(code, config.currencies[code].name, MINOR_UNIT_DIGITS[code], address)
            for code, address in issuers.items()
        ),
    )


def _require_same(where: Place, plan: Plan) -> None:
    """The contracts of the address file name the same operator and issuers as the command."""
    ledger, placed = where.ledger, where.deployment
    [operator] = ledger.call(placed.registry, contract(REGISTRY).function("operator"))
    issuer = contract(TOKEN).function("issuer")
    found = {code: ledger.call(token, issuer)[0].lower() for code, token in placed.tokens.items()}
    if operator.lower() != plan.operator or found != {one.code: one.issuer for one in plan.currencies}:
        raise Unusable(
            f"{where.addresses} is of a corridor with another operator or other issuers",
            next_step="Name them as they were, or another --addresses file for another corridor",
        )


def _pairs(issuers: tuple[str, ...], config: Config) -> dict[str, str]:
    pairs = {}
    for one in issuers:
        code, _, address = one.partition("=")
        if code not in config.currencies or not _common.is_address(address) or code in pairs:
            listed = ", ".join(config.currencies)
            raise click.BadParameter(f"{one}: CURRENCY=ADDRESS, each of {listed} once", param_hint="--issuer")
        pairs[code] = address.lower()
    return pairs


def _print(placed: Deployment) -> None:
    click.echo(f"chain {placed.chain_id}, from block {placed.block_number}")
    click.echo(f"registry    {placed.registry}\nsettlement  {placed.settlement}")
    for currency, token in placed.tokens.items():
        click.echo(f"token {currency}   {token}")

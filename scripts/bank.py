"""What a participant bank does: look, submit, consent; and lock, claim, refund by itself when no operator answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from corridor import bilateral, wire
from corridor.ledger import contracts
from corridor.ledger.sender import write_durably
from corridor.money import format_minor, parse_amount
from corridor.ports import GrossProposal
from scripts import _common, _trades
from scripts._common import Command, KeyOptions, Unusable

# Some or all payments of a submitted file were refused, as the corridor command says it.
REFUSED = 6

# Wide enough for a trillion with two decimals.
_ROW = "{:11}  {:8}  {:>20}  {:>20}  {:>20}  {}"

_FILE = click.Path(path_type=Path, dir_okay=False)
_READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)
_BANK = click.option("--bank", required=True, metavar="BIC", callback=_common.bank_code, help="The bank that acts.")
_MESSAGES = click.option(
    "--message", "messages", type=_READABLE, multiple=True, help="A pacs message of the trade; repeat it."
)


def _second_options(command: Any) -> Any:
    """Where a trade's other currency lies, if it is on another ledger."""
    addresses = click.option("--addresses-2", type=_READABLE, help="Address file of the trade's other ledger.")
    node = click.option("--node-2", metavar="URL", help="The bank's own node of the trade's other ledger.")
    return node(addresses(command))


@click.group()
def cli() -> None:
    """For a participant bank: balances, submit, redeem, consent; lock, claim, refund without an operator."""


@cli.command(cls=Command)
@click.argument("bics", nargs=-1, callback=_common.bank_code)
@_common.place_options
def balances(provider: Any, bics: tuple[str, ...], data_dir: Path, addresses: Path | None) -> None:
    """What banks have of each deposit token: BICS, or everyone admitted. Needs no key."""
    with _common.place(provider, data_dir, addresses) as where:
        ledger, placed = where.ledger, where.deployment
        block = ledger.head().number
        shown = bics or [one.bic for one in contracts.participants(ledger, placed.registry, block=block)]
        found = contracts.accounts(ledger, placed.tokens, shown, block=block)
    click.echo(_ROW.format("participant", "currency", "balance", "held", "available", "").rstrip())
    for (bic, currency), account in found.items():
        units = (account.balance_minor, account.held_minor, account.available_minor)
        amounts = (format_minor(currency, one) for one in units)
        click.echo(_ROW.format(bic, currency, *amounts, "frozen" if account.frozen else "").rstrip())
    click.echo(f"at block {block}")


@cli.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=_READABLE)
@_BANK
@_common.place_options
@click.pass_context
def submit(
    ctx: click.Context, provider: Any, files: tuple[Path, ...], bank: str, data_dir: Path, addresses: Path | None
) -> None:
    """Hand ISO 20022 FILES to the bank's agent, which records, signs and sends them on to the operator.

    The answers are in the bank's outbox. Sending a file again changes nothing. Exit code 6: something was refused.
    """
    refused = False
    with _common.place(provider, data_dir, addresses) as where, _common.corridor(where) as opened:
        if bank not in opened.agents:
            raise Unusable(f"{bank} is no bank of this corridor", next_step=f"There are: {', '.join(opened.agents)}")
        for path in files:
            answer = opened.agents[bank].submit(path.read_bytes(), opened.operator)
            again = " (sent before)" if answer.seen_before else ""
            counted = f"{answer.accepted} taken in, {answer.refused} refused"
            click.echo(f"{path.name}: {'refused as a whole' if answer.refused_whole else counted}{again}")
            for name in answer.files:
                click.echo(f"  answer: {where.data_dir / 'banks' / bank / 'outbox' / name}")
            refused = refused or bool(answer.refused or answer.refused_whole)
    ctx.exit(REFUSED if refused else 0)


@cli.command(cls=Command)
@click.argument("currency")
@click.argument("amount")
@_BANK
@click.option("--reference", required=True, help="The bank's own reference; the same one again asks nothing new.")
@_common.key_options
@_common.place_options
def redeem(
    provider: Any,
    currency: str,
    amount: str,
    bank: str,
    reference: str,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Ask the issuer of CURRENCY to redeem AMOUNT (say 1000000.00).

    The amount is held until the issuer answers (ape run issuer redeem). No issuer can debit a bank that didn't ask.
    """
    with _common.place(provider, data_dir, addresses) as where:
        if currency not in where.deployment.tokens:
            known = ", ".join(where.deployment.tokens)
            raise Unusable(f"{currency} is no currency of this corridor", next_step=f"There are: {known}")
        by = _common.signer(where, key, _trades.home_of(where, bank))
        _common.require_key_of(where, bank, by)
        amount_minor = parse_amount(currency, amount)
        call = contracts.request_redemption(where.deployment.tokens[currency], amount_minor)
        receipt = _common.send(where, by, call, f"request-redemption:{currency}:{bank}:{reference}")
        events = contracts.occurrences(receipt.logs)
        number = next(one.values["number"] for one in events if one.name == "RedemptionRequested")
        _common.told(
            receipt, f"request {number}: {currency} {format_minor(currency, amount_minor)} held for redemption"
        )


@cli.command(cls=Command)
@click.argument("proposal", type=_READABLE, required=False)
@_BANK
@_MESSAGES
@click.option("--out", type=_FILE, help="Write the signature here instead of printing it.")
@_common.key_options
@_common.place_options
def consent(
    provider: Any,
    proposal: Path | None,
    bank: str,
    messages: tuple[Path, ...],
    out: Path | None,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Check the PROPOSAL file (gross or net, JSON) against the bank's own books, and print the signature as JSON.

    Each --message that the bank itself pays by is recorded as its instruction first. A refusal says which rule.
    On ape's test provider PROPOSAL may be left out: one to settle the two --message files is made.
    """
    with _common.place(provider, data_dir, addresses) as where:
        by = _common.signer(where, key, _trades.home_of(where, bank))
        _common.require_key_of(where, bank, by)
        raws = _trades.read_files(messages)
        with _trades.open_agent(where, bank, by) as agent:
            _trades.record_own(where, agent, raws)
            asked = _trades.example_proposal(where, raws) if proposal is None else _trades.read_proposal(proposal)
            signature = agent.gross_consent(asked) if isinstance(asked, GrossProposal) else agent.net_consent(asked)
    if out is None:
        click.echo(wire.dump(signature))
    else:
        write_durably(out, wire.dump(signature) + "\n")


@cli.command(cls=Command)
@click.argument("trade", type=_FILE)
@_BANK
@_MESSAGES
@click.option("--window-s", type=int, default=bilateral.DEFAULT_WINDOW_S, show_default=True, help="Time to claim.")
@_second_options
@_common.key_options
@_common.place_options
def lock(
    provider: Any,
    trade: Path,
    bank: str,
    messages: tuple[Path, ...],
    window_s: int,
    node_2: str | None,
    addresses_2: Path | None,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Lock the bank's legs of a trade. Where the TRADE file is missing, the bank leads and makes it.

    The lead bank gives both banks' messages; it keeps the preimage, written beside the file for its owner only, and
    sends the TRADE file to the other bank, which locks with it and its own copy of the messages. Each bank locks on the
    ledger where it pays; is it paid on another one, --node-2 and --addresses-2 name that.
    """
    with _common.place(provider, data_dir, addresses) as where:
        by = _common.signer(where, key, _trades.home_of(where, bank))
        _common.require_key_of(where, bank, by)
        raws = _trades.read_files(messages)
        second = _trades.second_ledger(where, node_2, addresses_2)
        agreed = _trades.agreed_obligation(where, second, bank, raws) if raws else None
        if not trade.exists():
            if agreed is None:
                raise Unusable(f"there is no {trade}", next_step="To lead, give the trade's messages with --message")
            _trades.lead(where, second, trade, agreed, window_s, bank, by)
        known = _trades.read_trade(where, trade)
        if agreed is not None:
            bilateral.require_agreed(known, agreed)
        _trades.lock_legs(where, second, known, bank, by, raws)


@cli.command(cls=Command)
@click.argument("trade", type=_READABLE)
@_BANK
@click.option("--preimage-file", type=_READABLE, help="The preimage.  [default: beside the TRADE file]")
@_second_options
@_common.key_options
@_common.place_options
def claim(
    provider: Any,
    trade: Path,
    bank: str,
    preimage_file: Path | None,
    node_2: str | None,
    addresses_2: Path | None,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Claim a locked trade before its timelock: every leg here is paid at once. Who has the preimage may do it.

    Across two ledgers the lead bank claims where it is paid, which shows the preimage there, and then the other bank
    where it is paid. --node-2 and --addresses-2 name the other ledger.
    """
    with _common.place(provider, data_dir, addresses) as where:
        known, by = _trades.read_trade(where, trade), _common.signer(where, key, _trades.home_of(where, bank))
        _trades.lock_for_show(where, known)
        second = _trades.second_ledger(where, node_2, addresses_2)
        preimage = _trades.preimage_to_claim(where, second, known, preimage_file, _trades.preimage_path(trade))
        bilateral.require_preimage(known, preimage)
        terms = _trades.terms_here(where, known)
        call = contracts.claim(where.deployment.settlement, known.obligation, terms, preimage)
        receipt = _common.send(where, by, call, _trades.purpose_of("claim", known))
        places = [at for at, leg in enumerate(known.obligation.legs) if leg.chain_id == where.deployment.chain_id]
        _common.told(receipt, f"claimed: {_trades.legs_in_words(where, None, known.obligation, *places)}")


@cli.command(cls=Command)
@click.argument("trade", type=_READABLE)
@_BANK
@click.option("--all-legs", is_flag=True, help="Free the other bank's legs as well.")
@_common.key_options
@_common.place_options
def refund(
    provider: Any,
    trade: Path,
    bank: str,
    all_legs: bool,
    key: KeyOptions,
    data_dir: Path,
    addresses: Path | None,
) -> None:
    """Free the bank's locked legs once the timelock has passed."""
    with _common.place(provider, data_dir, addresses) as where:
        known, by = _trades.read_trade(where, trade), _common.signer(where, key, _trades.home_of(where, bank))
        _trades.lock_for_show(where, known)
        _trades.pass_timelock_for_show(where, known)
        places = bilateral.legs_to_refund(
            known.obligation, _trades.ledger_record(where, known.obligation), payer=None if all_legs else bank
        )
        if not places:
            click.echo("no leg is locked any more; nothing was sent")
        for leg_place in places:
            terms = _trades.terms_here(where, known)
            call = contracts.refund(where.deployment.settlement, known.obligation, terms, leg_place)
            receipt = _common.send(where, by, call, f"{_trades.purpose_of('refund', known)}:{leg_place}")
            _common.told(receipt, f"refunded: {_trades.legs_in_words(where, None, known.obligation, leg_place)}")

"""The command line: ``corridor COMMAND``. Commands parse, call and print; no rule lives here.

Exit codes: 0 done; 1 refused by a rule (the message says which); 2 wrong usage, configuration or file; 3 not in a
state for it (not set up, in use, unknown payment, day closed); 4 the ledger can't be used; 5 a contract or a proof
says no; 6 some or all payments of the submitted files were refused (the answers are in the bank's outbox).
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from corridor import console, logs
from corridor.errors import CorridorError

REFUSED = 6
_BIC = re.compile(rb"\b([A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)\b")

F = TypeVar("F", bound=Callable[..., Any])


def _options(command: F) -> F:
    """The options that every command has."""
    options = (
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            default=lambda: os.environ.get("CORRIDOR_DATA_DIR", "corridor-data"),
            show_default="corridor-data, or CORRIDOR_DATA_DIR",
            help="Where the corridor keeps everything.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for machines."),
        click.option("--verbose", is_flag=True, help="Log every step to standard error."),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def _open(data_dir: Path, verbose: bool, schemas: Path | None = None) -> AbstractContextManager[Any]:
    from corridor.app import World, open_corridor

    logs.configure(verbose=verbose)
    return open_corridor(data_dir, replace(World(), schemas=schemas))


class SenderUnknown(CorridorError):
    """A file that doesn't say, or not of a participant, which bank sends it."""

    code = "SENDER_UNKNOWN"
    exit_code = 2


class _Corridor(click.Group):
    """Turns an expected error into one clear line and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CorridorError as error:
            click.echo(f"corridor: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(f"corridor: can't use {error.filename}: {error.strerror}", err=True)
            ctx.exit(2)


@click.group(cls=_Corridor, epilog=(__doc__ or "").split("\n\n")[1])
@click.version_option(package_name="corridor")
def main() -> None:
    """Settle payments between banks in several currencies, all legs or none.

    Start with: corridor init, corridor submit FILE..., corridor cycle, corridor balances.
    """


@main.command()
@click.option("--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Configuration (TOML).")
@click.option("--ledger", "url", help="JSON-RPC address of a node; without it the ledger is embedded.")
@click.option("--business-date", "day", help="First business day, YYYY-MM-DD; by default the next one from today.")
@click.option("--seed", help="Derive all keys from this text. For tests and demonstrations only.")
@_options
def init(
    config: Path | None,
    url: str | None,
    day: str | None,
    seed: str | None,
    data_dir: Path,
    as_json: bool,
    verbose: bool,
) -> None:
    """Set a corridor up: keys, contracts, banks admitted, balances issued, first day open.

    Safe to repeat: an interrupted set-up goes on, a finished one stays as it is.
    """
    from corridor.app import World
    from corridor.config import default_text
    from corridor.setup import set_up

    logs.configure(verbose=verbose)
    text = _text(config) if config else default_text()
    first = set_up(
        data_dir,
        text,
        url=url,
        day=_date(day),
        seed=seed,
        world=World(),
        progress=lambda step: None if as_json else click.echo(f"  {step}", err=True),
    )
    answer = {"data_dir": str(data_dir), "business_date": first.isoformat()}
    console.show(answer, as_json, f"The corridor in {data_dir} is ready; business date {first} is open.")


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--bank", help="BIC of the bank that sends; by default the one the file names as its sender.")
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory with the official XSDs; they then decide as well what is readable.",
)
@_options
def submit(
    files: tuple[Path, ...], bank: str | None, schemas: Path | None, data_dir: Path, as_json: bool, verbose: bool
) -> None:
    """Hand ISO 20022 files to their bank's agent, which records, signs and sends them on.

    The answers are in the bank's outbox, DATA-DIR/banks/BIC/outbox. Sending a file again changes nothing.
    """
    answers = []
    with (
        _open(data_dir, verbose, schemas) as corridor,
        _progress(files, "Submitting", quiet=as_json) as listed,
    ):
        for path in listed:
            raw = path.read_bytes()
            sender = _sender(raw, bank, corridor.config)
            answer = corridor.agents[sender].submit(raw, corridor.operator)
            answers.append(
                {
                    "file": str(path),
                    "bank": sender,
                    "accepted": answer.accepted,
                    "refused": answer.refused,
                    "refused_whole": answer.refused_whole,
                    "seen_before": answer.seen_before,
                    "answers": [str(data_dir / "banks" / sender / "outbox" / name) for name in answer.files],
                }
            )
    lines = [
        f"{one['file']}: {one['bank']}, "
        + ("refused as a whole" if one["refused_whole"] else f"{one['accepted']} taken in, {one['refused']} refused")
        + (" (sent before)" if one["seen_before"] else "")
        + "".join(f"\n  answer: {name}" for name in one["answers"])
        for one in answers
    ]
    console.show(answers, as_json, "\n".join(lines))
    if any(one["refused"] or one["refused_whole"] for one in answers):
        sys.exit(REFUSED)


def _progress(items: tuple[Path, ...], label: str, *, quiet: bool) -> AbstractContextManager[Iterable[Path]]:
    """A progress bar where somebody looks and there is something to wait for."""
    if quiet or len(items) == 1 or not sys.stderr.isatty():
        return contextlib.nullcontext(items)
    return click.progressbar(items, label=label, file=sys.stderr)


def _sender(raw: bytes, named: str | None, config: Any) -> str:
    """The bank whose agent gets the file: as named, as the message says, or the first bank that the file mentions."""
    from corridor.iso20022 import UnreadableMessage, bic11, read_message

    candidates = [named] if named else []
    if not named:
        try:
            message = read_message(raw, operator_bic=config.operator_bic)
            candidates = [message.sender_bic or "", message.transactions[0].payer_bic]
        except UnreadableMessage:
            candidates = []
        candidates += [found.decode() for found in _BIC.findall(raw[:65_536])]
    for candidate in candidates:
        if bic11(candidate) in config.participants:
            return bic11(candidate)
    raise SenderUnknown(
        f"no participant of this corridor is the sender (named: {', '.join(dict.fromkeys(candidates)) or 'none'})",
        next_step="Name the sending bank with --bank BIC",
    )


@main.command()
@_options
def cycle(data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Match, settle what is affordable, net the rest, confirm, and say why anything still waits.

    Also finishes what an interruption left unfinished.
    """
    from corridor.engine.cycle import run_cycle

    with _open(data_dir, verbose) as corridor:
        report = run_cycle(corridor.desk, lambda step: None if as_json else click.echo(f"  {step} ...", err=True))
    answer = {
        "found": report.found,
        "settled_gross": report.gross,
        "settled_net": report.net,
        "left_out": report.left_out,
        "waiting": report.waiting,
    }
    console.show(answer, as_json, console.cycle_lines(report))


@main.command("open-day")
@click.argument("day", required=False)
@_options
def open_day(day: str | None, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Open business day DAY (YYYY-MM-DD), or the next one."""
    with _open(data_dir, verbose) as corridor:
        opened = corridor.open_day(_date(day))
    console.show({"business_date": opened.isoformat()}, as_json, f"Business date {opened} is open.")


@main.command("close-day")
@_options
def close_day(data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Close the open day; what has not settled is refused with TM01."""
    from corridor.engine import days

    with _open(data_dir, verbose) as corridor:
        expired = days.close_day(corridor.desk)
    console.show({"expired": expired}, as_json, f"The day is closed; {expired} payments ended unsettled.")


@main.command()
@click.argument("uetr", required=False)
@_options
def status(uetr: str | None, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Where payment UETR stands and how it came there; without UETR, all payments."""
    from corridor.engine import views

    with _open(data_dir, verbose) as corridor:
        if uetr is not None:
            view = views.status(corridor.desk, uetr)
            console.show(view, as_json, console.payment_story(view))
            return
        listed = views.statuses(corridor.desk)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(views.totals(listed).items())) or "no payments"
    console.show(listed, as_json, f"{console.payment_lines(listed)}\n{counted}")


@main.command()
@_options
def queue(data_dir: Path, as_json: bool, verbose: bool) -> None:
    """What waits, why, and what would cure it."""
    from corridor.engine import views

    with _open(data_dir, verbose) as corridor:
        listed = views.queue(corridor.desk)
    console.show(listed, as_json, console.payment_lines(listed) if listed else "Nothing waits.")


@main.command()
@_options
def balances(data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Every bank's deposit tokens, and whether they add up to what was issued."""
    from corridor.engine import views

    with _open(data_dir, verbose) as corridor:
        view = views.balances(corridor.desk)
    console.show(view, as_json, console.balance_lines(view))


@main.command()
@click.argument("bank")
@_options
def statement(bank: str, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """What was settled for BANK (BIC), leg by leg, and its balances."""
    from corridor.engine import views
    from corridor.iso20022 import bic11

    with _open(data_dir, verbose) as corridor:
        view = views.statement(corridor.desk, bic11(bank))
    console.show(view, as_json, console.statement_lines(view))


@main.command()
@click.argument("uetr", required=False)
@click.option("--verify", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Check this proof file.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the proof file here.")
@click.option("--ledger", "url", help="With --verify: JSON-RPC address of your own node.")
@click.option("--settlement", help="With --verify: address of the settlement contract, as you know it.")
@_options
def proof(
    uetr: str | None,
    verify: Path | None,
    out: Path | None,
    url: str | None,
    settlement: str | None,
    data_dir: Path,
    as_json: bool,
    verbose: bool,
) -> None:
    """The evidence that payment UETR was made, checked against the ledger; or check a proof file with --verify.

    --verify uses no database: only the file, a node, and the settlement contract's address. Without --ledger it reads
    the embedded ledger in the data directory, without --settlement the address file there.
    """
    from corridor import verifying

    logs.configure(verbose=verbose)
    if (uetr is None) == (verify is None):
        raise click.UsageError("name a UETR, or a proof file with --verify")
    if verify is not None:
        checked = verifying.verify_file(verify, data_dir, url=url, settlement=settlement)
    else:
        with _open(data_dir, verbose) as corridor:
            checked = verifying.prove(corridor, uetr or "")
        if out is not None:
            out.write_text(checked.file)
    console.show(checked.view, as_json, checked.text)


def _amend(verb: str, uetr: str, priority: int | None, data_dir: Path, as_json: bool, verbose: bool) -> None:
    from corridor.engine import views
    from corridor.ports import Amendment

    with _open(data_dir, verbose) as corridor:
        bank = views.status(corridor.desk, uetr)["payer"]
        corridor.agents[bank].amend(Amendment(bank, uetr, verb, priority), corridor.operator)
        view = views.status(corridor.desk, uetr)
    console.show(view, as_json, console.payment_story(view))


@main.command()
@click.argument("uetr")
@_options
def hold(uetr: str, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Keep a waiting payment from settling; it blocks nobody."""
    _amend("hold", uetr, None, data_dir, as_json, verbose)


@main.command()
@click.argument("uetr")
@_options
def release(uetr: str, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Let a held payment settle again."""
    _amend("release", uetr, None, data_dir, as_json, verbose)


@main.command()
@click.argument("uetr")
@_options
def cancel(uetr: str, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Cancel a payment that still waits."""
    _amend("cancel", uetr, None, data_dir, as_json, verbose)


@main.command()
@click.argument("uetr")
@click.argument("level", type=click.Choice(["HIGH", "NORM"], case_sensitive=False))
@_options
def priority(uetr: str, level: str, data_dir: Path, as_json: bool, verbose: bool) -> None:
    """Change the priority of a waiting payment in its bank's queue."""
    _amend("priority", uetr, 1 if level.upper() == "HIGH" else 2, data_dir, as_json, verbose)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{path} is not UTF-8 text") from error


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not a date such as 2026-11-23") from error


if __name__ == "__main__":
    main()

"""Compares everything that a corridor left behind: the operator's store, each bank's own books and outbox, the ledger.

Written for tests that kill the corridor: whatever happened before, after it all of this must tell the same story.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from corridor.app import Corridor, World, open_corridor
from corridor.engine import views
from corridor.iso20022 import read_message
from corridor.ledger import contracts
from corridor.money import parse_amount
from corridor.store.database import open_database, sqlite_url
from corridor.store.tables import (
    consent_obligations,
    consents,
    credited,
    instructed,
    journal,
    mailbox,
    outbox,
    payments,
    settlements,
    transactions,
)

_STATUS = re.compile(rb"<OrgnlUETR>([0-9a-f-]{36})</OrgnlUETR><TxSts>([A-Z]{4})</TxSts>")
_ENTRY = re.compile(
    rb'<Ntry><Amt Ccy="([A-Z]{3})">([0-9.]+)</Amt><CdtDbtInd>(CRDT|DBIT)</CdtDbtInd>.*?<UETR>([0-9a-f-]{36})</UETR>'
)
_FORWARDED = re.compile(rb"<UETR>([0-9a-f-]{36})</UETR>")


@dataclass(frozen=True)
class Expected:
    """A payment as its bank instructed it."""

    payer: str
    payee: str
    currency: str
    amount_minor: int


def expected_in(messages: Iterable[bytes], operator_bic: str = "CORRHKHHXXX") -> dict[str, Expected]:
    """What the files ask for, by UETR."""
    transfers = [one for raw in messages for one in read_message(raw, operator_bic=operator_bic).transactions]
    return {
        one.uetr: Expected(one.payer_bic, one.payee_bic, one.currency, parse_amount(one.currency, one.amount_text))
        for one in transfers
    }


def assert_all_settled_once(root: Path, expected: Mapping[str, Expected], world: World | None = None) -> None:
    """Every expected payment is final, once, and nobody's books say anything else."""
    with open_corridor(root, world or World()) as corridor:
        owed = _assert_operators_store(corridor, expected)
        _assert_outboxes(corridor, expected)
        _assert_tokens(corridor, expected)
        _assert_ledger(corridor, owed)
        for bank in corridor.config.participants:
            _assert_books(root, bank, expected, owed)


def assert_tokens_conserved(corridor: Corridor) -> None:
    """What the banks have is what was issued and not redeemed."""
    view = views.balances(corridor.desk)
    assert all(one["held_minor"] == 0 for one in view["accounts"])
    for one in view["currencies"]:
        opening = sum(bank.opening_minor.get(one["currency"], 0) for bank in corridor.config.participants.values())
        assert one["total_minor"] == one["issued_minor"] - one["redeemed_minor"] == opening


def _assert_operators_store(corridor: Corridor, expected: Mapping[str, Expected]) -> dict[str, str]:
    """Return each payment's obligation."""
    with corridor.desk.database.begin() as connection:
        rows = list(connection.execute(select(payments)).mappings())
        ended = Counter(connection.execute(select(journal.c.uetr).where(journal.c.event == "final")).scalars())
        received = Counter(connection.execute(select(journal.c.uetr).where(journal.c.event == "received")).scalars())
        states = set(connection.execute(select(settlements.c.state)).scalars())
    assert {row["uetr"]: row["state"] for row in rows} == dict.fromkeys(expected, "final")
    assert ended == received == Counter(list(expected))
    assert states <= {"final", "void"}
    for row in rows:
        found = Expected(row["payer"], row["payee"], row["currency"], row["amount_minor"])
        assert found == expected[row["uetr"]]
    return {row["uetr"]: row["obligation"] for row in rows}


def _assert_outboxes(corridor: Corridor, expected: Mapping[str, Expected]) -> None:
    """Each answer is in exactly one outbox, once, byte for byte as the operator and the bank's own agent know it."""
    with corridor.desk.database.begin() as connection:
        rows = list(connection.execute(select(outbox).order_by(outbox.c.seq)).mappings())
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1)), "the numbers of messages have no gap"
    assert all(row["delivered"] for row in rows)
    files: dict[str, dict[str, bytes]] = {}
    for bank in corridor.config.participants:
        folder = corridor.root / "banks" / bank / "outbox"
        # Also what starts with a dot: a file that was being written when the process died is gone by now.
        files[bank] = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}
        assert files[bank] == {row["name"]: row["body"] for row in rows if row["recipient"] == bank}
        assert files[bank] == _mailbox(corridor.root, bank)
    _assert_answers(files, expected)


def _assert_answers(files: Mapping[str, Mapping[str, bytes]], expected: Mapping[str, Expected]) -> None:
    statuses: Counter[tuple[str, str, str]] = Counter()
    entries: Counter[tuple[str, str, str, str, int]] = Counter()
    forwarded: Counter[tuple[str, str]] = Counter()
    for bank, bodies in files.items():
        for name, body in bodies.items():
            if ".pacs.002." in name:
                statuses.update((bank, uetr.decode(), status.decode()) for uetr, status in _STATUS.findall(body))
            elif ".camt.054." in name:
                for currency, amount, direction, uetr in _ENTRY.findall(body):
                    minor = parse_amount(currency.decode(), amount.decode())
                    entries[bank, uetr.decode(), currency.decode(), direction.decode(), minor] += 1
            else:
                forwarded.update((bank, uetr.decode()) for uetr in _FORWARDED.findall(body))
    answers = ("ACTC", "ACSP", "ACSC")
    told = {one: count for one, count in statuses.items() if one[2] in answers}
    assert told == {(one.payer, uetr, status): 1 for uetr, one in expected.items() for status in answers}
    assert {status for _, _, status in statuses} <= {*answers, "PDNG"}
    debits = {(one.payer, uetr, one.currency, "DBIT", one.amount_minor): 1 for uetr, one in expected.items()}
    credits_ = {(one.payee, uetr, one.currency, "CRDT", one.amount_minor): 1 for uetr, one in expected.items()}
    assert entries == debits | credits_
    assert forwarded == {(one.payee, uetr): 1 for uetr, one in expected.items()}


def _assert_tokens(corridor: Corridor, expected: Mapping[str, Expected]) -> None:
    """Each account is its opening balance plus what it was paid less what it paid."""
    assert_tokens_conserved(corridor)
    balance = {
        (bic, currency): bank.opening_minor.get(currency, 0)
        for bic, bank in corridor.config.participants.items()
        for currency in corridor.config.currencies
    }
    for one in expected.values():
        balance[one.payer, one.currency] -= one.amount_minor
        balance[one.payee, one.currency] += one.amount_minor
    accounts = views.balances(corridor.desk)["accounts"]
    assert {(one["participant"], one["currency"]): one["balance_minor"] for one in accounts} == balance


def _assert_ledger(corridor: Corridor, owed: Mapping[str, str]) -> None:
    """The ledger settled what the operator's store calls final, each once, and no transaction of it is missing."""
    ledger, deployment = corridor.ledger, corridor.deployment
    logs = ledger.logs([deployment.settlement], deployment.block_number, ledger.head().number)
    happened = contracts.occurrences(logs)
    gross = Counter(one.values["obligationId"].hex() for one in happened if one.name == "ObligationSettled")
    net = Counter(one.values["batchId"].hex() for one in happened if one.name == "BatchSettled")
    with corridor.desk.database.begin() as connection:
        final = list(connection.execute(select(settlements).where(settlements.c.state == "final")).mappings())
        stored = select(func.count(), func.min(transactions.c.nonce), func.max(transactions.c.nonce))
        count, first, last = connection.execute(stored).one()
    assert net == Counter(row["id"] for row in final if row["kind"] == "net")
    netted = _members(corridor, [row["id"] for row in final if row["kind"] == "net"])
    settled_gross = _members(corridor, [row["id"] for row in final if row["kind"] == "gross"])
    assert gross == settled_gross
    assert settled_gross + netted == Counter(set(owed.values()))
    assert (first, last) == (0, count - 1), "no nonce is left out"
    assert ledger.account_nonce(corridor.desk.proposer) == count


def _members(corridor: Corridor, settlement_ids: list[str]) -> Counter[str]:
    with corridor.desk.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT settlement, obligation FROM settlement_obligations").all()
    return Counter(obligation for settlement, obligation in rows if settlement in set(settlement_ids))


def _mailbox(root: Path, bank: str) -> dict[str, bytes]:
    with _books(root, bank).begin() as connection:
        return {row["message"]: row["body"] for row in connection.execute(select(mailbox)).mappings()}


def _assert_books(root: Path, bank: str, expected: Mapping[str, Expected], owed: Mapping[str, str]) -> None:
    """The bank's own books: what it paid is discharged by one consent each, what it got was credited once."""
    # A consent asked for again after a restart has another deadline, and is the same consent to the same thing.
    tie = select(consent_obligations.c.obligation, consents.c.subject).join(consents).distinct()
    tie = tie.where(consents.c.state == "discharged")
    with _books(root, bank).begin() as connection:
        own = {row["uetr"]: row["state"] for row in connection.execute(select(instructed)).mappings()}
        states = set(connection.execute(select(consents.c.state)).scalars())
        discharged = Counter(tied for tied, _ in connection.execute(tie))
        brought = Counter(tuple(row) for row in connection.execute(select(credited.c.payer, credited.c.uetr)))
    pays = [uetr for uetr, one in expected.items() if one.payer == bank]
    assert own == dict.fromkeys(pays, "discharged")
    assert states <= {"discharged", "released"}, "no consent is open any more"
    assert {uetr: discharged[uetr] for uetr in pays} == dict.fromkeys(pays, 1)
    assert {owed[uetr]: discharged[owed[uetr]] for uetr in pays} == dict.fromkeys((owed[uetr] for uetr in pays), 1)
    assert max(discharged.values(), default=1) == 1
    assert brought == Counter((one.payer, uetr) for uetr, one in expected.items() if one.payee == bank)


def _books(root: Path, bank: str):
    return open_database(sqlite_url(root / "banks" / bank / "agent.db"), "agent")

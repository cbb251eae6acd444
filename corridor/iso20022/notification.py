"""camt.054: a bank's account of discharged legs, one entry per leg at its gross amount.

However a batch nets, the entries of a batch add up to what its positions moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from corridor.iso20022.definitions import INPUT_KINDS, NOTIFICATION, bic11
from corridor.iso20022.writing import BusinessHeader, agent, amount, document, group, value
from corridor.money import format_minor


@dataclass(frozen=True, slots=True)
class LegEntry:
    """One discharged leg, seen from one of its two banks.

    Attributes:
        account_id: the bank's account in the corridor, at most 34 characters, e.g. ``HKBAHKHHXXX-HKD``.
        currency, amount_minor: the leg's gross amount in minor units.
        is_credit: whether the notified bank is paid.
        booked_on: the corridor's business date.
        settlement_reference: the batch id, or the transaction that settled it gross, at most 35 characters.
        definition: the message definition of the instruction, e.g. ``pacs.008.001.08``.
        counterparty_bic: the other bank of the leg.
        end_to_end_id, uetr, instruction_id, transaction_id: the instruction's references.
        message_id: the instruction's message.
    """

    account_id: str
    currency: str
    amount_minor: int
    is_credit: bool
    booked_on: date
    settlement_reference: str
    definition: str
    counterparty_bic: str
    end_to_end_id: str
    uetr: str
    instruction_id: str | None = None
    transaction_id: str | None = None
    message_id: str | None = None


def credit_debit_notification(
    *,
    message_id: str,
    created_at: str,
    operator_bic: str,
    owner_bic: str,
    entries: Sequence[LegEntry],
    header: BusinessHeader | None = None,
) -> bytes:
    """Return a camt.054.001.08 to ``owner_bic`` with one notification per account, in order of first appearance.

    Raises:
        ValueError: no entries (there is nothing to notify), or an account in two currencies.
    """
    if not entries:
        raise ValueError("a notification has at least one entry")
    accounts: dict[str, list[LegEntry]] = {}
    for entry in entries:
        account = accounts.setdefault(entry.account_id, [])
        if account and account[0].currency != entry.currency:
            raise ValueError(f"account {entry.account_id} has entries in two currencies")
        account.append(entry)
    operator, owner = bic11(operator_bic), bic11(owner_bic)
    return document(
        NOTIFICATION,
        group("GrpHdr", value("MsgId", message_id), value("CreDtTm", created_at)),
        *(
            _notification(number, message_id, created_at, operator, owner, account)
            for number, account in enumerate(accounts.values(), 1)
        ),
        header=header,
    )


def _notification(
    number: int, message_id: str, created_at: str, operator: str, owner: str, entries: list[LegEntry]
) -> str:
    return group(
        "Ntfctn",
        value("Id", f"{message_id[:31]}-{number}"),
        value("CreDtTm", created_at),
        group(
            "Acct",
            group("Id", group("Othr", value("Id", entries[0].account_id))),
            value("Ccy", entries[0].currency),
            group("Ownr", group("Id", group("OrgId", value("AnyBIC", owner)))),
            agent("Svcr", operator),
        ),
        *(_entry(entry, owner) for entry in entries),
    )


def _entry(entry: LegEntry, owner: str) -> str:
    text = format_minor(entry.currency, entry.amount_minor, grouped=False)
    direction = value("CdtDbtInd", "CRDT" if entry.is_credit else "DBIT")
    counterparty = bic11(entry.counterparty_bic)
    payer, payee = (counterparty, owner) if entry.is_credit else (owner, counterparty)
    booked_on = group("BookgDt", value("Dt", entry.booked_on.isoformat()))
    value_date = group("ValDt", value("Dt", entry.booked_on.isoformat()))
    return group(
        "Ntry",
        amount("Amt", entry.currency, text),
        direction,
        group("Sts", value("Cd", "BOOK")),
        booked_on,
        value_date,
        value("AcctSvcrRef", entry.settlement_reference),
        _transaction_code(entry, payer, payee),
        group(
            "NtryDtls",
            group(
                "TxDtls",
                group(
                    "Refs",
                    value("MsgId", entry.message_id),
                    value("AcctSvcrRef", entry.settlement_reference),
                    value("InstrId", entry.instruction_id),
                    value("EndToEndId", entry.end_to_end_id),
                    value("UETR", entry.uetr),
                    value("TxId", entry.transaction_id),
                ),
                amount("Amt", entry.currency, text),
                direction,
                group("RltdAgts", agent("InstgAgt", payer), agent("InstdAgt", payee)),
            ),
        ),
    )


def _transaction_code(entry: LegEntry, payer: str, payee: str) -> str:
    """The bank transaction code: credit transfer received or issued; of a bank, cross-border or domestic."""
    if INPUT_KINDS.get(entry.definition) == "pacs.009":
        sub_family = "FICT"
    else:
        sub_family = "DMCT" if payer[4:6] == payee[4:6] else "XBCT"
    return group(
        "BkTxCd",
        group(
            "Domn",
            value("Cd", "PMNT"),
            group("Fmly", value("Cd", "RCDT" if entry.is_credit else "ICDT"), value("SubFmlyCd", sub_family)),
        ),
    )

"""The corridor at work: real files, real signatures, real contracts on the embedded ledger. ``make demo`` runs it.

Two Hong Kong banks, two Thai banks, two central banks and the operator. The clock is the demonstration's own, so
that timelocks can run out while you watch; everything else is what ``corridor`` does with your files.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from corridor import logs
from corridor.app import Corridor, World, open_corridor
from corridor.bilateral import LedgerNow, agreed_obligation, lead_trade
from corridor.config import default_text
from corridor.engine import life, views
from corridor.engine.cycle import CycleReport, run_cycle
from corridor.iso20022 import read_message
from corridor.ledger import contracts
from corridor.ledger.contracts import Call
from corridor.model import Instruction, Leg, LockTerms, Obligation, obligation
from corridor.money import format_minor, parse_amount
from corridor.picture import Owed, millions, netting_svg
from corridor.setup import set_up
from corridor.store.tables import payments
from corridor.typed_data import obligation_id

EXAMPLES = Path(__file__).resolve().parent
MESSAGES = EXAMPLES / "messages"
BUSINESS_DATE = date(2026, 11, 23)
# Keys and preimages of a demonstration are derived from it; a bank's come from its own machine's randomness.
SEED = "corridor demonstration"
HK_A, HK_B, TH_A, TH_B = "HKBAHKHHXXX", "HKBBHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX"
TIMELOCK_S = 1_800


class Clock:
    """The computer's clock as the demonstration has it: it stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_795_000_000

    def now_s(self) -> int:
        """Seconds since 1970."""
        return self.seconds


class Story:
    """Prints numbered steps and keeps the paragraphs short."""

    def __init__(self) -> None:
        self._step = 0

    def step(self, text: str) -> None:
        """A new step."""
        self._step += 1
        print(f"{self._step:2}. {text}")

    def tell(self, text: str) -> None:
        """More of the same step."""
        print(f"    {text}")


def main() -> None:
    """Run the demonstration in ``demo-data``, which is made anew."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-data")
    shutil.rmtree(root, ignore_errors=True)
    logs.configure(verbose=False)
    logs.mute()
    clock, story = Clock(), Story()
    world = World(clock.now_s, lambda seconds: None)
    set_up(root, default_text(), url=None, day=BUSINESS_DATE, seed=SEED, world=world)
    with open_corridor(root, world) as corridor:
        opening = views.balances(corridor.desk)
        _opening(corridor, story)
        _pvp(corridor, story)
        _waiting(corridor, story)
        _gridlock(corridor, story, root)
        _refused(corridor, story)
        _lie(corridor, story)
        owed, terms, preimage = _bilateral_locked(corridor, story)
    with open_corridor(root, world) as corridor:
        story.step("Thai bank B's agent is restarted. Its books know the lock: it signs nothing else for that trade.")
        _bilateral_claimed(corridor, story, owed, terms, preimage)
        _bilateral_refunded(corridor, story, clock)
        _closing(corridor, story, opening)
    print(f"\nEach bank's answers are in {root}/banks/BIC/outbox. Try: .venv/bin/corridor status --data-dir {root}")


def _names(corridor: Corridor) -> dict[str, str]:
    return {bic: bank.name for bic, bank in corridor.config.participants.items()}


def _money(currency: str, amount_minor: int) -> str:
    return f"{currency} {format_minor(currency, amount_minor)}"


def _submit(corridor: Corridor, *names: str) -> list[str]:
    """Hand example files to their banks' agents; return the names of the answers."""
    answers: list[str] = []
    for name in names:
        raw = (MESSAGES / name).read_bytes()
        sender = "" if "not-valid" in name else read_message(raw, operator_bic=corridor.config.operator_bic).sender_bic
        answers.extend(corridor.agents[sender or HK_A].submit(raw, corridor.operator).files)
    return answers


def _opening(corridor: Corridor, story: Story) -> None:
    story.step("Two central banks issue deposit tokens on one ledger to the banks that they admitted:")
    held = (
        f"{bank.name} {code} {millions(code, minor)}"
        for bank in corridor.config.participants.values()
        for code, minor in bank.opening_minor.items()
    )
    story.tell("; ".join(held) + " million.")


def _in_words(corridor: Corridor, text: str) -> str:
    """``text`` with the banks' names in place of their BICs."""
    for bic, name in _names(corridor).items():
        text = text.replace(bic, name)
    return text


def _pvp(corridor: Corridor, story: Story) -> None:
    _submit(corridor, "01-pvp-hong-kong-bank-a.xml", "02-pvp-thai-bank-a.xml")
    report = run_cycle(corridor.desk)
    story.step("Hong Kong bank A sells HKD 10,000,000.00 to Thai bank A for THB 45,000,000.00: two pacs.009 files.")
    story.tell(f"Matched, signed by both, settled in {len(report.gross)} transaction: both currencies or neither.")
    story.tell("Each gets pacs.002 ACSC, camt.054 and the counterparty's pacs.009.")


def _waiting(corridor: Corridor, story: Story) -> None:
    _submit(corridor, "03-payment-that-waits.xml")
    run_cycle(corridor.desk)
    [waiting] = views.queue(corridor.desk)
    story.step(f"Hong Kong bank B pays Thai bank B {waiting['currency']} 15,000,000.00. It waits:")
    story.tell(f"{_in_words(corridor, waiting['reason'])}.")
    _submit(corridor, "04-bulk-payments.xml")
    report = run_cycle(corridor.desk)
    story.step("Thai bank A sends one bulk file with three customers' payments in HKD; HKD 4,000,000.00 is for bank B.")
    story.tell(f"{len(report.gross)} payments settle in this cycle, the waiting one among them; nothing waits.")


def _gridlock(corridor: Corridor, story: Story, root: Path) -> None:
    files = [path.name for path in sorted(MESSAGES.glob("0[5-8]-gridlock-*.xml"))]
    before = {(one["participant"], one["currency"]): one["available_minor"] for one in _accounts(corridor)}
    _submit(corridor, *files)
    with corridor.desk.database.begin() as connection:
        waiting = connection.execute(select(payments).where(payments.c.state == life.State.UNMATCHED)).mappings()
        owed = [Owed(row["payer"], row["payee"], row["currency"], row["amount_minor"]) for row in waiting]
    alone = sum(before[one.payer, one.currency] >= one.amount_minor for one in owed)
    report = run_cycle(corridor.desk)
    after = {(one["participant"], one["currency"]): one["available_minor"] for one in _accounts(corridor)}
    story.step(f"Gridlock: four trades, {len(owed)} payments in a ring across both currencies.")
    story.tell(f"{alone} of the {len(owed)} payments can be paid from what its bank has; no trade can settle alone.")
    sentences = []
    for code in corridor.deployment.tokens:
        gross = sum(one.amount_minor for one in owed if one.currency == code)
        used = sum(max(0, before[bank, code] - after[bank, code]) for bank in corridor.config.participants)
        saved = (gross - used) * 1000 // gross
        story.tell(
            f"{code}: one by one {_money(code, gross)} would have to move; together {_money(code, used)} does: "
            f"{saved // 10}.{saved % 10} % saved."
        )
        sentences.append(f"{code} {millions(code, gross)} million with {millions(code, used)}")
    story.tell(
        f"All {len(report.net)} trades settle in one batch; each bank signed its own net position, nothing more."
    )
    names = _names(corridor)
    picture = root / "netting.svg"
    ring = {bic: names[bic] for bic in (HK_A, TH_A, HK_B, TH_B)}
    picture.write_text(netting_svg("Eight payments settled together: " + ", ".join(sentences), ring, owed))
    uetr = next(view["uetr"] for view in reversed(views.statuses(corridor.desk)) if view["state"] == "final")
    proof = views.proof(corridor.desk, uetr)
    story.tell(f"Picture: {picture}. Evidence for each leg, under both banks' entries: corridor proof {uetr[:8]}...")
    assert proof.leg_proofs


def _accounts(corridor: Corridor) -> Sequence[Mapping[str, Any]]:
    accounts: Sequence[Mapping[str, Any]] = views.balances(corridor.desk)["accounts"]
    return accounts


def _refused(corridor: Corridor, story: Story) -> None:
    answers = _submit(corridor, "refused-not-valid.xml", "refused-unknown-bank.xml")
    story.step("Two wrong files: one isn't valid against its schema, one pays a bank that nobody admitted.")
    story.tell(f"Answered {answers[0][9:-4]} (nothing accepted) and {answers[1][9:-4]} (RC01); nothing moved.")


def _lie(corridor: Corridor, story: Story) -> None:
    """The operator's own store is tampered with: a payment that its bank never sent."""
    with corridor.desk.database.begin() as connection:
        genuine = connection.execute(select(payments).where(payments.c.payer == HK_A).limit(1)).mappings().one()
        forged = dict(genuine) | {
            "seq": None,
            "uetr": "5f1d3c60-9a2e-4b7c-8d11-6e0f4a7b9c21",
            "payee": HK_B,
            "amount_minor": parse_amount("HKD", "1000000.00"),
            "trade_reference": None,
            "state": life.State.QUEUED,
        }
        instruction = Instruction(HK_A, forged["uetr"], bytes.fromhex(genuine["content_hash"]))
        leg = Leg(HK_A, HK_B, corridor.ledger.chain_id, corridor.deployment.tokens["HKD"], forged["amount_minor"])
        forged["obligation"] = obligation_id(obligation([instruction], [leg])).hex()
        connection.execute(payments.insert().values(forged))
    report = run_cycle(corridor.desk)
    story.step("A lie: somebody puts a payment of HKD 1,000,000.00 by Hong Kong bank A into the operator's store.")
    [why] = _left_out(report)
    story.tell(f"{_in_words(corridor, why)}. Nothing moved.")
    with corridor.desk.database.begin() as connection:
        life.move(connection, corridor.now_s(), [forged["uetr"]], life.State.CANCELLED, reason="forged")


def _left_out(report: CycleReport) -> set[str]:
    return set(report.left_out.values())


# -- two banks alone ------------------------------------------------------------------------------------------


def _trade(corridor: Corridor, *names: str) -> Obligation:
    """Each bank records its own file in its own books; together the two make the obligation. No operator is asked."""
    operator_bic, deployed = corridor.config.operator_bic, corridor.deployment
    files = [(MESSAGES / name).read_bytes() for name in names]
    for raw in files:
        corridor.agents[read_message(raw, operator_bic=operator_bic).transactions[0].payer_bic].record(raw)
    tokens = {code: (deployed.chain_id, token) for code, token in deployed.tokens.items()}
    return agreed_obligation(files, tokens=tokens, operator_bic=operator_bic)


def _send(corridor: Corridor, bank: str, purpose: str, call: Call) -> None:
    receipt = corridor.send_as_bank(bank, purpose, call)
    assert receipt.status == 1, f"{purpose} took no effect"


def _terms(corridor: Corridor, owed: Obligation, preimage: bytes) -> LockTerms:
    deployed = corridor.deployment
    [record] = contracts.obligation_records(corridor.ledger, deployed.settlement, [obligation_id(owed)])
    seen = LedgerNow(deployed.chain_id, deployed.settlement, record, corridor.desk.ledger_time_s())
    return lead_trade(preimage, owed, seen, window_s=TIMELOCK_S).terms


def _bilateral_locked(corridor: Corridor, story: Story) -> tuple[Obligation, LockTerms, bytes]:
    owed = _trade(corridor, "10-bilateral-hong-kong-bank-a.xml", "11-bilateral-thai-bank-b.xml")
    preimage = hashlib.sha256(f"{SEED}: preimage 1".encode()).digest()
    terms = _terms(corridor, owed, preimage)
    for bank in (HK_A, TH_B):
        _send(corridor, bank, f"lock:{obligation_id(owed).hex()}:1", corridor.agents[bank].lock(owed, terms))
    story.step(
        "The operator is away. Hong Kong bank A and Thai bank B settle HKD 1,000,000.00 against THB 4,500,000.00"
    )
    story.tell("by hashed timelock: each locks its own leg with its own key; the money stays theirs, but held.")
    return owed, terms, preimage


def _bilateral_claimed(corridor: Corridor, story: Story, owed: Obligation, terms: LockTerms, preimage: bytes) -> None:
    call = contracts.claim(corridor.deployment.settlement, owed, terms, preimage)
    _send(corridor, HK_A, f"claim:{obligation_id(owed).hex()}:1", call)
    story.tell("Hong Kong bank A shows the preimage: both legs are claimed in one transaction.")


def _bilateral_refunded(corridor: Corridor, story: Story, clock: Clock) -> None:
    owed = _trade(corridor, "12-bilateral-refunded-hong-kong-bank-a.xml", "13-bilateral-refunded-thai-bank-b.xml")
    identifier = obligation_id(owed).hex()
    preimage = hashlib.sha256(f"{SEED}: preimage 2".encode()).digest()
    terms = _terms(corridor, owed, preimage)
    _send(corridor, HK_A, f"lock:{identifier}:1", corridor.agents[HK_A].lock(owed, terms))
    held = next(one for one in _accounts(corridor) if one["participant"] == HK_A and one["currency"] == "HKD")
    clock.seconds += TIMELOCK_S + 60
    index = next(place for place, leg in enumerate(owed.legs) if leg.payer == HK_A)
    _send(
        corridor, HK_A, f"refund:{identifier}:1", contracts.refund(corridor.deployment.settlement, owed, terms, index)
    )
    story.step("A second such trade: Hong Kong bank A locks, Thai bank B sleeps until the timelock has run out.")
    story.tell(f"{_money('HKD', held['held_minor'])} was held and is refunded; nobody could have claimed half.")


def _closing(corridor: Corridor, story: Story, opening: Mapping[str, Any]) -> None:
    closing = views.balances(corridor.desk)
    story.step("Where everybody stands, and whether it adds up:")
    for bank, name in _names(corridor).items():
        held = [
            _money(one["currency"], one["balance_minor"]) for one in closing["accounts"] if one["participant"] == bank
        ]
        story.tell(f"{name:17} {'   '.join(f'{amount:>20}' for amount in held)}")
    for one, start in zip(closing["currencies"], opening["currencies"], strict=True):
        assert one["total_minor"] == one["issued_minor"] - one["redeemed_minor"] == start["total_minor"]
        story.tell(f"{one['currency']}: {_money(one['currency'], one['total_minor'])} before and after: conserved.")


if __name__ == "__main__":
    main()

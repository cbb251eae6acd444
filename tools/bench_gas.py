"""What the contracts cost: ``python -m tools.bench_gas`` (``make bench-gas``).

Each figure is the gas of whole mined transactions (call data included) on a node with the paris rules, with real
signatures, between banks that hold both currencies already. *Without first storage* leaves out what a word costs the
first time it is written (17,100 more than later): for an obligation's word that is measured, by filling the word
beforehand with a state that the contract treats as unused; for a batch's round it is subtracted.

The run is deterministic (keys, amounts, times), so that the committed snapshot, which it rewrites, changes only when
the contracts do. It prints and fails nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_hash.auto import keccak

from corridor import model, typed_data
from corridor.ledger import contracts
from corridor.ledger.abi import contract
from corridor.ledger.adapter import Ledger, connect
from corridor.ledger.contracts import NO_SIGNATURE, REGISTRY, SETTLEMENT, TOKEN, Call
from tools.foundry import NODE_WAIT_S, anvil

SNAPSHOT = Path(__file__).resolve().parents[1] / "docs" / "gas-snapshot.txt"
START_S = 1_900_000_000
FIRST_STORAGE = 20_000 - 2_900  # SSTORE of a cold word from zero, less that of one in use
OBLIGATIONS_SLOT = 3  # after OpenZeppelin's two EIP-712 words and `approved`
REFUNDED = 3  # no attempt is open: to the contract the same as a word never written
BLOCK_GAS = 30_000_000
BATCH_BANKS = 200
ENTRIES_BOUND, TOKENS_BOUND = 2_048, 16  # PvPSettlement.MAX_ENTRIES, MAX_TOKENS
OPENING_MINOR = 5_000_000_000_00
DEPLOYMENT_GAS = 9_000_000
PREIMAGE = hashlib.sha256(b"the lead payer's preimage").digest()


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an operation cost, with and without the words it wrote for the first time."""

    operation: str
    with_first: int
    without_first: int
    reference: str = ""
    goal: int = 0


@dataclass
class Bench:
    """A node with the contracts on it."""

    ledger: Ledger
    registry: str = ""
    settlement: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def prepare(self, sender: str, to: str | None, data: bytes) -> str:
        """Send something that is not measured, without a signature; return the created contract's address, if any."""
        content = {"from": address_of(sender), "data": "0x" + data.hex(), "gas": hex(DEPLOYMENT_GAS), "gasPrice": "0x0"}
        sent = self.ledger.node.ask("eth_sendTransaction", content | ({"to": to} if to else {}))
        receipt = self.receipt(sent)
        if int(receipt["status"], 16) != 1:
            raise RuntimeError(f"a preparation failed: {content}")
        return str(receipt["contractAddress"] or "")

    def measure(self, sender: str, call: Call) -> int:
        """Send a signed transaction; return the gas it used."""
        node, key = self.ledger.node, key_of(sender)
        transaction = {
            "to": bytes.fromhex(call.to[2:]),
            "data": call.data,
            "gas": BLOCK_GAS - 1,
            "gasPrice": 0,
            "value": 0,
            "nonce": int(node.ask("eth_getTransactionCount", address_of(sender), "latest"), 16),
            "chainId": self.ledger.chain_id,
        }
        raw = Account.sign_transaction(transaction, key).raw_transaction
        receipt = self.receipt(node.ask("eth_sendRawTransaction", "0x" + raw.hex()))
        if int(receipt["status"], 16) != 1:
            answer = node.ask("eth_call", {"from": address_of(sender), "to": call.to, "data": "0x" + call.data.hex()})
            raise RuntimeError(f"a measured transaction failed: {answer}")
        return int(receipt["gasUsed"], 16)

    def receipt(self, transaction_hash: str) -> dict[str, Any]:
        """Return the receipt; the node mines each transaction at once, but not before it answers."""
        deadline = time.monotonic() + NODE_WAIT_S
        while time.monotonic() < deadline:
            if receipt := self.ledger.node.ask("eth_getTransactionReceipt", transaction_hash):
                return dict(receipt)
            time.sleep(0.002)
        raise RuntimeError(f"{transaction_hash} was not mined")

    def use_word(self, obligation: model.Obligation) -> None:
        """Fill the obligation's word with a state that counts as unused."""
        word = keccak(typed_data.obligation_id(obligation) + OBLIGATIONS_SLOT.to_bytes(32, "big"))
        value = "0x" + REFUNDED.to_bytes(32, "big").hex()
        self.ledger.node.ask("anvil_setStorageAt", self.settlement, "0x" + word.hex(), value)

    def now_s(self) -> int:
        """The ledger's clock."""
        return self.ledger.head().timestamp_s

    def domain(self) -> bytes:
        """What consents are signed for."""
        return typed_data.domain_separator(self.ledger.chain_id, self.settlement)


def key_of(role: str) -> bytes:
    """The key of a role, the same in each run."""
    return hashlib.sha256(role.encode()).digest()


def address_of(role: str) -> str:
    """The address of a role."""
    return str(Account.from_key(key_of(role)).address).lower()


def bank(place: int) -> str:
    """The BIC of a bank: even places in Hong Kong, odd ones in Thailand."""
    letters = chr(65 + place // 26) + chr(65 + place % 26)
    return f"BK{letters}{'HK' if place % 2 == 0 else 'TH'}{'HH' if place % 2 == 0 else 'BK'}XXX"


@contextmanager
def node() -> Iterator[Ledger]:
    """A test node with the paris rules and a clock of its own."""
    flags = ["--hardfork", "paris", "--gas-price", "0", "--base-fee", "0", "--auto-impersonate"]
    clock = ["--timestamp", str(START_S), "--gas-limit", str(BLOCK_GAS), "--chain-id", "31337"]
    with anvil(*flags, *clock) as url:
        ledger = connect(url)
        ledger.node.ask("anvil_setBlockTimestampInterval", 1)
        yield ledger


def set_up(ledger: Ledger) -> Bench:
    """Deploy the contracts, admit the banks, and give each of them both currencies."""
    bench = Bench(ledger)
    issuers = {"HKD": "hkd_issuer", "THB": "thb_issuer"}
    addresses = [address_of(issuer) for issuer in issuers.values()]
    creation = contract(REGISTRY).creation_code(address_of("operator"), [b"HK", b"TH"], addresses)
    bench.registry = bench.prepare("deployer", None, creation)
    bench.settlement = bench.prepare("deployer", None, contract(SETTLEMENT).creation_code(bench.registry))
    for code, issuer in issuers.items():
        arguments = (f"{code} deposit", code, 2, code.encode(), address_of(issuer), bench.registry, bench.settlement)
        bench.tokens[code] = bench.prepare("deployer", None, contract(TOKEN).creation_code(*arguments))
    banks = [bank(place) for place in range(BATCH_BANKS)]
    for place, bic in enumerate(banks):
        issuer = "hkd_issuer" if bic[4:6] == "HK" else "thb_issuer"
        admit = contracts.admit(bench.registry, bic, f"{place:018d}00", address_of(bic))
        bench.prepare(issuer, admit.to, admit.data)
    for place, bic in enumerate(banks):
        code = "HKD" if bic[4:6] == "HK" else "THB"
        issue = contracts.issue(bench.tokens[code], bic, 2 * OPENING_MINOR, keccak(bic.encode()))
        bench.prepare(issuers[code], issue.to, issue.data)
        foreign = address_of(banks[place ^ 1])
        bench.prepare(bic, bench.tokens[code], contract(TOKEN).function("transfer").encode(foreign, OPENING_MINOR))
    return bench


def pvp(bench: Bench, number: int, *, two_ledgers: bool = False) -> model.Obligation:
    """A PvP of two banks: 1,000,000.00 HKD against 4,600,000.00 THB."""
    instruction = model.Instruction(bank(0), f"00000000-0000-4000-8000-{number:012d}", keccak(bytes([number])))
    here, there = bench.ledger.chain_id, bench.ledger.chain_id + 1 if two_ledgers else bench.ledger.chain_id
    legs = [
        model.Leg(bank(0), bank(1), here, bench.tokens["HKD"], 1_000_000_00),
        model.Leg(bank(1), bank(0), there, bench.tokens["THB"], 4_600_000_00),
    ]
    return model.obligation([instruction], legs)


def measure_gross(bench: Bench, obligation: model.Obligation) -> int:
    """Settle a PvP with both consents, sent by the operator."""
    deadline_s = bench.now_s() + 600
    signatures = [
        typed_data.sign_digest(
            key_of(payer), typed_data.gross_consent_digest(bench.domain(), payer, 0, deadline_s, obligation)
        )
        for payer in obligation.payers
    ]
    return bench.measure("operator", contracts.settle(bench.settlement, obligation, deadline_s, signatures))


def measure_hashlock(bench: Bench, obligation: model.Obligation, *, signed: bool, two_ledgers: bool = False) -> int:
    """Lock and claim: each payer sends its own lock, or the operator sends them with the payers' signatures."""
    hashlock, timelock_s = hashlib.sha256(PREIMAGE).digest(), bench.now_s() + 3_600
    other = (bench.ledger.chain_id + 1, bench.settlement, timelock_s + 7_200) if two_ledgers else ()
    terms = model.LockTerms(1, hashlock, timelock_s, *other)
    total = 0
    for payer in [leg.payer for leg in obligation.legs if leg.chain_id == bench.ledger.chain_id]:
        deadline_s, signature = bench.now_s() + 600, NO_SIGNATURE
        if signed:
            fields = (bench.domain(), payer, 0, deadline_s, obligation, terms)
            signature = typed_data.sign_digest(key_of(payer), typed_data.lock_consent_digest(*fields))
        call = contracts.lock(bench.settlement, obligation, terms, payer, deadline_s, signature)
        total += bench.measure("operator" if signed else payer, call)
    return total + bench.measure(bank(0), contracts.claim(bench.settlement, obligation, terms, PREIMAGE))


def measure_batch(bench: Bench, banks: int, round_number: int) -> int:
    """Settle a batch in which every bank pays one currency and receives the other; the proposer submits it."""
    parties = sorted(bank(place) for place in range(banks))
    tokens = sorted(bench.tokens.values(), key=lambda token: int(token, 16))
    amount = {token: 1_000_000_00 + 360_000_000 * (token == bench.tokens["THB"]) for token in tokens}
    positions = []
    for place, _ in enumerate(parties):
        for column, token in enumerate(tokens):
            # Neighbours mirror each other, so that each currency sums to zero and no two amounts are round.
            size = amount[token] + 7_919 * (place // 2)
            positions.append(size if (place + column) % 2 == 0 else -size)
    roots = tuple(keccak(bic.encode()) for bic in parties)
    batch = model.Batch(
        address_of("operator"),
        round_number,
        bench.now_s() + 600,
        tuple(tokens),
        tuple(parties),
        roots,
        tuple(positions),
    )
    signatures = [
        typed_data.sign_digest(key_of(bic), typed_data.net_consent_digest(bench.domain(), bic, 0, batch))
        for bic in parties
    ]
    return bench.measure("operator", contracts.settle_batch(bench.settlement, batch, NO_SIGNATURE, signatures))


def measure_all(bench: Bench) -> list[Measurement]:
    """Every operation of the table."""

    def twice(operation: str, run: Any, reference: str = "", goal: int = 0, **how: bool) -> Measurement:
        numbers = iter((len(found) * 2 + 1, len(found) * 2 + 2))
        two_ledgers = {"two_ledgers": True} if how.get("two_ledgers") else {}
        fresh = run(bench, pvp(bench, next(numbers), **two_ledgers), **how)
        used = pvp(bench, next(numbers), **two_ledgers)
        bench.use_word(used)
        return Measurement(operation, fresh, run(bench, used, **how), reference, goal)

    found: list[Measurement] = []
    gross = "readable prototype 83.5k, leanest 80.3k, floor 74k"
    found.append(twice("two-leg PvP, gross", measure_gross, gross, 80_000))
    sample = "sample 584k, prototype 180k"
    found.append(
        twice("hashlock PvP, one ledger: two own locks, one claim", measure_hashlock, sample, 180_000, signed=False)
    )
    found.append(twice("  the same, locks sent by another with signatures", measure_hashlock, signed=True))
    reference = "sample 292k, prototype 114k"
    how = {"signed": False, "two_ledgers": True}
    found.append(
        twice("hashlock leg on one of two ledgers: own lock, claim", measure_hashlock, reference, 115_000, **how)
    )
    large = measure_batch(bench, BATCH_BANKS, 1)
    per = 2 * BATCH_BANKS
    name = f"net position in a batch of {BATCH_BANKS} banks x 2 currencies"
    reference = "naive 18.7k, prototype 13.1k, assembly 11.4k, nothing verified 8.9k"
    found.append(Measurement(name, large // per, (large - FIRST_STORAGE) // per, reference, 13_000))
    small = measure_batch(bench, 2, 2)
    reference = "naive 144k, prototype 103k"
    found.append(Measurement("batch of 2 banks x 2 currencies", small, small - FIRST_STORAGE, reference, 105_000))
    transfer = contract(TOKEN).function("transfer").encode(address_of(bank(1)), 1_000_000_00)
    plain = bench.measure(bank(0), Call(bench.tokens["HKD"], transfer, 0))
    reference = "OpenZeppelin 34k, with the registry check 42.3k"
    found.append(Measurement("plain transfer of a deposit token", plain, plain, reference, 43_000))
    return found


def render(measurements: Sequence[Measurement]) -> str:
    """The table as text, one operation per line."""
    lines = [
        "Gas of whole transactions: paris EVM, real signatures, balances in use (python -m tools.bench_gas).",
        '"without" leaves out the first writing of a storage word; ratios are without / goal.',
        "",
        f"{'operation':<58}{'with':>9}{'without':>9}{'goal':>9}{'ratio':>7}  reference",
    ]
    for one in measurements:
        goal, ratio = (f"{one.goal:,}", f"{one.without_first / one.goal:.2f}") if one.goal else ("", "")
        figures = f"{one.with_first:>9,}{one.without_first:>9,}{goal:>9}{ratio:>7}"
        lines.append(f"{one.operation:<58}{figures}  {one.reference}".rstrip())
    position = next(one.with_first for one in measurements if one.operation.startswith("net position"))
    lines += [
        "",
        f"Positions in a block of {BLOCK_GAS:,} gas: {BLOCK_GAS // position:,}.",
        f"The contract's own bound: {ENTRIES_BOUND:,} participants x {TOKENS_BOUND} tokens in a batch.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 only if the tools are missing."""
    parser = argparse.ArgumentParser(description="Measure what the contracts cost.")
    parser.add_argument("--no-snapshot", action="store_true", help="print only; leave the committed snapshot alone")
    options = parser.parse_args(arguments)
    try:
        with node() as ledger:
            table = render(measure_all(set_up(ledger)))
    except FileNotFoundError as missing:
        print(missing, file=sys.stderr)
        return 1
    print(table, end="")
    if not options.no_snapshot:
        SNAPSHOT.write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

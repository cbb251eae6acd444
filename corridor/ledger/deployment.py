"""Putting the corridor's contracts on a ledger, once, and finding them again.

Deployment may fail at any point and be repeated: each contract is a purpose of its own, signed and stored before it
is sent, so a repetition goes on where the last one stopped and deploys nothing twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak
from eth_utils.address import to_canonical_address
from rlp import encode as rlp_encode  # type: ignore[import-untyped]

from corridor.ledger.abi import contract
from corridor.ledger.adapter import Ledger
from corridor.ledger.contracts import EVIDENCE, REGISTRY, SETTLEMENT, TOKEN
from corridor.ledger.errors import LedgerError
from corridor.ledger.rpc import Question
from corridor.ledger.sender import Intent, TransactionStore, send_once, write_durably

# Twice what the largest contract takes (4.3 million); a block of 30 million gas has room for it.
DEPLOYMENT_GAS = 9_000_000
FILE_VERSION = 1
# On a test node, each account is given a million ether: enough for any test, and nobody's money.
TEST_BALANCE_WEI = 10**24
# Where gas costs something, an account must have this much to count as funded: a thousand large transactions at the
# present price.
FUNDED_GAS = 1_000 * 1_000_000


class DeploymentFailed(LedgerError):
    """A contract's creation was mined and took no effect: its constructor refused the plan."""

    code = "DEPLOYMENT_FAILED"


class DeploymentMismatch(LedgerError):
    """The address file and the ledger don't belong together."""

    code = "DEPLOYMENT_MISMATCH"


class GasNotFree(LedgerError):
    """The ledger wants paying for gas and the accounts can't."""

    code = "GAS_NOT_FREE"


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A country (two letters) and the address of its issuer."""

    country: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency with a deposit token: ISO code, the token's name, decimals of the minor unit, issuer's address."""

    code: str
    name: str
    decimals: int
    issuer: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to deploy."""

    operator: str
    jurisdictions: tuple[Jurisdiction, ...]
    currencies: tuple[Currency, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts are.

    Attributes:
        chain_id: of the ledger.
        block_number: of the first contract; there is nothing of ours before it.
        registry, settlement, evidence: addresses.
        tokens: address by currency.
        code_hashes: keccak of the code at each address, as hex text.
    """

    chain_id: int
    block_number: int
    registry: str
    settlement: str
    evidence: str
    tokens: Mapping[str, str]
    code_hashes: Mapping[str, str]

    @property
    def addresses(self) -> list[str]:
        """All contracts: whose events to read."""
        return [self.registry, self.settlement, self.evidence, *self.tokens.values()]


def deploy(
    ledger: Ledger,
    key: bytes,
    plan: Plan,
    store: TransactionStore,
    *,
    now_s: Callable[[], int],
    sleep: Callable[[float], None] = time.sleep,
) -> Deployment:
    """Deploy the contracts of ``plan``, or find those that an earlier call has deployed from the same store.

    Args:
        ledger: where to.
        key: 32-byte private key that pays for gas where that costs something; it has no power afterwards.
        plan: what to deploy. A changed plan is another deployment.
        store: where the transactions are kept.
        now_s: the clock.
        sleep: called with seconds between two looks for a receipt.

    Raises:
        DeploymentFailed: a constructor refused.
        LedgerUnreachable, ReceiptTimeout: call again.
    """
    first_blocks: list[int] = []

    def create(label: str, name: str, *arguments: Any) -> str:
        data = contract(name).creation_code(*arguments)
        intent = Intent(f"deploy:{label}:{keccak(data)[:8].hex()}", None, data, DEPLOYMENT_GAS)
        receipt = send_once(ledger, store, key, intent, now_s=now_s, sleep=sleep)
        if receipt.status != 1:
            raise DeploymentFailed(
                f"the creation of {label} took no effect ({receipt.transaction_hash})",
                next_step="Check operator, countries, issuers and currencies of the plan; each must be there once",
                purpose=intent.purpose,
            )
        first_blocks.append(receipt.block_number)
        signed = store.find(intent.purpose)
        assert signed is not None, "send_once stores before it sends"
        return contract_address(signed.sender, signed.nonce)

    countries = [one.country.encode() for one in plan.jurisdictions]
    issuers = [one.issuer for one in plan.jurisdictions]
    registry = create(REGISTRY, REGISTRY, plan.operator, countries, issuers)
    settlement = create(SETTLEMENT, SETTLEMENT, registry)
    evidence = create(EVIDENCE, EVIDENCE, registry)
    tokens = {
        one.code: create(
            f"{TOKEN} {one.code}",
            TOKEN,
            *(one.name, one.code, one.decimals, one.code.encode(), one.issuer, registry, settlement),
        )
        for one in plan.currencies
    }
    placed = (registry, settlement, evidence, *tokens.values())
    code_hashes = {address: code_hash(ledger, address) for address in placed}
    return Deployment(ledger.chain_id, min(first_blocks), registry, settlement, evidence, tokens, code_hashes)


def contract_address(sender: str, nonce: int) -> str:
    """Return where a contract created by ``sender`` with ``nonce`` is."""
    return "0x" + keccak(rlp_encode([to_canonical_address(sender), nonce]))[-20:].hex()


def code_hash(ledger: Ledger, address: str) -> str:
    """Return keccak of the code at ``address`` as hex text.

    Raises:
        DeploymentMismatch: there is none.
    """
    code = ledger.code(address)
    if not code:
        raise DeploymentMismatch(
            f"there is no contract at {address}",
            next_step="Was the ledger reset? Then set the corridor up anew; otherwise check the node's address",
            address=address,
        )
    return keccak(code).hex()


def save_deployment(deployment: Deployment, path: Path) -> None:
    """Write the address file, durably."""
    content = {"version": FILE_VERSION} | asdict(deployment)
    write_durably(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def load_deployment(path: Path, ledger: Ledger) -> Deployment:
    """Read the address file and check that its contracts are on this ledger, with the code that was deployed.

    Raises:
        DeploymentMismatch: the file is unreadable, of another chain, or names other code.
    """
    deployment = read_deployment(path)
    if deployment.chain_id != ledger.chain_id:
        raise DeploymentMismatch(
            f"{path} is of chain {deployment.chain_id}, the ledger is chain {ledger.chain_id}",
            next_step="Name the ledger that this corridor was set up on",
        )
    for address, expected in deployment.code_hashes.items():
        if code_hash(ledger, address) != expected:
            raise DeploymentMismatch(
                f"the contract at {address} is not the one that was deployed",
                next_step="Trust nothing on this ledger until you know why; the address file may belong to another",
                address=address,
            )
    return deployment


def read_deployment(path: Path) -> Deployment:
    """Read the address file without asking a ledger."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("version") != FILE_VERSION:
            raise ValueError("version")
        return Deployment(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeploymentMismatch(
            f"{path} is no address file of version {FILE_VERSION}",
            next_step="Set the corridor up first, or restore the file: it holds addresses only, no secrets",
            path=str(path),
        ) from error


def fund_if_needed(ledger: Ledger, addresses: Sequence[str]) -> None:
    """See to it that the corridor's accounts can pay for gas.

    Where gas is free there is nothing to do. On an anvil test node they are given test money. On any other ledger
    they must have it.

    Raises:
        GasNotFree: some have too little; the error names them.
    """
    price_wei = ledger.gas_price()
    if price_wei == 0:
        return
    if str(ledger.node.ask("web3_clientVersion")).lower().startswith("anvil"):
        for address in addresses:
            ledger.node.ask("anvil_setBalance", address, hex(TEST_BALANCE_WEI))
        return
    answers = ledger.node.answers([Question("eth_getBalance", (address, "latest")) for address in addresses])
    needed_wei = price_wei * FUNDED_GAS
    poor = [
        address
        for address, answer in zip(addresses, answers, strict=True)
        if answer.error or int(answer.result or "0x0", 16) < needed_wei
    ]
    if poor:
        raise GasNotFree(
            f"gas is not free on {ledger.node.name} and {len(poor)} accounts have too little",
            next_step=f"Use a network with free gas, or send {needed_wei} wei each to: {', '.join(poor)}",
            addresses=poor,
            needed_wei=needed_wei,
        )

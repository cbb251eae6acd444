"""The scripts as their users run them: ``ape run ...`` in a process of its own, nobody at the keyboard."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from eth_account import Account
from eth_hash.auto import keccak
from web3 import HTTPProvider, Web3
from web3.exceptions import ExtraDataLengthError

from corridor import wire
from corridor.app import open_corridor
from corridor.bilateral import Trade
from corridor.ledger.abi import contract
from corridor.ledger.adapter import connect
from corridor.model import Signature
from corridor.ports import GrossProposal
from scripts._tester import answering
from tests.nodes import anvil

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "examples" / "messages"
HK_SIDE, THAI_SIDE = EXAMPLES / "01-pvp-hong-kong-bank-a.xml", EXAMPLES / "02-pvp-thai-bank-a.xml"
TRADE_MESSAGES = ["--message", HK_SIDE, "--message", THAI_SIDE]
HK_BANK, THAI_BANK = "HKBAHKHHXXX", "THBATHBKXXX"
PASSPHRASE = "said by no prompt"
ROLES = ("corridor_operator", "hkd_issuer", "thb_issuer", "hong_kong_bank", "thai_bank")
# A process that prompts or hangs fails here; a loaded machine takes some ten seconds for the slowest command.
TIMEOUT_S = 90

# One group: run by several workers, each would start ape at the same time and none would be in time.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ape")]


def key_of(role):
    return hashlib.sha256(f"scripts:{role}".encode()).digest()


def address_of(role):
    return Account.from_key(key_of(role)).address.lower()


class Ape:
    """Runs ``ape run``; home and ape's data folder are under ``folder``, so that nothing else is touched."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "ape"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("CORRIDOR_", "APE_", "WEB3_"))
        } | {"HOME": str(folder / "home"), "APE_DATA_FOLDER": str(self.data)}
        (folder / "home").mkdir()

    def __call__(self, *arguments, exit_code=0, **environment):
        program = Path(sys.executable).with_name("ape")
        done = subprocess.run(
            [program, "run", *map(str, arguments)],
            cwd=CHECKOUT,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == exit_code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def add_accounts(self):
        accounts = self.data / "accounts"
        accounts.mkdir(parents=True)
        for role in ROLES:
            stored = Account.encrypt(key_of(role), PASSPHRASE, kdf="scrypt", iterations=4096)
            (accounts / f"{role}.json").write_text(json.dumps(stored))


@pytest.fixture
def ape(tmp_path):
    pytest.importorskip("ape", reason="ape is not installed: run make test once, it installs the test tools")
    return Ape(tmp_path)


@contextmanager
def proof_of_authority(node):
    """A stand-in for a Besu QBFT node: ``node``'s answers, with validators' seals in the extra data of every header."""

    def answer(question):
        if question["method"] == "web3_clientVersion":
            return {"jsonrpc": "2.0", "id": question["id"], "result": "besu/v26.2.0/linux"}
        request = urllib.request.Request(node, json.dumps(question).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answered:
            answer = json.load(answered)
        if isinstance(answer.get("result"), dict) and "extraData" in answer["result"]:
            answer["result"]["extraData"] = "0x" + "f9" * 327
        return answer

    with answering(answer) as url:
        yield url


def at_once(*commands):
    """Starting ape takes seconds: commands that don't need each other run side by side."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return [running.result() for running in [pool.submit(command) for command in commands]]


def balances_in(output):
    rows = re.findall(r"^(\w{11}) +(\w{3}) +([\d,.]+) +([\d,.]+)", output, re.MULTILINE)
    return {(bic, currency): (balance, held) for bic, currency, balance, held in rows}


# -- ape's own test chain ----------------------------------------------------------------------------------------------


def test_what_a_bank_does_alone_can_be_tried_on_ape_s_empty_test_chain(ape, tmp_path):
    trade, signature = tmp_path / "trade.json", tmp_path / "signature.json"
    signed, locked = at_once(
        lambda: ape("bank", "consent", "--bank", HK_BANK, *TRADE_MESSAGES, "--out", signature, "--network", "::test"),
        lambda: ape("bank", "lock", trade, "--bank", HK_BANK, *TRADE_MESSAGES),
    )
    assert "throwaway corridor" in signed.stderr
    assert len(wire.load(Signature, signature.read_text()).r) == 32
    assert f"still to lock: {THAI_BANK}" in locked.stdout
    claimed, refunded = at_once(
        lambda: ape("bank", "claim", trade, "--bank", HK_BANK),
        lambda: ape("bank", "refund", trade, "--bank", THAI_BANK),
    )
    assert f"{THAI_BANK} pays {HK_BANK} THB 45,000,000.00" in claimed.stdout
    assert "moved past the timelock" in refunded.stderr
    assert f"refunded: {THAI_BANK} pays" in refunded.stdout


def test_the_operator_and_an_issuer_can_try_theirs_and_a_refusal_is_one_line_with_its_exit_code(ape):
    redeem = ("bank", "redeem", "HKD", "99000000.00", "--bank", HK_BANK[:8], "--reference", "R1")
    settled, refused = at_once(lambda: ape("operator", "cycle"), lambda: ape(*redeem, exit_code=5))
    assert "settled gross: 1" in settled.stdout
    [line] = [line for line in refused.stderr.splitlines() if line.startswith("ERROR")]
    assert "DepositTokenInsufficientAvailable" in line
    assert HK_BANK in line


# -- parties with keys of their own, a node with proof-of-authority headers -------------------------------------------


class Parties:
    """Each party in a folder of its own; in common they have a node and the address file."""

    def __init__(self, ape, url, addresses):
        self.ape, self.url, self.addresses = ape, url, addresses

    def run(self, role, *arguments, **options):
        folder = self.ape.folder / f"{self.addresses.stem}-{role}"
        where = ("--data-dir", folder, "--addresses", self.addresses, "--network", self.url)
        key = () if arguments[1] == "balances" else ("--account", role)
        return self.ape(*arguments, *key, *where, **{"CORRIDOR_PASSPHRASE": PASSPHRASE} | options)

    def deploy(self):
        issuers = [
            f"--issuer={code}={address_of(role)}" for code, role in (("HKD", "hkd_issuer"), ("THB", "thb_issuer"))
        ]
        return self.run("corridor_operator", "operator", "deploy", *issuers)

    def admit(self, issuer, bank):
        role = {HK_BANK: "hong_kong_bank", THAI_BANK: "thai_bank"}[bank]
        return self.run(issuer, "issuer", "admit", bank, f"{bank[:2]}BANKA{'0' * 13}", address_of(role))

    def admit_and_issue(self, issuer, bank, currency, amount):
        self.admit(issuer, bank)
        return self.run(issuer, "issuer", "issue", currency, bank, amount, "--reference", "R-1")


def assert_the_address_file_fits(path, ledger):
    """Chain id, all contracts with the evidence registry among them, and the hash of the code at each address."""
    written = json.loads(path.read_text())
    registry, settlement, evidence = (written[name] for name in ("registry", "settlement", "evidence"))
    tokens = written["tokens"]
    assert written["chain_id"] == ledger.chain_id
    assert tokens.keys() == {"HKD", "THB"}
    assert len({registry, settlement, evidence, *tokens.values()}) == 5
    assert written["code_hashes"].keys() == {registry, settlement, evidence, *tokens.values()}
    for address, code_hash in written["code_hashes"].items():
        assert keccak(ledger.code(address)).hex() == code_hash
    for name, address in (("EvidenceRegistry", evidence), ("PvPSettlement", settlement)):
        assert ledger.call(address, contract(name).function("registry")) == (registry,)


def test_two_banks_with_their_own_keystores_settle_alone_on_a_node_with_proof_of_authority_headers(ape, tmp_path):
    ape.add_accounts()
    with anvil("--gas-price", "0", "--base-fee", "0") as node, proof_of_authority(node) as url:
        with pytest.raises(ExtraDataLengthError):
            Web3(HTTPProvider(url)).eth.get_block("latest")
        parties = Parties(ape, url, tmp_path / "deployment.json")
        first, ledger = parties.deploy(), connect(node)
        deployer, written = address_of("corridor_operator"), parties.addresses.read_bytes()
        sent = ledger.account_nonce(deployer)
        assert_the_address_file_fits(parties.addresses, ledger)
        again = parties.deploy()
        assert "nothing was sent" in again.stdout
        assert re.findall("0x[0-9a-f]{40}", again.stdout) == re.findall("0x[0-9a-f]{40}", first.stdout)
        assert (ledger.account_nonce(deployer), parties.addresses.read_bytes()) == (sent, written)

        issued = at_once(
            lambda: parties.admit_and_issue("hkd_issuer", HK_BANK, "HKD", "10000000.00"),
            lambda: parties.admit_and_issue("thb_issuer", THAI_BANK, "THB", "45000000.00"),
        )
        issue = ("issuer", "issue", "HKD", HK_BANK, "10000000.00", "--reference", "R-1")
        assert parties.run("hkd_issuer", *issue).stdout == issued[0].stdout, "one reference issues once"

        leads, follows = tmp_path / "lead.json", tmp_path / "follow.json"
        parties.run("hong_kong_bank", "bank", "lock", leads, "--bank", HK_BANK, *TRADE_MESSAGES)
        preimage = leads.with_name("lead.json.preimage")
        assert stat.S_IMODE(preimage.stat().st_mode) == 0o600
        assert preimage.read_text().strip() not in leads.read_text()
        follows.write_bytes(leads.read_bytes())
        both = parties.run("thai_bank", "bank", "lock", follows, "--bank", THAI_BANK, *TRADE_MESSAGES)
        assert "all legs are locked" in both.stdout
        parties.run("hong_kong_bank", "bank", "claim", leads, "--bank", HK_BANK)
        shown = parties.run("thai_bank", "bank", "balances")
    assert balances_in(shown.stdout) == {
        (HK_BANK, "HKD"): ("0.00", "0.00"),
        (HK_BANK, "THB"): ("45,000,000.00", "0.00"),
        (THAI_BANK, "HKD"): ("10,000,000.00", "0.00"),
        (THAI_BANK, "THB"): ("0.00", "0.00"),
    }


def test_two_banks_settle_alone_across_two_ledgers_and_the_second_learns_the_preimage_from_the_first_s_claim(
    ape, tmp_path
):
    ape.add_accounts()
    free = ("--gas-price", "0", "--base-fee", "0")
    with anvil(*free, "--chain-id", "852466") as hkd_node, anvil(*free, "--chain-id", "852467") as thb_node:
        hkd_side = Parties(ape, hkd_node, tmp_path / "hkd.json")
        thb_side = Parties(ape, thb_node, tmp_path / "thb.json")
        at_once(hkd_side.deploy, thb_side.deploy)
        at_once(
            lambda: hkd_side.admit_and_issue("hkd_issuer", HK_BANK, "HKD", "10000000.00"),
            lambda: thb_side.admit_and_issue("thb_issuer", THAI_BANK, "THB", "45000000.00"),
        )
        at_once(lambda: hkd_side.admit("thb_issuer", THAI_BANK), lambda: thb_side.admit("hkd_issuer", HK_BANK))
        see_hkd = ("--node-2", hkd_node, "--addresses-2", hkd_side.addresses)
        see_thb = ("--node-2", thb_node, "--addresses-2", thb_side.addresses)

        trade = tmp_path / "trade.json"
        leads = ("bank", "lock", trade, "--bank", HK_BANK, *TRADE_MESSAGES, *see_thb)
        follows = ("bank", "lock", trade, "--bank", THAI_BANK, *TRADE_MESSAGES, *see_hkd)
        led = hkd_side.run("hong_kong_bank", *leads)
        assert f"still to lock: {THAI_BANK}" in led.stdout
        early = hkd_side.run("thai_bank", "bank", "claim", trade, "--bank", THAI_BANK, *see_thb, exit_code=3)
        assert "nobody claimed on chain 852467 yet" in early.stderr
        early = thb_side.run("hong_kong_bank", "bank", "claim", trade, "--bank", HK_BANK, exit_code=2)
        assert "keep the preimage secret" in early.stderr
        assert "all legs are locked" in thb_side.run("thai_bank", *follows).stdout
        claimed = thb_side.run("hong_kong_bank", "bank", "claim", trade, "--bank", HK_BANK)
        assert f"claimed: {THAI_BANK} pays {HK_BANK} THB 45,000,000.00" in claimed.stdout
        (tmp_path / "trade.json.preimage").unlink()
        claimed = hkd_side.run("thai_bank", "bank", "claim", trade, "--bank", THAI_BANK, *see_thb)
        assert f"claimed: {HK_BANK} pays {THAI_BANK} HKD 10,000,000.00" in claimed.stdout
        shown = [side.run("thai_bank", "bank", "balances").stdout for side in (hkd_side, thb_side)]
    assert balances_in(shown[0])[THAI_BANK, "HKD"] == ("10,000,000.00", "0.00")
    assert balances_in(shown[1])[HK_BANK, "THB"] == ("45,000,000.00", "0.00")


# -- a whole corridor in a data directory ------------------------------------------------------------------------------


def test_a_corridor_deployed_on_a_node_frees_what_a_bank_locked_and_then_settles_the_trade_itself(ape, tmp_path):
    data, trade, proposal = tmp_path / "data", tmp_path / "trade.json", tmp_path / "proposal.json"
    with anvil() as url:
        where = ("--network", f"ethereum:custom:{url}", "--data-dir", data)
        ape("operator", "deploy", "--business-date", "2026-11-23", *where)
        ape("bank", "lock", trade, "--bank", HK_BANK, *TRADE_MESSAGES, *where)
        node, owed = connect(url), wire.load(Trade, trade.read_text()).obligation
        proposal.write_text(wire.dump(GrossProposal(owed, node.head().timestamp_s + 600)))
        refused = ape("bank", "consent", proposal, "--bank", HK_BANK, *where, exit_code=1)
        assert "in another live consent" in refused.stderr

        node.node.ask("evm_increaseTime", hex(3_700))
        node.node.ask("evm_mine")
        refunded = ape("bank", "refund", trade, "--bank", HK_BANK, *where)
        assert f"refunded: {HK_BANK} pays {THAI_BANK} HKD 10,000,000.00" in refunded.stdout
        with open_corridor(data) as corridor:
            corridor.agents[THAI_BANK].submit(THAI_SIDE.read_bytes(), corridor.operator)
        assert "1 taken in, 0 refused" in ape("bank", "submit", HK_SIDE, "--bank", HK_BANK, *where).stdout
        assert "settled gross: 1, settled net: 0, waiting: 0" in ape("operator", "cycle", *where).stdout

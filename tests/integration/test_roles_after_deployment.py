"""After deployment every power is with whom it belongs, and the deployer has none."""

import json
from importlib.resources import files

import pytest

from corridor.ledger.abi import CONTRACTS, contract
from corridor.ledger.embedded import open_embedded
from corridor.ledger.errors import ContractReverted
from tests.spec.world import BANKS, START_S, address_of, prepare

BIC, NEW_KEY = BANKS[0].encode(), address_of("somebody's next key")
# Every function that changes something: who may, and arguments with which it would do something for that role.
ROLES = {
    "ParticipantRegistry": {
        "admit": ("home issuer", b"HKNEHKHHXXX", b"549300000000000HK003"[:20], NEW_KEY),
        "suspend": ("home issuer", BIC),
        "reinstate": ("home issuer", BIC),
        "confirmKey": ("home issuer", BIC, NEW_KEY),
        "proposeRecovery": ("home issuer", BIC, NEW_KEY),
        "withdrawRecovery": ("home issuer or operator", BIC),
        "suspendForADay": ("operator", BIC),
        "confirmRecovery": ("operator", BIC, NEW_KEY),
        "proposeKey": ("participant", NEW_KEY),
        "objectToRecovery": ("participant",),
        "revokeConsents": ("participant",),
        "executeRecovery": ("anyone, once issuer and operator agreed and the delay passed", BIC),
    },
    "DepositToken": {
        "issue": ("issuer", BIC, 1, b"\x09" * 32),
        "fulfilRedemption": ("issuer", 1, b"\x09" * 32),
        "refuseRedemption": ("issuer", 1),
        "freeze": ("issuer", BIC),
        "unfreeze": ("issuer", BIC),
        "pause": ("issuer",),
        "unpause": ("issuer",),
        "requestRedemption": ("participant", 1),
        "withdrawRedemption": ("participant", 1),
        "transfer": ("participant", address_of(BANKS[1]), 1),
        "transferFrom": ("whoever has an allowance", address_of(BANKS[0]), address_of(BANKS[1]), 1),
        "approve": ("anyone, over its own tokens",),
        "permit": ("whoever signed",),
        "moveGross": ("settlement contract", 1, 2, 1),
        "settleNet": ("settlement contract", [], []),
        "makeHold": ("settlement contract", BIC, BANKS[1].encode(), 1),
        "release": ("settlement contract", BIC, 1),
        "settleHold": ("settlement contract", 1, 2, 1),
    },
    "PvPSettlement": {
        "settle": ("anyone, with the payers' consents",),
        "settleBatch": ("proposer or participant, with everybody's consent",),
        "lock": ("anyone, with the payer's consent",),
        "claim": ("anyone, with the preimage",),
        "refund": ("anyone, from the timelock on",),
        "approve": ("anyone, for its own key",),
        "unapprove": ("anyone, for its own key",),
    },
    "EvidenceRegistry": {"anchor": ("participant", b"\x09" * 32, b"CINV")},
}
# Open to all: what they need is in their arguments, and other tests try to do without it.
OPEN = ("anyone", "whoever signed", "proposer or")


@pytest.fixture(scope="module")
def corridor(tmp_path_factory):
    path = tmp_path_factory.mktemp("roles") / "ledger.sqlite"
    deployment, _ = prepare(path)
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        yield ledger, deployment


def addresses(deployment, name):
    return {
        "ParticipantRegistry": [deployment.registry],
        "PvPSettlement": [deployment.settlement],
        "EvidenceRegistry": [deployment.evidence],
        "DepositToken": list(deployment.tokens.values()),
    }[name]


def changing_functions(name):
    abi = json.loads(files("corridor.artifacts").joinpath(f"{name}.json").read_text(encoding="utf-8"))["abi"]
    return {e["name"] for e in abi if e["type"] == "function" and e["stateMutability"] not in ("view", "pure")}


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_table_of_roles_has_every_function_that_changes_something(name):
    assert changing_functions(name) == set(ROLES[name])


def test_operator_and_issuers_are_those_of_the_plan(corridor):
    ledger, deployment = corridor
    registry = contract("ParticipantRegistry").function
    assert ledger.call(deployment.registry, registry("operator")) == (address_of("operator"),)
    assert ledger.call(deployment.registry, registry("jurisdictions")) == ((b"HK", b"TH"),)
    for country, role in ((b"HK", "hkd_issuer"), (b"TH", "thb_issuer")):
        assert ledger.call(deployment.registry, registry("issuerOf"), country) == (address_of(role),)
    for symbol, role in (("HKD", "hkd_issuer"), ("THB", "thb_issuer")):
        token = contract("DepositToken").function
        address = deployment.tokens[symbol]
        assert ledger.call(address, token("issuer")) == (address_of(role),)
        assert ledger.call(address, token("settlement")) == (deployment.settlement,)
        assert ledger.call(address, token("registry")) == (deployment.registry,)


@pytest.mark.parametrize(
    ("name", "function"),
    [(name, one) for name, table in ROLES.items() for one, row in table.items() if not row[0].startswith(OPEN)],
)
def test_the_deployer_may_do_nothing_that_belongs_to_somebody(corridor, name, function):
    ledger, deployment = corridor
    data = contract(name).function(function).encode(*ROLES[name][function][1:])
    for address in addresses(deployment, name):
        with pytest.raises(ContractReverted) as refused:
            ledger.try_transaction(address_of("deployer"), address, data, 1_000_000)
        assert refused.value.error, "refused by a named error"


def test_the_deployer_is_in_no_register(corridor):
    ledger, deployment = corridor
    registry, deployer = contract("ParticipantRegistry").function, address_of("deployer")
    assert ledger.call(deployment.registry, registry("participantOf"), deployer) == (bytes(11),)
    assert ledger.call(deployment.registry, registry("countryOfIssuer"), deployer) == (bytes(2),)
    for token in deployment.tokens.values():
        assert ledger.call(token, contract("DepositToken").function("balanceOf"), deployer) == (0,)

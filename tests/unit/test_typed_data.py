"""What banks sign hashes as EIP-712 says, by an independent implementation."""

import json

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from corridor import model, typed_data
from tools import vectors

TYPES = {
    "EIP712Domain": "string name,string version,uint256 chainId,address verifyingContract",
    "Instruction": "bytes11 payer,bytes16 uetr,bytes32 contentHash",
    "Leg": "bytes11 payer,bytes11 payee,uint256 chainId,address token,uint256 amount",
    "Obligation": "Instruction[] instructions,Leg[] legs",
    "LockTerms": "uint32 attempt,bytes32 hashlock,uint64 timelock,"
    "uint256 otherChainId,address otherSettlement,uint64 otherTimelock",
    "Batch": "address proposer,uint64 round,uint64 deadline,"
    "address[] tokens,bytes11[] participants,bytes32[] entryRoots,int256[] positions",
    "GrossConsent": "bytes11 participant,uint32 epoch,uint64 deadline,Obligation obligation",
    "LockConsent": "bytes11 participant,uint32 epoch,uint64 deadline,Obligation obligation,LockTerms terms",
    "NetConsent": "bytes11 participant,uint32 epoch,Batch batch",
    "BatchProposal": "Batch batch",
}


def _fields(name):
    return [dict(zip(("type", "name"), field.split(), strict=True)) for field in TYPES[name].split(",")]


def _used(name):
    found = {name}
    for field in _fields(name):
        inner = field["type"].removesuffix("[]")
        if inner in TYPES:
            found |= _used(inner)
    return found


def _reference_digest(primary, message, vector):
    domain = {
        "name": typed_data.NAME,
        "version": typed_data.VERSION,
        "chainId": vector["chain_id"],
        "verifyingContract": vector["settlement"],
    }
    types = {name: _fields(name) for name in _used(primary) | {"EIP712Domain"}}
    signable = encode_typed_data(
        full_message={"types": types, "primaryType": primary, "domain": domain, "message": message}
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@pytest.fixture(scope="module")
def vector():
    return vectors.vectors()


@pytest.fixture(scope="module")
def messages(vector):
    pvp = vector["obligations"]["pvp"]

    def bic(text):
        return text.encode()

    obligation = {
        "instructions": [
            {
                "payer": bic(one["payer"]),
                "uetr": typed_data.uetr_bytes(one["uetr"]),
                "contentHash": bytes.fromhex(one["content_hash"][2:]),
            }
            for one in pvp["instructions"]
        ],
        "legs": [
            {
                "payer": bic(leg["payer"]),
                "payee": bic(leg["payee"]),
                "chainId": leg["chain_id"],
                "token": leg["token"],
                "amount": leg["amount_minor"],
            }
            for leg in pvp["legs"]
        ],
    }
    terms = vector["terms"]
    batch = vector["batch"]
    consent = {"participant": bic(vector["consent"]["participant"]), "epoch": 3}
    deadline = {"deadline": vector["consent"]["deadline_s"]}
    signed_batch = {
        "proposer": batch["proposer"],
        "round": batch["round"],
        "deadline": batch["deadline_s"],
        "tokens": batch["tokens"],
        "participants": [bic(one) for one in batch["participants"]],
        "entryRoots": [bytes.fromhex(root[2:]) for root in batch["entry_roots"]],
        "positions": batch["positions"],
    }
    signed_terms = {
        "attempt": terms["attempt"],
        "hashlock": bytes.fromhex(terms["hashlock"][2:]),
        "timelock": terms["timelock_s"],
        "otherChainId": terms["other_chain_id"],
        "otherSettlement": terms["other_settlement"],
        "otherTimelock": terms["other_timelock_s"],
    }
    return {
        "gross": ("GrossConsent", consent | deadline | {"obligation": obligation}),
        "lock": ("LockConsent", consent | deadline | {"obligation": obligation, "terms": signed_terms}),
        "net": ("NetConsent", consent | {"batch": signed_batch}),
        "proposal": ("BatchProposal", {"batch": signed_batch}),
    }


@pytest.mark.parametrize("kind", ["gross", "lock", "net", "proposal"])
def test_a_consent_hashes_as_an_independent_eip712_implementation_says(kind, vector, messages):
    primary, message = messages[kind]
    assert "0x" + _reference_digest(primary, message, vector).hex() == vector["digests"][kind]


@pytest.mark.parametrize("kind", ["gross", "lock", "net", "proposal"])
def test_a_signature_names_its_signer_to_an_independent_implementation(kind, vector):
    signature = vector["signatures"][kind]
    vs = int(signature["vs"], 16)
    v, r, s = 27 + (vs >> 255), int(signature["r"], 16), vs & ((1 << 255) - 1)
    signer = Account._recover_hash(bytes.fromhex(vector["digests"][kind][2:]), vrs=(v, r, s))
    who = "operator" if kind == "proposal" else vector["consent"]["participant"]
    assert signer.lower() == vector["addresses"][who]


def test_the_committed_vectors_are_what_the_code_computes(vector):
    assert json.loads(vectors.PATH.read_text()) == vector


def test_no_one_is_recovered_from_a_signature_that_is_none():
    zero = model.Signature(bytes(32), bytes(32))
    ones = model.Signature(b"\xff" * 32, b"\xff" * 32)
    assert typed_data.signer_of(bytes(32), zero) is None
    assert typed_data.signer_of(bytes(32), ones) is None


def test_the_order_in_which_legs_arrive_changes_no_id():
    legs = [
        model.Leg("HKBAHKHHXXX", "THBATHBKXXX", 1, vectors.HKD, 5),
        model.Leg("THBATHBKXXX", "HKBAHKHHXXX", 1, vectors.THB, 7),
    ]
    ids = {typed_data.obligation_id(model.obligation([], order)) for order in (legs, legs[::-1])}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [model.Leg("HKBAHKHHXXX", "HKBAHKHHXXX", 1, vectors.HKD, 5)],
        [model.Leg("HKBAHKHHXXX", "THBATHBKXXX", 1, vectors.HKD, 0)],
        [model.Leg("HKBAHKHHXXX", "THBATHBKXXX", 1, vectors.HKD, 1)] * 2,
        [model.Leg("HKBAHKHHXXX", "THBATHBKXXX", chain, vectors.HKD, 1) for chain in range(1, 18)],
    ],
    ids=["none", "to itself", "nothing", "twice", "too many"],
)
def test_legs_that_form_no_obligation_are_refused(legs):
    with pytest.raises(model.ObligationError):
        model.obligation([], legs)

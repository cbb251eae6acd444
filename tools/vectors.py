"""Write the test vectors that Solidity and Python share: ids, roots, digests and signatures of stated inputs.

``python -m tools.vectors`` writes ``tests/vectors/typed_data.json``; a test proves that it is up to date.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from eth_hash.auto import keccak

from corridor import merkle, model, typed_data

PATH = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "typed_data.json"

CHAIN_ID = 31337
SETTLEMENT = "0x" + "5e" * 20
HKD, THB = "0x" + "11" * 20, "0x" + "22" * 20
HK_BANK, TH_BANK, THIRD_BANK = "HKBAHKHHXXX", "THBATHBKXXX", "HKBBHKHHXXX"
# Keys derived from a stated seed: never used outside tests.
KEYS = {name: keccak(f"vector:{name}".encode()) for name in (HK_BANK, TH_BANK, THIRD_BANK, "operator")}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _obligations() -> dict[str, model.Obligation]:
    hkd = model.Instruction(HK_BANK, "7f0f4b8e-32c5-4e0b-9d2a-0a4a3f5b6c7d", bytes([0xAA]) * 32)
    thb = model.Instruction(TH_BANK, "1c9d2f3a-5b6e-4a7c-8d9e-0f1a2b3c4d5e", bytes([0xBB]) * 32)
    hkd_leg = model.Leg(HK_BANK, TH_BANK, CHAIN_ID, HKD, 1_000_000_000)
    thb_leg = model.Leg(TH_BANK, HK_BANK, CHAIN_ID, THB, 4_500_000_000)
    return {
        "pvp": model.obligation([hkd, thb], [hkd_leg, thb_leg]),
        "transfer": model.obligation([hkd], [model.Leg(HK_BANK, THIRD_BANK, CHAIN_ID, HKD, 1)]),
    }


def vectors() -> dict[str, Any]:
    """Return the vectors as plain JSON."""
    domain = typed_data.domain_separator(CHAIN_ID, SETTLEMENT)
    obligations = _obligations()
    pvp = obligations["pvp"]
    terms = model.LockTerms(1, bytes([0xCC]) * 32, 1_800_000_000, 7, "0x" + "77" * 20, 1_800_003_600)
    bound = [
        merkle.BoundLeg(typed_data.obligation_id(one), index, len(one.legs), leg)
        for one in obligations.values()
        for index, leg in enumerate(one.legs)
    ]
    forest = merkle.LegForest(bound)
    participants = tuple(sorted(KEYS.keys() - {"operator"}))
    tokens = (HKD, THB)
    net = {(party, token): 0 for party in participants for token in tokens}
    for one in bound:
        net[one.leg.payer, one.leg.token] -= one.leg.amount_minor
        net[one.leg.payee, one.leg.token] += one.leg.amount_minor
    proposer = typed_data.address_of(PrivateKey(KEYS["operator"]).public_key)
    batch = model.Batch(
        proposer,
        9,
        1_800_000_000,
        tokens,
        participants,
        tuple(forest.entry_root(party) for party in participants),
        tuple(net[party, token] for party in participants for token in tokens),
    )
    digests = {
        "gross": typed_data.gross_consent_digest(domain, HK_BANK, 3, 1_800_000_000, pvp),
        "lock": typed_data.lock_consent_digest(domain, HK_BANK, 3, 1_800_000_000, pvp, terms),
        "net": typed_data.net_consent_digest(domain, HK_BANK, 3, batch),
        "proposal": typed_data.batch_proposal_digest(domain, batch),
    }
    plain: dict[str, Any] = _plain(
        {
            "chain_id": CHAIN_ID,
            "settlement": SETTLEMENT,
            "domain_separator": domain,
            "obligations": {
                name: {
                    "instructions": [asdict(instruction) for instruction in one.instructions],
                    "instruction_hashes": [typed_data.instruction_hash(each) for each in one.instructions],
                    "instructions_hash": typed_data.instructions_hash(one.instructions),
                    "legs": [asdict(leg) for leg in one.legs],
                    "leg_hashes": [typed_data.leg_hash(leg) for leg in one.legs],
                    "id": typed_data.obligation_id(one),
                }
                for name, one in obligations.items()
            },
            "terms": asdict(terms) | {"hash": typed_data.terms_hash(terms)},
            "batch": asdict(batch) | {"id": typed_data.batch_id(batch)},
            "consent": {"participant": HK_BANK, "epoch": 3, "deadline_s": 1_800_000_000, "obligation": "pvp"},
            "digests": digests,
            "signatures": {
                name: asdict(typed_data.sign_digest(KEYS["operator" if name == "proposal" else HK_BANK], each))
                for name, each in digests.items()
            },
            "keys": KEYS,
            "addresses": {name: typed_data.address_of(PrivateKey(key).public_key) for name, key in KEYS.items()},
            "leg_proofs": [
                asdict(forest.leg_proof(one))
                | {
                    "leaf": one.leaf,
                    "pair": one.pair,
                    "pair_leaf": merkle.pair_leaf(one.pair, forest.pair_root(one.pair)),
                }
                for one in bound
            ],
        }
    )
    return plain


def main() -> None:
    """Write the vectors."""
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()

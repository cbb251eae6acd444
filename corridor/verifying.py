"""Shows and checks the evidence for a payment, for people and machines; see :mod:`corridor.proof`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor.app import Corridor
from corridor.engine import views
from corridor.errors import CorridorError
from corridor.ledger.adapter import connect
from corridor.ledger.deployment import read_deployment
from corridor.ledger.embedded import open_embedded
from corridor.proof import PaymentProof, dump_proof, load_proof, verify
from corridor.typed_data import batch_id, obligation_id


@dataclass(frozen=True, slots=True)
class Checked:
    """A proof that holds: as a file's text, for machines, and for people."""

    file: str
    view: dict[str, Any]
    text: str


def prove(corridor: Corridor, uetr: str) -> Checked:
    """Make the proof of a final payment from the operator's store, and check it against the ledger."""
    made = views.proof(corridor.desk, uetr)
    verify(made, corridor.ledger, settlement=corridor.deployment.settlement)
    return _checked(made)


def verify_file(path: Path, data_dir: Path, *, url: str | None, settlement: str | None) -> Checked:
    """Check a proof file with a node and the settlement contract's address, and nothing else."""
    loaded = load_proof(path.read_text(encoding="utf-8", errors="replace"))
    known = settlement or read_deployment(data_dir / "deployment.json").settlement
    if url is None and not (data_dir / "ledger.sqlite").exists():
        raise CorridorError("no ledger is named", next_step="Name your node with --ledger URL")
    ledger = connect(url) if url else open_embedded(data_dir / "ledger.sqlite", genesis_at_s=0)
    try:
        verify(loaded, ledger, settlement=known)
    finally:
        ledger.close()
    return _checked(loaded)


def _checked(proof: PaymentProof) -> Checked:
    identifier = obligation_id(proof.obligation).hex()
    lines = [f"obligation {identifier}"]
    for instruction in proof.obligation.instructions:
        lines.append(f"  instructed by {instruction.payer}, UETR {instruction.uetr}")
    lines += [
        f"  leg {index}: {leg.payer} paid {leg.payee} {leg.amount_minor} minor units of token {leg.token}"
        for index, leg in enumerate(proof.obligation.legs)
    ]
    lines.append(f"discharged by contract {proof.settlement} on chain {proof.chain_id}")
    if proof.batch is None:
        lines.append("settled gross: the ledger keeps the obligation's id as settled")
    else:
        batch = proof.batch
        lines.append(f"settled net: batch {batch_id(batch).hex()}, round {batch.round} of {batch.proposer}")
        for leg_proof in proof.leg_proofs:
            leg = leg_proof.bound.leg
            lines.append(
                f"  leg {leg_proof.bound.index}: pair root {leg_proof.pair_root.hex()} stands under the entries"
            )
            lines.append(f"    of {leg.payer} {batch.entry_root(leg.payer).hex()}")
            lines.append(f"    and {leg.payee} {batch.entry_root(leg.payee).hex()}")
    lines.append("checked against the ledger: it holds")
    file = dump_proof(proof)
    view = {"holds": True, "obligation": identifier, "proof": json.loads(file)}
    return Checked(file, view, "\n".join(lines))

"""Mutants that each break one guarantee on purpose: the proof that the test that watches it can fail.

Name, contract, what stands there (once), what is put in its place, the test that must notice.
``python -m tools.mutants`` tries them all.
"""

MUTANTS = [
    (
        "a credit adds one",
        "DepositToken",
        "return word.addBalance(amount);",
        "return word.addBalance(amount + 1);",
        "invariant_conservation",
    ),
    (
        "what is redeemed stays in the supply",
        "DepositToken",
        "_supply.redeemed += request.amount;",
        "{}",
        "invariant_backing",
    ),
    (
        "a claim need not wait for the other payer",
        "PvPSettlement",
        "if (record.lockedMask != required) revert SettlementLegsMissing(id, record.lockedMask, required);",
        "{}",
        "invariant_atomicity",
    ),
    (
        "no signature is as good as one",
        "PvPSettlement",
        "return msg.sender == key || approved[key][digest];",
        "return true;",
        "invariant_consent",
    ),
    (
        "any signature is as good as the participant's",
        "PvPSettlement",
        "signature.r, bytes32(s)) == key;",
        "signature.r, bytes32(s)) != address(0);",
        "invariant_consent",
    ),
    (
        "a claim succeeds in the second of the timelock",
        "PvPSettlement",
        "if (block.timestamp >= terms.timelock) revert SettlementClaimTooLate",
        "if (block.timestamp > terms.timelock) revert SettlementClaimTooLate",
        "invariant_disjoint_windows",
    ),
    (
        "a refund succeeds a second before the timelock",
        "PvPSettlement",
        "if (block.timestamp < terms.timelock) revert SettlementRefundTooEarly",
        "if (block.timestamp + 1 < terms.timelock) revert SettlementRefundTooEarly",
        "invariant_disjoint_windows",
    ),
    (
        "the lead may end with the follow",
        "LegRules",
        "if (later < earlier + SAFETY_MARGIN_S)",
        "if (later < earlier)",
        "invariant_timelock_order",
    ),
    (
        "a settled obligation stays open",
        "PvPSettlement",
        "record.state = State.Settled;",
        "{}",
        "invariant_once",
    ),
    (
        "a settled round stays open",
        "PvPSettlement",
        "_batches[batch.proposer][batch.round] = id;",
        "{}",
        "invariant_once",
    ),
    (
        "a reserve reference is used again",
        "DepositToken",
        "referenceUsed[reserveReference] = true;",
        "{}",
        "invariant_once",
    ),
    (
        "held money is spent again",
        "AccountWord",
        "return account.balanceOf() - account.heldOf();",
        "return account.balanceOf();",
        "invariant_no_overdraft",
    ),
    (
        "a pause stops a claim",
        "DepositToken",
        "function settleHold(Party payer, Party payee, uint256 amount) external onlySettlement {",
        "function settleHold(Party payer, Party payee, uint256 amount) external onlySettlement whenNotPaused {",
        "invariant_claimable",
    ),
    (
        "a freeze stops a claim",
        "DepositToken",
        "account.word = _credited(account.word, participant, amount);",
        "_requireNotFrozen(participant); account.word = _credited(account.word, participant, amount);",
        "invariant_claimable",
    ),
    (
        "a pause stops a refund",
        "DepositToken",
        "function release(bytes11 payer, uint256 amount) external onlySettlement {",
        "function release(bytes11 payer, uint256 amount) external onlySettlement whenNotPaused {",
        "invariant_exit",
    ),
    (
        "a suspended bank cannot take its redemption request back",
        "DepositToken",
        "if (registry.participantOf(msg.sender) != request.participant)",
        "if (registry.activeParticipantOf(msg.sender) != request.participant)",
        "invariant_exit",
    ),
]

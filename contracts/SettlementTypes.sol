// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

// What is signed and settled. Identities are BICs of eleven characters; amounts are integer minor units; times are
// seconds of the ledger's clock. The typed data of EIP-712 is written down in TypedData.sol, field by field.

/// @notice One movement of money: payer to payee, on one ledger, in one token.
struct Leg {
    bytes11 payer;
    bytes11 payee;
    uint256 chainId;
    address token;
    uint256 amount;
}

/// @notice Under which hashlock and until when the legs of an obligation on this ledger are locked.
/// @dev The last three fields are zero for an obligation on one ledger. On the other ledger of two, the terms carry
/// the same hashlock with timelock and otherTimelock exchanged.
struct LockTerms {
    uint32 attempt;
    bytes32 hashlock;
    uint64 timelock;
    uint256 otherChainId;
    address otherSettlement;
    uint64 otherTimelock;
}

/// @notice Net positions of a set of obligations. `positions[i * tokens.length + j]` is what participant i receives
/// (positive) or pays (negative) in token j; `entryRoots[i]` stands for all its legs, by counterparty.
struct Batch {
    address proposer;
    uint64 round;
    uint64 deadline;
    address[] tokens;
    bytes11[] participants;
    bytes32[] entryRoots;
    int256[] positions;
}

/// @notice A compact signature (ERC-2098). All zero means: the participant is the caller or has approved the digest
/// by its own transaction before.
struct Signature {
    bytes32 r;
    bytes32 vs;
}

/// @notice A leg's fields and the path to the entry roots of both its parties.
struct LegProof {
    bytes32 obligationId;
    uint256 legIndex;
    uint256 legCount;
    bytes11 payer;
    bytes11 payee;
    address token;
    uint256 amount;
    bytes32[] pairProof;
    bytes32[] payerProof;
    bytes32[] payeeProof;
}

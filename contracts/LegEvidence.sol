// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {LegProof} from "./SettlementTypes.sol";

/// @title LegEvidence
/// @notice Whether a leg stands under an entry root of a batch.
///
/// leg leaf  = keccak(keccak(abi.encode(obligation id, leg index, leg count, payer, payee, token, amount)))
/// pair leaf = keccak(keccak(abi.encode(lower identity, higher identity, pair root)))
///
/// Nodes hash their two children in ascending order; an odd node is promoted, never duplicated. A leaf is hashed twice
/// over at least 96 bytes and a node once over 64, so neither passes for the other. A root of zero proves nothing.
///
/// Assumes
/// - The entry roots were signed by their participants.
///
/// Guarantees
/// - It takes fields, never hashes of leaves; proofs are bounded in length.
library LegEvidence {
    /// @dev Room for 2^32 leaves, more than any batch carries; it bounds the work of a view.
    uint256 internal constant MAX_PROOF_LENGTH = 32;

    /// @notice The leaf of a leg in the tree of all legs between its two parties.
    /// @param legIndex Position of the leg in its obligation, counted from 0.
    function legLeaf(
        bytes32 obligationId,
        uint256 legIndex,
        uint256 legCount,
        bytes11 payer,
        bytes11 payee,
        address token,
        uint256 amount
    ) internal pure returns (bytes32) {
        bytes32 inner = keccak256(abi.encode(obligationId, legIndex, legCount, payer, payee, token, amount));
        return keccak256(abi.encode(inner));
    }

    /// @notice The leaf of a pair of participants in the tree of either's counterparties.
    function pairLeaf(bytes11 one, bytes11 other, bytes32 pairRoot) internal pure returns (bytes32) {
        (bytes11 lower, bytes11 higher) = one < other ? (one, other) : (other, one);
        return keccak256(abi.encode(keccak256(abi.encode(lower, higher, pairRoot))));
    }

    /// @notice Whether the leg stands under both roots.
    function standsUnder(LegProof calldata proof, bytes32 payerRoot, bytes32 payeeRoot) internal pure returns (bool) {
        if (payerRoot == 0 || payeeRoot == 0 || proof.legIndex >= proof.legCount) return false;
        if (
            proof.pairProof.length > MAX_PROOF_LENGTH || proof.payerProof.length > MAX_PROOF_LENGTH
                || proof.payeeProof.length > MAX_PROOF_LENGTH
        ) return false;
        bytes32 leaf = legLeaf(
            proof.obligationId, proof.legIndex, proof.legCount, proof.payer, proof.payee, proof.token, proof.amount
        );
        bytes32 pairRoot = MerkleProof.processProofCalldata(proof.pairProof, leaf);
        bytes32 pair = pairLeaf(proof.payer, proof.payee, pairRoot);
        return MerkleProof.processProofCalldata(proof.payerProof, pair) == payerRoot
            && MerkleProof.processProofCalldata(proof.payeeProof, pair) == payeeRoot;
    }
}

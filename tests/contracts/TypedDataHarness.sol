// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {LegEvidence} from "../../contracts/LegEvidence.sol";
import {Batch, Leg, LegProof, LockTerms} from "../../contracts/SettlementTypes.sol";
import {TypedData} from "../../contracts/TypedData.sol";

/// @notice Makes the ids, digests and leaves of the settlement contract visible to tests.
contract TypedDataHarness {
    bytes32 private constant INSTRUCTION_TYPEHASH =
        keccak256("Instruction(bytes11 payer,bytes16 uetr,bytes32 contentHash)");
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice The domain that consents are signed for.
    struct Domain {
        uint256 chainId;
        address settlement;
    }

    function instructionHash(bytes11 payer, bytes16 uetr, bytes32 contentHash) external pure returns (bytes32) {
        return keccak256(abi.encode(INSTRUCTION_TYPEHASH, payer, uetr, contentHash));
    }

    function instructionsHash(bytes32[] calldata hashes) external pure returns (bytes32) {
        return keccak256(abi.encodePacked(hashes));
    }

    function legHash(Leg calldata leg) external pure returns (bytes32) {
        return keccak256(abi.encode(TypedData.LEG_TYPEHASH, leg));
    }

    function obligationId(bytes32 instructions, Leg[] calldata legs) external pure returns (bytes32) {
        return TypedData.obligationId(instructions, legs);
    }

    function termsHash(LockTerms calldata terms) public pure returns (bytes32) {
        return TypedData.termsHash(terms);
    }

    function batchId(Batch calldata batch) external pure returns (bytes32) {
        return TypedData.batchId(batch);
    }

    function domainSeparator(Domain memory domain) public pure returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("Corridor PvPSettlement"), keccak256("1"), domain.chainId, domain.settlement
            )
        );
    }

    function grossDigest(Domain calldata domain, bytes11 participant, uint32 epoch, uint64 deadline, bytes32 obligation)
        external
        pure
        returns (bytes32)
    {
        return _digest(domain, TypedData.grossConsent(participant, epoch, deadline, obligation));
    }

    function lockDigest(
        Domain calldata domain,
        bytes11 participant,
        uint32 epoch,
        uint64 deadline,
        bytes32 obligation,
        LockTerms calldata terms
    ) external pure returns (bytes32) {
        bytes32 hash = TypedData.lockConsent(participant, epoch, deadline, obligation, TypedData.termsHash(terms));
        return _digest(domain, hash);
    }

    function netDigest(Domain calldata domain, bytes11 participant, uint32 epoch, bytes32 batch)
        external
        pure
        returns (bytes32)
    {
        return _digest(domain, TypedData.netConsent(participant, epoch, batch));
    }

    function proposalDigest(Domain calldata domain, bytes32 batch) external pure returns (bytes32) {
        return _digest(domain, TypedData.batchProposal(batch));
    }

    function legLeaf(LegProof calldata leg) external pure returns (bytes32) {
        return
            LegEvidence.legLeaf(
                leg.obligationId, leg.legIndex, leg.legCount, leg.payer, leg.payee, leg.token, leg.amount
            );
    }

    function pairLeaf(bytes11 one, bytes11 other, bytes32 pairRoot) external pure returns (bytes32) {
        return LegEvidence.pairLeaf(one, other, pairRoot);
    }

    function _digest(Domain memory domain, bytes32 structHash) private pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domainSeparator(domain), structHash);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, Leg, LockTerms} from "./SettlementTypes.sol";

/// @title TypedData
/// @notice The EIP-712 structures that participants sign, and the ids made of them.
///
/// Obligation id = hashStruct(Obligation) and batch id = hashStruct(Batch): what is signed is what is settled. The
/// instructions of an obligation enter as one hash, so that no payment reference is ever written on chain.
///
/// Assumes
/// - The caller has checked order, number and uniqueness of legs, tokens and participants.
///
/// Guarantees
/// - Every field of a structure enters its hash; no two structures share a type hash.
library TypedData {
    bytes32 internal constant LEG_TYPEHASH =
        keccak256("Leg(bytes11 payer,bytes11 payee,uint256 chainId,address token,uint256 amount)");

    bytes32 internal constant OBLIGATION_TYPEHASH = keccak256(
        "Obligation(Instruction[] instructions,Leg[] legs)"
        "Instruction(bytes11 payer,bytes16 uetr,bytes32 contentHash)"
        "Leg(bytes11 payer,bytes11 payee,uint256 chainId,address token,uint256 amount)"
    );

    bytes32 internal constant LOCK_TERMS_TYPEHASH = keccak256(
        "LockTerms(uint32 attempt,bytes32 hashlock,uint64 timelock,"
        "uint256 otherChainId,address otherSettlement,uint64 otherTimelock)"
    );

    bytes32 internal constant GROSS_CONSENT_TYPEHASH = keccak256(
        "GrossConsent(bytes11 participant,uint32 epoch,uint64 deadline,Obligation obligation)"
        "Instruction(bytes11 payer,bytes16 uetr,bytes32 contentHash)"
        "Leg(bytes11 payer,bytes11 payee,uint256 chainId,address token,uint256 amount)"
        "Obligation(Instruction[] instructions,Leg[] legs)"
    );

    bytes32 internal constant LOCK_CONSENT_TYPEHASH = keccak256(
        "LockConsent(bytes11 participant,uint32 epoch,uint64 deadline,Obligation obligation,LockTerms terms)"
        "Instruction(bytes11 payer,bytes16 uetr,bytes32 contentHash)"
        "Leg(bytes11 payer,bytes11 payee,uint256 chainId,address token,uint256 amount)"
        "LockTerms(uint32 attempt,bytes32 hashlock,uint64 timelock,"
        "uint256 otherChainId,address otherSettlement,uint64 otherTimelock)"
        "Obligation(Instruction[] instructions,Leg[] legs)"
    );

    bytes32 internal constant BATCH_TYPEHASH = keccak256(
        "Batch(address proposer,uint64 round,uint64 deadline,address[] tokens,"
        "bytes11[] participants,bytes32[] entryRoots,int256[] positions)"
    );

    bytes32 internal constant NET_CONSENT_TYPEHASH = keccak256(
        "NetConsent(bytes11 participant,uint32 epoch,Batch batch)"
        "Batch(address proposer,uint64 round,uint64 deadline,address[] tokens,"
        "bytes11[] participants,bytes32[] entryRoots,int256[] positions)"
    );

    bytes32 internal constant BATCH_PROPOSAL_TYPEHASH = keccak256(
        "BatchProposal(Batch batch)" "Batch(address proposer,uint64 round,uint64 deadline,address[] tokens,"
        "bytes11[] participants,bytes32[] entryRoots,int256[] positions)"
    );

    /// @notice The obligation id: hashStruct(Obligation).
    /// @param instructionsHash keccak256 of the concatenated hashes of the obligation's instructions.
    function obligationId(bytes32 instructionsHash, Leg[] calldata legs) internal pure returns (bytes32) {
        uint256 count = legs.length;
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = legHash(legs[i]);
        }
        bytes32 legsHash;
        // The hashes stand one after the other already; the language would copy them first, element by element.
        assembly ("memory-safe") {
            legsHash := keccak256(add(hashes, 0x20), mul(count, 0x20))
        }
        return keccak256(abi.encode(OBLIGATION_TYPEHASH, instructionsHash, legsHash));
    }

    /// @notice hashStruct(Leg).
    function legHash(Leg calldata leg) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := leg
        }
        return _hashFields(LEG_TYPEHASH, offset, 5);
    }

    /// @notice hashStruct(LockTerms).
    function termsHash(LockTerms calldata terms) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := terms
        }
        return _hashFields(LOCK_TERMS_TYPEHASH, offset, 6);
    }

    /// @dev The fields of these structures are one word each and stand in the call data as they are hashed; the language
    /// would take them apart and put them together again, for 400 gas each. Bits beyond a field's type would enter the
    /// hash: such an id is nobody's, since no signer's software makes it, and reading the field reverts.
    function _hashFields(bytes32 typeHash, uint256 offset, uint256 fields) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(fields, 0x20)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), offset, size)
            hash := keccak256(free, add(size, 0x20))
        }
    }

    /// @notice The batch id: hashStruct(Batch).
    /// @dev Settling reads every token and participant, so that no batch with bits beyond a field's type ever settles.
    function batchId(Batch calldata batch) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                BATCH_TYPEHASH,
                batch.proposer,
                batch.round,
                batch.deadline,
                keccak256(abi.encodePacked(_words(batch.tokens))),
                keccak256(abi.encodePacked(_words(batch.participants))),
                keccak256(abi.encodePacked(batch.entryRoots)),
                keccak256(abi.encodePacked(_words(batch.positions)))
            )
        );
    }

    /// @notice hashStruct(GrossConsent).
    function grossConsent(bytes11 participant, uint32 epoch, uint64 deadline, bytes32 obligation)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(GROSS_CONSENT_TYPEHASH, participant, epoch, deadline, obligation));
    }

    /// @notice hashStruct(LockConsent).
    function lockConsent(bytes11 participant, uint32 epoch, uint64 deadline, bytes32 obligation, bytes32 terms)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(LOCK_CONSENT_TYPEHASH, participant, epoch, deadline, obligation, terms));
    }

    /// @notice hashStruct(NetConsent).
    function netConsent(bytes11 participant, uint32 epoch, bytes32 batch) internal pure returns (bytes32) {
        return keccak256(abi.encode(NET_CONSENT_TYPEHASH, participant, epoch, batch));
    }

    /// @notice hashStruct(BatchProposal).
    function batchProposal(bytes32 batch) internal pure returns (bytes32) {
        return keccak256(abi.encode(BATCH_PROPOSAL_TYPEHASH, batch));
    }

    // The language copies arrays of words that are not `bytes32` one by one; the same call data, read as `bytes32`, is
    // copied whole. These three change the type and nothing else.

    function _words(address[] calldata array) private pure returns (bytes32[] calldata words) {
        assembly ("memory-safe") {
            words.offset := array.offset
            words.length := array.length
        }
    }

    function _words(bytes11[] calldata array) private pure returns (bytes32[] calldata words) {
        assembly ("memory-safe") {
            words.offset := array.offset
            words.length := array.length
        }
    }

    function _words(int256[] calldata array) private pure returns (bytes32[] calldata words) {
        assembly ("memory-safe") {
            words.offset := array.offset
            words.length := array.length
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "./IParticipantRegistry.sol";

/// @title EvidenceRegistry
/// @notice That a document existed, which participant showed it first, when, and as what: by its hash alone.
///
/// A trade document (an invoice, a bill of lading) stays where it is. Whoever holds it hashes it and asks here.
///
/// Assumes
/// - Both sides hash the same bytes. A document that can be guessed can be found by its hash: agree on a form that
///   carries something nobody can guess, yet is the same whoever finances it.
///
/// Guarantees
/// - A hash is anchored once, by an active participant, and its record never changes: who presents the same document
///   again is refused, and told who was first.
/// - Nobody has power over this contract; the deployer holds none.
contract EvidenceRegistry {
    /// @notice One word: who anchored the hash, as what, and when. All zero for a hash never anchored.
    /// @dev The type is a code of four characters, as in the ISO 20022 code sets: CINV is a commercial invoice.
    struct Evidence {
        bytes11 participant;
        bytes4 documentType;
        uint64 anchoredAt;
    }

    /// @notice The hash has been anchored before.
    error EvidenceDuplicate(bytes32 documentHash, bytes11 participant, uint256 anchoredAt);
    /// @notice Hash or document type is zero.
    error EvidenceEmpty();
    /// @notice The register of participants is missing.
    error EvidenceDeploymentInvalid();

    /// @notice A hash was anchored at the time of this block.
    event EvidenceAnchored(bytes32 indexed documentHash, bytes11 indexed participant, bytes4 indexed documentType);

    /// @notice The register of participants.
    IParticipantRegistry public immutable registry;

    mapping(bytes32 documentHash => Evidence) private _evidence;

    /// @param registry_ The register of participants, deployed before.
    constructor(IParticipantRegistry registry_) {
        if (address(registry_).code.length == 0) revert EvidenceDeploymentInvalid();
        registry = registry_;
    }

    /// @notice Anchors a document's hash for the calling participant, which must be active.
    function anchor(bytes32 documentHash, bytes4 documentType) external {
        bytes11 participant = registry.activeParticipantOf(msg.sender);
        if (documentHash == 0 || documentType == 0) revert EvidenceEmpty();
        Evidence memory first = _evidence[documentHash];
        if (first.participant != 0) revert EvidenceDuplicate(documentHash, first.participant, first.anchoredAt);
        _evidence[documentHash] = Evidence(participant, documentType, uint64(block.timestamp));
        emit EvidenceAnchored(documentHash, participant, documentType);
    }

    /// @notice Whether this participant anchored the hash as a document of this type.
    function verify(bytes32 documentHash, bytes11 participant, bytes4 documentType) external view returns (bool) {
        Evidence memory found = _evidence[documentHash];
        return participant != 0 && found.participant == participant && found.documentType == documentType;
    }

    /// @notice Who anchored a hash, as what and when.
    function evidenceOf(bytes32 documentHash) external view returns (Evidence memory) {
        return _evidence[documentHash];
    }
}

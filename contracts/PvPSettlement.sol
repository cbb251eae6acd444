// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IParticipantRegistry, SigningKey} from "./IParticipantRegistry.sol";
import {IPvPSettlement} from "./IPvPSettlement.sol";
import {ISettlementToken} from "./ISettlementToken.sol";
import {LegEvidence} from "./LegEvidence.sol";
import {LegRules} from "./LegRules.sol";
import {Batch, Leg, LegProof, LockTerms, Signature} from "./SettlementTypes.sol";
import {TypedData} from "./TypedData.sol";

/// @title PvPSettlement
/// @notice Discharges payment obligations: all legs of one, or all net positions of many, or nothing.
///
/// Three ways: `settle` an obligation whose payers consent; `settleBatch`, the net positions of a round, to which every
/// participant with an entry consents; `lock`, then `claim` with the preimage or `refund` after the timelock.
///
/// Assumes
/// - The register and the deposit tokens are the corridor's. A leg in any other token harms only those who sign it:
///   state is written before a token is called, and no token's answer changes what another token is asked to do.
/// - sha256, keccak256 and secp256k1 hold; the ledger's clock goes forward and is not more than seconds wrong.
///
/// Guarantees
/// - No debit without the payer's consent to exactly that; no entry without its participant's.
/// - An obligation is discharged once: Settled and Claimed are final. One batch settles per (proposer, round).
/// - A claim succeeds only while now < timelock, a refund only once now ≥ timelock.
/// - From lock to timelock nothing but time stops a claim; after it anyone can refund every leg by itself.
/// - Nobody has power over this contract: no owner, no upgrade, no list of tokens.
contract PvPSettlement is IPvPSettlement, EIP712 {
    // ----- STORAGE ----------------------------------------------------------------------------------------------

    /// @inheritdoc IPvPSettlement
    uint256 public constant MAX_CONSENT_S = 900;
    /// @inheritdoc IPvPSettlement
    uint256 public constant MAX_ENTRIES = 2048;
    /// @inheritdoc IPvPSettlement
    uint256 public constant MAX_TOKENS = 16;
    /// @inheritdoc IPvPSettlement
    uint256 public constant MAX_LEGS = LegRules.MAX_LEGS;
    /// @inheritdoc IPvPSettlement
    uint256 public constant MIN_LOCK_WINDOW_S = LegRules.MIN_LOCK_WINDOW_S;
    /// @inheritdoc IPvPSettlement
    uint256 public constant MAX_LOCK_WINDOW_S = LegRules.MAX_LOCK_WINDOW_S;
    /// @inheritdoc IPvPSettlement
    uint256 public constant SAFETY_MARGIN_S = LegRules.SAFETY_MARGIN_S;

    /// @inheritdoc IPvPSettlement
    IParticipantRegistry public immutable registry;

    /// @inheritdoc IPvPSettlement
    mapping(address key => mapping(bytes32 digest => bool)) public approved;

    mapping(bytes32 obligationId => ObligationRecord) private _obligations;
    mapping(address proposer => mapping(uint64 round => bytes32)) private _batches;

    /// @param registry_ The register of participants, deployed before.
    constructor(IParticipantRegistry registry_) EIP712("Corridor PvPSettlement", "1") {
        if (address(registry_).code.length == 0) revert SettlementDeploymentInvalid();
        registry = registry_;
    }

    // ----- CONSENT BY TRANSACTION -------------------------------------------------------------------------------

    /// @inheritdoc IPvPSettlement
    function approve(bytes32 digest) external {
        approved[msg.sender][digest] = true;
        emit ConsentApproved(msg.sender, digest);
    }

    /// @inheritdoc IPvPSettlement
    function unapprove(bytes32 digest) external {
        if (!approved[msg.sender][digest]) revert SettlementConsentNotApproved(msg.sender, digest);
        approved[msg.sender][digest] = false;
        emit ConsentUnapproved(msg.sender, digest);
    }

    // ----- GROSS ------------------------------------------------------------------------------------------------

    /// @inheritdoc IPvPSettlement
    function settle(
        bytes32 instructionsHash,
        Leg[] calldata legs,
        uint64 deadline,
        Signature[] calldata payerSignatures
    ) external {
        _requireDeadline(deadline);
        LegRules.requireCanonical(legs);
        LegRules.requireLocal(legs);
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        ObligationRecord storage record = _obligations[id];
        if (record.state != State.None && record.state != State.Refunded) {
            revert SettlementObligationNotOpen(id, record.state);
        }
        SigningKey[] memory keys = registry.activeKeys(_parties(legs));
        _requireGrossConsents(id, legs, deadline, keys, payerSignatures);
        record.state = State.Settled;
        emit ObligationSettled(id);
        for (uint256 i = 0; i < legs.length; ++i) {
            Leg calldata leg = legs[i];
            ISettlementToken(leg.token).moveLeg(
                leg.payer, keys[2 * i].keyOf(), leg.payee, keys[2 * i + 1].keyOf(), leg.amount
            );
        }
    }

    // ----- NET --------------------------------------------------------------------------------------------------

    /// @inheritdoc IPvPSettlement
    function settleBatch(Batch calldata batch, Signature calldata proposerSignature, Signature[] calldata signatures)
        external
    {
        _requireDeadline(batch.deadline);
        _requireBatchForm(batch);
        bytes32 taken = _batches[batch.proposer][batch.round];
        if (taken != 0) revert SettlementRoundTaken(batch.proposer, batch.round, taken);
        bytes32 id = TypedData.batchId(batch);
        SigningKey[] memory keys = registry.activeKeys(batch.participants);
        _requireSubmitter(batch.proposer, keys);
        _requireBatchConsents(batch, id, keys, proposerSignature, signatures);
        _batches[batch.proposer][batch.round] = id;
        emit BatchSettled(id, batch.proposer, batch.round);
        for (uint256 j = 0; j < batch.tokens.length; ++j) {
            ISettlementToken(batch.tokens[j]).moveNet(batch.participants, keys, _column(batch, j));
        }
    }

    // ----- LOCK, CLAIM, REFUND ----------------------------------------------------------------------------------

    /// @inheritdoc IPvPSettlement
    function lock(
        bytes32 instructionsHash,
        Leg[] calldata legs,
        LockTerms calldata terms,
        bytes11 payer,
        uint64 deadline,
        Signature calldata signature
    ) external {
        _requireDeadline(deadline);
        LegRules.requireCanonical(legs);
        LegRules.requireLockable(legs, terms);
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        bytes32 terms_ = TypedData.termsHash(terms);
        uint16 mask = _payerMask(legs, payer);
        if (mask == 0) revert SettlementNoLegToLock(id, payer);
        _requireAttempt(id, terms.attempt, terms_, payer, mask);
        _requireLockConsent(id, legs, terms_, payer, deadline, signature);
        _obligations[id] =
            ObligationRecord(State.Locked, terms.attempt, _obligations[id].lockedMask | mask, bytes25(terms_));
        for (uint256 i = 0; i < legs.length; ++i) {
            if (mask & (1 << i) == 0) continue;
            Leg calldata leg = legs[i];
            emit LegLocked(
                id, terms.attempt, i, payer, leg.payee, leg.token, leg.amount, terms.hashlock, terms.timelock
            );
            ISettlementToken(leg.token).hold(payer, leg.payee, leg.amount);
        }
    }

    /// @inheritdoc IPvPSettlement
    function claim(bytes32 instructionsHash, Leg[] calldata legs, LockTerms calldata terms, bytes32 preimage) external {
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        ObligationRecord storage record = _requireLocked(id, terms);
        if (block.timestamp >= terms.timelock) revert SettlementClaimTooLate(id, terms.timelock, block.timestamp);
        if (sha256(abi.encode(preimage)) != terms.hashlock) revert SettlementPreimageWrong(id);
        uint16 required = _localMask(legs);
        if (record.lockedMask != required) revert SettlementLegsMissing(id, record.lockedMask, required);
        record.state = State.Claimed;
        record.lockedMask = 0;
        emit ObligationClaimed(id, terms.attempt, preimage);
        address[] memory keys = registry.keysOf(_parties(legs));
        for (uint256 i = 0; i < legs.length; ++i) {
            if (required & (1 << i) == 0) continue;
            Leg calldata leg = legs[i];
            ISettlementToken(leg.token).claimHold(leg.payer, keys[2 * i], leg.payee, keys[2 * i + 1], leg.amount);
        }
    }

    /// @inheritdoc IPvPSettlement
    function refund(bytes32 instructionsHash, Leg[] calldata legs, LockTerms calldata terms, uint256 legIndex)
        external
    {
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        ObligationRecord storage record = _requireLocked(id, terms);
        if (block.timestamp < terms.timelock) revert SettlementRefundTooEarly(id, terms.timelock, block.timestamp);
        // Sixteen legs at most: the shift is only made where a bit can be.
        bool locked = legIndex < legs.length && record.lockedMask & (1 << legIndex) != 0;
        if (!locked) revert SettlementLegNotLocked(id, legIndex);
        record.lockedMask ^= uint16(1 << legIndex);
        if (record.lockedMask == 0) record.state = State.Refunded;
        emit LegRefunded(id, terms.attempt, legIndex);
        ISettlementToken(legs[legIndex].token).release(legs[legIndex].payer, legs[legIndex].amount);
    }

    // ----- VIEWS ------------------------------------------------------------------------------------------------

    /// @inheritdoc IPvPSettlement
    function obligation(bytes32 obligationId) external view returns (ObligationRecord memory) {
        return _obligations[obligationId];
    }

    /// @inheritdoc IPvPSettlement
    function batchOf(address proposer, uint64 round) external view returns (bytes32) {
        return _batches[proposer][round];
    }

    /// @inheritdoc IPvPSettlement
    function verifyLeg(Batch calldata batch, LegProof calldata proof) external view returns (bool) {
        if (_batches[batch.proposer][batch.round] != TypedData.batchId(batch)) return false;
        return LegEvidence.standsUnder(proof, _entryRoot(batch, proof.payer), _entryRoot(batch, proof.payee));
    }

    // ----- CONSENTS ---------------------------------------------------------------------------------------------

    function _requireDeadline(uint256 deadline) private view {
        if (block.timestamp >= deadline || deadline > block.timestamp + MAX_CONSENT_S) {
            revert SettlementDeadlineRefused(deadline, block.timestamp);
        }
    }

    /// @dev Legs ascend by payer, so each payer's legs stand together and its first leg asks for its signature.
    function _requireGrossConsents(
        bytes32 id,
        Leg[] calldata legs,
        uint64 deadline,
        SigningKey[] memory keys,
        Signature[] calldata signatures
    ) private view {
        bytes32 domain = _domainSeparatorV4();
        uint256 used = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            bytes11 payer = legs[i].payer;
            if (i > 0 && payer == legs[i - 1].payer) continue;
            if (used == signatures.length) revert SettlementSignatureCountRefused(signatures.length, used + 1);
            bytes32 digest =
                MessageHashUtils.toTypedDataHash(domain, TypedData.grossConsent(payer, keys[2 * i].epochOf(), deadline, id));
            _requireConsent(payer, keys[2 * i].keyOf(), digest, signatures[used++]);
        }
        if (used != signatures.length) revert SettlementSignatureCountRefused(signatures.length, used);
    }

    function _requireBatchConsents(
        Batch calldata batch,
        bytes32 id,
        SigningKey[] memory keys,
        Signature calldata proposerSignature,
        Signature[] calldata signatures
    ) private view {
        if (signatures.length != keys.length) {
            revert SettlementSignatureCountRefused(signatures.length, keys.length);
        }
        bytes32 domain = _domainSeparatorV4();
        bytes32 proposal = MessageHashUtils.toTypedDataHash(domain, TypedData.batchProposal(id));
        if (!_hasConsent(batch.proposer, proposal, proposerSignature)) {
            revert SettlementProposalMissing(batch.proposer, proposal);
        }
        for (uint256 i = 0; i < keys.length; ++i) {
            bytes11 participant = batch.participants[i];
            bytes32 digest = MessageHashUtils.toTypedDataHash(domain, TypedData.netConsent(participant, keys[i].epochOf(), id));
            _requireConsent(participant, keys[i].keyOf(), digest, signatures[i]);
        }
    }

    /// @dev Payer and local payees must be active; the payer consents.
    function _requireLockConsent(
        bytes32 id,
        Leg[] calldata legs,
        bytes32 terms,
        bytes11 payer,
        uint64 deadline,
        Signature calldata signature
    ) private view {
        bytes11[] memory parties = new bytes11[](legs.length + 1);
        parties[0] = payer;
        for (uint256 i = 0; i < legs.length; ++i) {
            bool locking = legs[i].payer == payer && legs[i].chainId == block.chainid;
            parties[i + 1] = locking ? legs[i].payee : payer;
        }
        SigningKey[] memory keys = registry.activeKeys(parties);
        bytes32 digest = _hashTypedDataV4(TypedData.lockConsent(payer, keys[0].epochOf(), deadline, id, terms));
        _requireConsent(payer, keys[0].keyOf(), digest, signature);
    }

    function _requireConsent(bytes11 participant, address key, bytes32 digest, Signature calldata signature)
        private
        view
    {
        if (!_hasConsent(key, digest, signature)) revert SettlementConsentMissing(participant, digest);
    }

    function _hasConsent(address key, bytes32 digest, Signature calldata signature) private view returns (bool) {
        if (key == address(0)) return false;
        if (signature.r == 0 && signature.vs == 0) return msg.sender == key || approved[key][digest];
        // tryRecover refuses a high s, and answers zero for whatever is no signature; a key is never zero.
        (address signer,,) = ECDSA.tryRecover(digest, signature.r, signature.vs);
        return signer == key;
    }

    // ----- FORM OF A BATCH --------------------------------------------------------------------------------------

    function _requireBatchForm(Batch calldata batch) private pure {
        uint256 entries = batch.participants.length;
        uint256 tokens = batch.tokens.length;
        bool inBounds = entries > 0 && entries <= MAX_ENTRIES && tokens > 0 && tokens <= MAX_TOKENS;
        if (!inBounds || batch.entryRoots.length != entries || batch.positions.length != entries * tokens) {
            revert SettlementBatchShapeRefused(entries, tokens, batch.entryRoots.length, batch.positions.length);
        }
        for (uint256 i = 1; i < entries; ++i) {
            bytes11 participant = batch.participants[i];
            if (participant <= batch.participants[i - 1]) revert SettlementParticipantOrderRefused(participant);
        }
        for (uint256 j = 1; j < tokens; ++j) {
            if (batch.tokens[j] <= batch.tokens[j - 1]) revert SettlementTokenOrderRefused(batch.tokens[j]);
        }
    }

    function _requireSubmitter(address proposer, SigningKey[] memory keys) private view {
        if (msg.sender == proposer) return;
        for (uint256 i = 0; i < keys.length; ++i) {
            if (msg.sender == keys[i].keyOf()) return;
        }
        revert SettlementSubmitterRefused(msg.sender);
    }

    /// @dev The positions of all participants in one token, which must sum to zero.
    function _column(Batch calldata batch, uint256 j) private pure returns (int256[] memory column) {
        uint256 width = batch.tokens.length;
        column = new int256[](batch.participants.length);
        int256 sum = 0;
        for (uint256 i = 0; i < column.length; ++i) {
            column[i] = batch.positions[i * width + j];
            sum += column[i];
        }
        if (sum != 0) revert SettlementUnbalanced(batch.tokens[j], sum);
    }

    function _entryRoot(Batch calldata batch, bytes11 participant) private pure returns (bytes32) {
        for (uint256 i = 0; i < batch.participants.length; ++i) {
            if (batch.participants[i] == participant) return batch.entryRoots[i];
        }
        return 0;
    }

    // ----- STATE OF A LOCK --------------------------------------------------------------------------------------

    /// @dev The first lock of an attempt fixes its terms; the others join them. Nobody locks a leg twice.
    function _requireAttempt(bytes32 id, uint256 attempt, bytes32 terms, bytes11 payer, uint16 mask) private view {
        ObligationRecord memory record = _obligations[id];
        if (record.state == State.Locked) {
            if (record.termsCommitment != bytes25(terms)) revert SettlementTermsDiffer(id);
            if (record.lockedMask & mask != 0) revert SettlementAlreadyLocked(id, payer);
        } else if (record.state == State.None || record.state == State.Refunded) {
            uint256 required = uint256(record.attempt) + 1;
            if (attempt != required) revert SettlementAttemptRefused(id, attempt, required);
        } else {
            revert SettlementObligationNotOpen(id, record.state);
        }
    }

    function _requireLocked(bytes32 id, LockTerms calldata terms)
        private
        view
        returns (ObligationRecord storage record)
    {
        record = _obligations[id];
        if (record.state != State.Locked) revert SettlementNotLocked(id, record.state);
        if (record.termsCommitment != bytes25(TypedData.termsHash(terms))) revert SettlementTermsDiffer(id);
    }

    /// @dev One bit per leg on this ledger.
    function _localMask(Leg[] calldata legs) private view returns (uint16 mask) {
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].chainId == block.chainid) mask |= uint16(1 << i);
        }
    }

    /// @dev One bit per leg that this payer has on this ledger.
    function _payerMask(Leg[] calldata legs, bytes11 payer) private view returns (uint16 mask) {
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].chainId == block.chainid && legs[i].payer == payer) mask |= uint16(1 << i);
        }
    }

    /// @dev Payer and payee of each leg, one after the other.
    function _parties(Leg[] calldata legs) private pure returns (bytes11[] memory parties) {
        parties = new bytes11[](2 * legs.length);
        for (uint256 i = 0; i < legs.length; ++i) {
            parties[2 * i] = legs[i].payer;
            parties[2 * i + 1] = legs[i].payee;
        }
    }
}

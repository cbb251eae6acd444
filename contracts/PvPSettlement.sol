// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IParticipantRegistry, Party, SigningKey, partyOf} from "./IParticipantRegistry.sol";
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

    /// @dev Half the order of secp256k1: the largest s of a signature that has no twin (EIP-2).
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    /// @dev All bits of a compact signature's second word but the highest, which is the parity (ERC-2098).
    uint256 private constant MAX_S_WORD = type(uint256).max >> 1;

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
        LegRules.requireLocal(legs, LegRules.requireCanonical(legs));
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        ObligationRecord storage record = _obligations[id];
        State state = record.state;
        if (state != State.None && state != State.Refunded) revert SettlementObligationNotOpen(id, state);
        Party[] memory parties = _requireGrossConsents(id, legs, deadline, payerSignatures);
        record.state = State.Settled;
        emit ObligationSettled(id);
        for (uint256 i = 0; i < legs.length; ++i) {
            Leg calldata leg = legs[i];
            unchecked {
                ISettlementToken(leg.token).moveGross(parties[2 * i], parties[2 * i + 1], leg.amount);
            }
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
        Party[] memory parties = _requireBatchConsents(batch, id, proposerSignature, signatures);
        _requireSubmitter(batch.proposer, parties);
        _batches[batch.proposer][batch.round] = id;
        emit BatchSettled(id, batch.proposer, batch.round);
        address[] calldata tokens = batch.tokens;
        int256[] calldata positions = batch.positions;
        for (uint256 j = 0; j < tokens.length; ++j) {
            address token = tokens[j];
            ISettlementToken(token).settleNet(parties, _column(token, positions, parties.length, tokens.length, j));
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
        uint256 local = LegRules.requireCanonical(legs);
        LegRules.requireLockable(legs, terms, local);
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        bytes32 terms_ = TypedData.termsHash(terms);
        uint256 mask = _payerMask(legs, payer, local);
        if (mask == 0) revert SettlementNoLegToLock(id, payer);
        uint256 locked = _requireAttempt(id, terms.attempt, terms_, payer, mask);
        _requireLockConsent(id, legs, mask, terms_, payer, deadline, signature);
        _obligations[id] = ObligationRecord(State.Locked, terms.attempt, uint16(locked | mask), bytes25(terms_));
        for (uint256 i = 0; i < legs.length; ++i) {
            if (mask & (1 << i) == 0) continue;
            Leg calldata leg = legs[i];
            emit LegLocked(
                id, terms.attempt, i, payer, leg.payee, leg.token, leg.amount, terms.hashlock, terms.timelock
            );
            ISettlementToken(leg.token).makeHold(payer, leg.payee, leg.amount);
        }
    }

    /// @inheritdoc IPvPSettlement
    function claim(bytes32 instructionsHash, Leg[] calldata legs, LockTerms calldata terms, bytes32 preimage) external {
        bytes32 id = TypedData.obligationId(instructionsHash, legs);
        ObligationRecord storage record = _requireLocked(id, terms);
        if (block.timestamp >= terms.timelock) revert SettlementClaimTooLate(id, terms.timelock, block.timestamp);
        if (sha256(abi.encode(preimage)) != terms.hashlock) revert SettlementPreimageWrong(id);
        uint256 required = _localMask(legs);
        if (record.lockedMask != required) revert SettlementLegsMissing(id, record.lockedMask, required);
        record.state = State.Claimed;
        record.lockedMask = 0;
        emit ObligationClaimed(id, terms.attempt, preimage);
        (Party payer, Party payee) = (Party.wrap(0), Party.wrap(0));
        for (uint256 i = 0; i < legs.length; ++i) {
            if (required & (1 << i) == 0) continue;
            Leg calldata leg = legs[i];
            // The second leg of a PvP has the parties of the first, the other way round.
            bool returning = leg.payer == payee.identityOf() && leg.payee == payer.identityOf();
            (payer, payee) = returning ? (payee, payer) : registry.currentPair(leg.payer, leg.payee);
            ISettlementToken(leg.token).settleHold(payer, payee, leg.amount);
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

    /// @dev Both parties of every leg must be active; each payer consents. Legs ascend by payer, so that a payer's legs
    /// stand together and its first leg asks for its signature (nobody has the identity zero). Returns payer and payee of each leg, one after the other.
    function _requireGrossConsents(bytes32 id, Leg[] calldata legs, uint64 deadline, Signature[] calldata signatures)
        private
        view
        returns (Party[] memory parties)
    {
        bytes32 domain = _domainSeparatorV4();
        parties = new Party[](2 * legs.length);
        (bytes11 previous, bytes11 previousPayee) = (0, 0);
        (SigningKey payerKey, SigningKey payeeKey) = (SigningKey.wrap(0), SigningKey.wrap(0));
        uint256 used = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            Leg calldata leg = legs[i];
            (bytes11 payer, bytes11 payee) = (leg.payer, leg.payee);
            // The second leg of a PvP has the parties of the first, the other way round.
            bool returning = payer == previousPayee && payee == previous;
            (payerKey, payeeKey) = returning ? (payeeKey, payerKey) : registry.activeKeyPair(payer, payee);
            previousPayee = payee;
            unchecked {
                parties[2 * i] = partyOf(payer, payerKey);
                parties[2 * i + 1] = partyOf(payee, payeeKey);
            }
            if (payer == previous) continue;
            previous = payer;
            if (used == signatures.length) revert SettlementSignatureCountRefused(signatures.length, used + 1);
            bytes32 structHash = TypedData.grossConsent(payer, payerKey.epochOf(), deadline, id);
            _requireConsent(payer, payerKey, MessageHashUtils.toTypedDataHash(domain, structHash), signatures[used++]);
        }
        if (used != signatures.length) revert SettlementSignatureCountRefused(signatures.length, used);
    }

    function _requireProposal(address proposer, bytes32 id, Signature calldata signature) private view {
        // The usual case needs no digest: the proposer submits its own batch.
        if (msg.sender == proposer && _isEmpty(signature)) return;
        bytes32 digest = _hashTypedDataV4(TypedData.batchProposal(id));
        if (!_hasConsent(proposer, digest, signature)) revert SettlementProposalMissing(proposer, digest);
    }

    /// @dev Participants ascend strictly; every one must be active and consents to the batch, and so does the proposer.
    function _requireBatchConsents(
        Batch calldata batch,
        bytes32 id,
        Signature calldata proposerSignature,
        Signature[] calldata signatures
    ) private view returns (Party[] memory parties) {
        bytes11[] calldata participants = batch.participants;
        SigningKey[] memory keys = registry.activeKeys(participants);
        uint256 entries = participants.length;
        if (signatures.length != entries) revert SettlementSignatureCountRefused(signatures.length, entries);
        _requireProposal(batch.proposer, id, proposerSignature);
        bytes32 domain = _domainSeparatorV4();
        parties = new Party[](entries);
        bytes11 previous = 0;
        for (uint256 i = 0; i < entries; ++i) {
            (bytes11 participant, SigningKey key) = (participants[i], keys[i]);
            if (participant <= previous) revert SettlementParticipantOrderRefused(participant);
            previous = participant;
            bytes32 structHash = TypedData.netConsent(participant, key.epochOf(), id);
            _requireConsent(participant, key, MessageHashUtils.toTypedDataHash(domain, structHash), signatures[i]);
            parties[i] = partyOf(participant, key);
        }
    }

    /// @dev Payer and payees of the legs to be locked must be active; the payer consents.
    function _requireLockConsent(
        bytes32 id,
        Leg[] calldata legs,
        uint256 mask,
        bytes32 terms,
        bytes11 payer,
        uint64 deadline,
        Signature calldata signature
    ) private view {
        SigningKey key;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (mask & (1 << i) != 0) (key,) = registry.activeKeyPair(payer, legs[i].payee);
        }
        // The usual case needs no digest: a bank locks its own legs.
        if (msg.sender == key.keyOf() && _isEmpty(signature)) return;
        bytes32 digest = _hashTypedDataV4(TypedData.lockConsent(payer, key.epochOf(), deadline, id, terms));
        _requireConsent(payer, key, digest, signature);
    }

    function _requireConsent(bytes11 participant, SigningKey key, bytes32 digest, Signature calldata signature)
        private
        view
    {
        if (!_hasConsent(key.keyOf(), digest, signature)) revert SettlementConsentMissing(participant, digest);
    }

    function _hasConsent(address key, bytes32 digest, Signature calldata signature) private view returns (bool) {
        if (key == address(0)) return false;
        if (_isEmpty(signature)) return msg.sender == key || approved[key][digest];
        // A high s would make a second signature of every signature. Whatever is no signature recovers to zero, and a
        // key is never zero.
        uint256 s = uint256(signature.vs) & MAX_S_WORD;
        if (s > HALF_ORDER) return false;
        return ecrecover(digest, uint8(27 + (uint256(signature.vs) >> 255)), signature.r, bytes32(s)) == key;
    }

    function _isEmpty(Signature calldata signature) private pure returns (bool) {
        return signature.r | signature.vs == 0;
    }

    // ----- FORM OF A BATCH --------------------------------------------------------------------------------------

    function _requireBatchForm(Batch calldata batch) private pure {
        uint256 entries = batch.participants.length;
        uint256 tokens = batch.tokens.length;
        bool inBounds = entries > 0 && entries <= MAX_ENTRIES && tokens > 0 && tokens <= MAX_TOKENS;
        if (!inBounds || batch.entryRoots.length != entries || batch.positions.length != entries * tokens) {
            revert SettlementBatchShapeRefused(entries, tokens, batch.entryRoots.length, batch.positions.length);
        }
        address[] calldata list = batch.tokens;
        address previous = list[0];
        for (uint256 j = 1; j < tokens; ++j) {
            address token = list[j];
            if (token <= previous) revert SettlementTokenOrderRefused(token);
            previous = token;
        }
    }

    function _requireSubmitter(address proposer, Party[] memory parties) private view {
        if (msg.sender == proposer) return;
        for (uint256 i = 0; i < parties.length; ++i) {
            if (msg.sender == parties[i].addressOf()) return;
        }
        revert SettlementSubmitterRefused(msg.sender);
    }

    /// @dev The positions of all participants in token number j, which must sum to zero.
    function _column(address token, int256[] calldata positions, uint256 entries, uint256 tokens, uint256 j)
        private
        pure
        returns (int256[] memory column)
    {
        column = new int256[](entries);
        int256 sum = 0;
        for (uint256 i = 0; i < entries; ++i) {
            int256 position = positions[j];
            column[i] = position;
            sum += position;
            // The number of positions is entries times tokens, so that this stays close to it.
            unchecked {
                j += tokens;
            }
        }
        if (sum != 0) revert SettlementUnbalanced(token, sum);
    }

    function _entryRoot(Batch calldata batch, bytes11 participant) private pure returns (bytes32) {
        for (uint256 i = 0; i < batch.participants.length; ++i) {
            if (batch.participants[i] == participant) return batch.entryRoots[i];
        }
        return 0;
    }

    // ----- STATE OF A LOCK --------------------------------------------------------------------------------------

    /// @dev The first lock of an attempt fixes its terms; the others join them. Nobody locks a leg twice. Returns the
    /// legs that are locked already.
    function _requireAttempt(bytes32 id, uint256 attempt, bytes32 terms, bytes11 payer, uint256 mask)
        private
        view
        returns (uint256 locked)
    {
        ObligationRecord memory record = _obligations[id];
        if (record.state == State.Locked) {
            if (record.termsCommitment != bytes25(terms)) revert SettlementTermsDiffer(id);
            locked = record.lockedMask;
            if (locked & mask != 0) revert SettlementAlreadyLocked(id, payer);
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
    function _localMask(Leg[] calldata legs) private view returns (uint256 mask) {
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].chainId == block.chainid) mask |= 1 << i;
        }
    }

    /// @dev One bit per leg that this payer has on this ledger.
    function _payerMask(Leg[] calldata legs, bytes11 payer, uint256 local) private pure returns (uint256 mask) {
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].payer == payer) mask |= local & (1 << i);
        }
    }
}

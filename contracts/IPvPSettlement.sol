// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "./IParticipantRegistry.sol";
import {Batch, Leg, LegProof, LockTerms, Signature} from "./SettlementTypes.sol";

/// @title IPvPSettlement
/// @notice What the settlement contract says, refuses and answers. LegRules.sol has the refusals of a leg's form.
interface IPvPSettlement {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @notice The life of an obligation: None → Settled; None → Locked → Claimed | Refunded; Refunded → Locked | Settled.
    enum State {
        None,
        Locked,
        Claimed,
        Refunded,
        Settled
    }

    /// @notice One word. The commitment is the leading 25 bytes of the hash of the lock's terms; bit i of the mask says
    /// that leg i is locked on this ledger.
    struct ObligationRecord {
        State state;
        uint32 attempt;
        uint16 lockedMask;
        bytes25 termsCommitment;
    }

    // ----- ERRORS -----------------------------------------------------------------------------------------------

    /// @notice The deadline has passed, or lies further ahead than MAX_CONSENT_S.
    error SettlementDeadlineRefused(uint256 deadline, uint256 nowS);
    /// @notice The number of signatures is not the number of those who must consent.
    error SettlementSignatureCountRefused(uint256 given, uint256 required);
    /// @notice Neither a signature of the participant's current key, nor its call, nor its approval of the digest.
    error SettlementConsentMissing(bytes11 participant, bytes32 digest);
    /// @notice The same, of the batch's proposer.
    error SettlementProposalMissing(address proposer, bytes32 digest);
    /// @notice The obligation is locked or discharged.
    error SettlementObligationNotOpen(bytes32 obligationId, State state);
    /// @notice The round already has its batch.
    error SettlementRoundTaken(address proposer, uint256 round, bytes32 batchId);
    /// @notice The caller is neither the proposer nor has an entry.
    error SettlementSubmitterRefused(address caller);
    /// @notice The lists of a batch are empty, too long or of unequal lengths.
    error SettlementBatchShapeRefused(uint256 participants, uint256 tokens, uint256 entryRoots, uint256 positions);
    /// @notice Participants must ascend strictly.
    error SettlementParticipantOrderRefused(bytes11 participant);
    /// @notice Tokens must ascend strictly.
    error SettlementTokenOrderRefused(address token);
    /// @notice The positions in this token do not sum to zero.
    error SettlementUnbalanced(address token, int256 sum);
    /// @notice A lock must carry the number of the open attempt, or of the next one.
    error SettlementAttemptRefused(bytes32 obligationId, uint256 given, uint256 required);
    /// @notice The terms are not those of the open attempt.
    error SettlementTermsDiffer(bytes32 obligationId);
    /// @notice The participant pays no leg of the obligation on this ledger.
    error SettlementNoLegToLock(bytes32 obligationId, bytes11 payer);
    /// @notice The participant's legs are locked already.
    error SettlementAlreadyLocked(bytes32 obligationId, bytes11 payer);
    /// @notice The obligation is not locked.
    error SettlementNotLocked(bytes32 obligationId, State state);
    /// @notice Some legs on this ledger are not locked yet.
    error SettlementLegsMissing(bytes32 obligationId, uint256 lockedMask, uint256 requiredMask);
    /// @notice The leg is not locked.
    error SettlementLegNotLocked(bytes32 obligationId, uint256 legIndex);
    /// @notice The SHA-256 hash of the preimage is not the hashlock.
    error SettlementPreimageWrong(bytes32 obligationId);
    /// @notice Too late to claim: now ≥ timelock.
    error SettlementClaimTooLate(bytes32 obligationId, uint256 timelock, uint256 nowS);
    /// @notice Too early to refund: now < timelock.
    error SettlementRefundTooEarly(bytes32 obligationId, uint256 timelock, uint256 nowS);
    /// @notice The caller's key has not approved this digest.
    error SettlementConsentNotApproved(address key, bytes32 digest);
    /// @notice The register is missing.
    error SettlementDeploymentInvalid();

    // ----- EVENTS -----------------------------------------------------------------------------------------------

    /// @notice All legs of the obligation were paid by gross consent.
    event ObligationSettled(bytes32 indexed obligationId);
    /// @notice All positions of the batch were paid.
    event BatchSettled(bytes32 indexed batchId, address indexed proposer, uint64 indexed round);
    /// @notice A leg is held for its payee until the timelock.
    event LegLocked(
        bytes32 indexed obligationId,
        uint32 attempt,
        uint256 legIndex,
        bytes11 indexed payer,
        bytes11 indexed payee,
        address token,
        uint256 amount,
        bytes32 hashlock,
        uint64 timelock
    );
    /// @notice All legs on this ledger were paid; the preimage is public.
    event ObligationClaimed(bytes32 indexed obligationId, uint32 attempt, bytes32 preimage);
    /// @notice A leg is its payer's again.
    event LegRefunded(bytes32 indexed obligationId, uint32 attempt, uint256 legIndex);
    /// @notice A key has consented to a digest by its own transaction.
    event ConsentApproved(address indexed key, bytes32 indexed digest);
    /// @notice A key has taken such a consent back.
    event ConsentUnapproved(address indexed key, bytes32 indexed digest);

    // ----- FUNCTIONS --------------------------------------------------------------------------------------------

    /// @notice Longest life of a consent, in seconds: fifteen minutes, so that a forgotten one cannot surface later.
    function MAX_CONSENT_S() external view returns (uint256);

    /// @notice Most participants in a batch: about as many positions as a block of 30 million gas can move.
    function MAX_ENTRIES() external view returns (uint256);

    /// @notice Most tokens in a batch: more currencies than the corridor will have.
    function MAX_TOKENS() external view returns (uint256);

    /// @notice Most legs of an obligation.
    function MAX_LEGS() external view returns (uint256);

    /// @notice Shortest time from a lock to its timelock, in seconds.
    function MIN_LOCK_WINDOW_S() external view returns (uint256);

    /// @notice Longest time from a lock to its timelock, in seconds.
    function MAX_LOCK_WINDOW_S() external view returns (uint256);

    /// @notice Least distance between the timelocks of two ledgers, in seconds.
    function SAFETY_MARGIN_S() external view returns (uint256);

    /// @notice The register of participants.
    function registry() external view returns (IParticipantRegistry);

    /// @notice Digests that a key has consented to by its own transaction.
    function approved(address key, bytes32 digest) external view returns (bool);

    /// @notice Consents to a digest from the caller's key, for wallets that cannot sign: settling then runs no foreign
    /// code. It counts as the signature would: for that typed data, until its deadline, revoked with the epoch.
    function approve(bytes32 digest) external;

    /// @notice Takes back an approval that has not been used. (A signature is taken back with all others of its epoch,
    /// by `revokeConsents` of the register.)
    function unapprove(bytes32 digest) external;

    /// @notice Settles one obligation whose legs all lie on this ledger. Anyone may call with the payers' consents.
    /// @param instructionsHash Hash of the instructions behind the obligation.
    /// @param legs Canonical legs.
    /// @param deadline Of the payers' consents; valid while now < deadline.
    /// @param payerSignatures One `GrossConsent` per distinct payer, in the order of the legs.
    function settle(
        bytes32 instructionsHash,
        Leg[] calldata legs,
        uint64 deadline,
        Signature[] calldata payerSignatures
    ) external;

    /// @notice Settles the net positions of a round. The proposer, or anyone with an entry, may call.
    /// @param proposerSignature `BatchProposal` by the proposer.
    /// @param signatures One `NetConsent` per participant, in their order.
    function settleBatch(Batch calldata batch, Signature calldata proposerSignature, Signature[] calldata signatures)
        external;

    /// @notice Locks all legs that one payer has on this ledger, under the obligation's one set of terms. Anyone may
    /// call with the payer's consent. Everything is checked here, so that only time stands between lock and claim.
    /// @param terms Those of the open attempt, or the next attempt after a refund (the first is 1).
    /// @param deadline Of the payer's consent; valid while now < deadline.
    /// @param signature `LockConsent` by the payer.
    function lock(
        bytes32 instructionsHash,
        Leg[] calldata legs,
        LockTerms calldata terms,
        bytes11 payer,
        uint64 deadline,
        Signature calldata signature
    ) external;

    /// @notice Pays all locked legs on this ledger to their payees. Anyone who knows the preimage may call, while
    /// now < timelock, once every leg on this ledger is locked.
    /// @param preimage 32 bytes whose SHA-256 hash is the hashlock.
    function claim(bytes32 instructionsHash, Leg[] calldata legs, LockTerms calldata terms, bytes32 preimage) external;

    /// @notice Frees one locked leg once now ≥ timelock. Anyone may call; each leg stands for itself.
    function refund(bytes32 instructionsHash, Leg[] calldata legs, LockTerms calldata terms, uint256 legIndex) external;

    /// @notice What is known of an obligation.
    function obligation(bytes32 obligationId) external view returns (ObligationRecord memory);

    /// @notice The batch that settled in a round, zero if none did.
    function batchOf(address proposer, uint64 round) external view returns (bytes32);

    /// @notice Whether a leg was discharged in a settled batch: it stands under the entry roots of payer and payee.
    /// @param batch The whole batch, as it was settled.
    function verifyLeg(Batch calldata batch, LegProof calldata proof) external view returns (bool);
}

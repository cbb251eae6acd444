// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice What a consent is checked against: the participant's current key and consent epoch, in one word.
type SigningKey is uint256;

using {keyOf, epochOf} for SigningKey global;

/// @notice The address that signs for the participant: the lowest 160 bits.
function keyOf(SigningKey signingKey) pure returns (address) {
    return address(uint160(SigningKey.unwrap(signingKey)));
}

/// @notice The epoch its consents must name: the 32 bits above the key.
function epochOf(SigningKey signingKey) pure returns (uint32) {
    return uint32(SigningKey.unwrap(signingKey) >> 160);
}

/// @notice Somebody money moves from or to: an identity and its current key, in one word. The identity moves the money,
/// the key stands in the ERC-20 event.
type Party is uint256;

using {identityOf, addressOf} for Party global;

/// @notice The party of this identity and key.
function partyOf(bytes11 bic, SigningKey signingKey) pure returns (Party) {
    return Party.wrap(uint256(bytes32(bic)) | uint160(SigningKey.unwrap(signingKey)));
}

/// @notice The identity: the highest 88 bits.
function identityOf(Party party) pure returns (bytes11) {
    return bytes11(bytes32(Party.unwrap(party)));
}

/// @notice The key: the lowest 160 bits.
function addressOf(Party party) pure returns (address) {
    return address(uint160(Party.unwrap(party)));
}

/// @title IParticipantRegistry
/// @notice What the register of participants says, refuses and answers.
interface IParticipantRegistry {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @notice The life of a participant: None → Active ⇄ Suspended.
    enum Status {
        None,
        Active,
        Suspended
    }

    /// @notice Everything the register knows of a participant; for readers off chain.
    /// @dev `status` is what counts now: Suspended also while the operator's day runs. `suspendedUntil` is the end of
    /// that day, past or to come, zero if there was none; `emergencyUsed` says that the operator has none left.
    struct Participant {
        bytes11 bic;
        bytes20 lei;
        bytes2 country;
        address key;
        uint32 epoch;
        Status status;
        uint48 suspendedUntil;
        bool emergencyUsed;
    }

    /// @notice The changes of key that wait for somebody. Zero keys where nothing waits.
    /// @dev `executableAt` is zero until the operator has confirmed the recovery.
    struct KeyChange {
        address proposedKey;
        address recoveryKey;
        uint48 executableAt;
    }

    // ----- ERRORS -----------------------------------------------------------------------------------------------

    /// @notice The participant is not admitted, or is suspended.
    error ParticipantNotActive(bytes11 participant);
    /// @notice The address is not the key of an admitted, active participant.
    error ParticipantKeyNotActive(address key);
    /// @notice The address is not the key of any participant.
    error ParticipantKeyUnknown(address key);
    /// @notice The caller is not the issuer of this participant's country.
    error ParticipantNotItsIssuer(address caller, bytes11 participant);
    /// @notice The status does not allow this change.
    error ParticipantStatusRefused(bytes11 participant, Status status);
    /// @notice The BIC is not eleven characters as ISO 9362 writes them, in upper case.
    error ParticipantBicMalformed(bytes11 bic);
    /// @notice The LEI is not twenty characters as ISO 17442 writes them, in upper case.
    error ParticipantLeiMalformed(bytes20 lei);
    /// @notice The BIC has been admitted before.
    error ParticipantBicTaken(bytes11 bic);
    /// @notice The LEI belongs to another participant.
    error ParticipantLeiTaken(bytes20 lei, bytes11 holder);
    /// @notice The key is zero, belongs to a participant, or has been retired (then the holder is zero).
    error ParticipantKeyTaken(address key, bytes11 holder);
    /// @notice The caller is not the corridor operator.
    error ParticipantNotOperator(address caller);
    /// @notice The operator has used its day, and the issuer has not suspended the participant since.
    error ParticipantEmergencyUsed(bytes11 participant);
    /// @notice The participant has not proposed this key.
    error ParticipantKeyNotProposed(bytes11 participant, address key);
    /// @notice No recovery waits, or it waits for another key.
    error ParticipantRecoveryNotProposed(bytes11 participant, address key);
    /// @notice The operator has confirmed this recovery before; its delay is running.
    error ParticipantRecoveryConfirmed(bytes11 participant, uint256 executableAt);
    /// @notice The recovery is not confirmed (then `executableAt` is zero), or its delay has not passed.
    error ParticipantRecoveryTooEarly(bytes11 participant, uint256 executableAt, uint256 nowS);
    /// @notice A participant that its issuer has suspended cannot object: its key may be in a thief's hands.
    error ParticipantObjectionRefused(bytes11 participant);
    /// @notice A page of participants is larger than MAX_PAGE.
    error ParticipantPageRefused(uint256 count);
    /// @notice The list of jurisdictions is empty, of unequal lengths, or names something twice or zero.
    error ParticipantJurisdictionsInvalid();

    // ----- EVENTS -----------------------------------------------------------------------------------------------

    /// @notice At deployment: this central bank admits the banks of this country.
    event JurisdictionRegistered(bytes2 indexed country, address indexed issuer);
    /// @notice A bank may now act under this key.
    event ParticipantAdmitted(bytes11 indexed participant, bytes20 lei, address indexed key);
    /// @notice A bank may start nothing until it is reinstated.
    event ParticipantSuspended(bytes11 indexed participant);
    /// @notice A suspended bank may act again.
    event ParticipantReinstated(bytes11 indexed participant);
    /// @notice The operator stopped a bank in an emergency; it may act again once now ≥ suspendedUntil.
    event ParticipantSuspendedForADay(bytes11 indexed participant, uint48 suspendedUntil);
    /// @notice A participant has named its next key (zero: it has withdrawn its proposal).
    event KeyProposed(bytes11 indexed participant, address indexed newKey);
    /// @notice An issuer has named a key for a bank that lost its own.
    event RecoveryProposed(bytes11 indexed participant, address indexed newKey);
    /// @notice The operator agrees; anyone may execute the recovery once now ≥ executableAt.
    event RecoveryConfirmed(bytes11 indexed participant, address indexed newKey, uint48 executableAt);
    /// @notice The participant's key exists and objects: the recovery is off.
    event RecoveryObjected(bytes11 indexed participant, address indexed newKey);
    /// @notice Issuer or operator called the recovery off.
    event RecoveryWithdrawn(bytes11 indexed participant, address indexed newKey);
    /// @notice The participant acts under the new key; consents given before this epoch are void.
    event KeyRotated(bytes11 indexed participant, address indexed oldKey, address indexed newKey, uint32 epoch);
    /// @notice Consents given before this epoch are void.
    event ConsentsRevoked(bytes11 indexed participant, uint32 epoch);

    // ----- FUNCTIONS --------------------------------------------------------------------------------------------

    /// @notice How long the operator's emergency suspension lasts, in seconds: time for a central bank to decide.
    function EMERGENCY_S() external view returns (uint256);

    /// @notice How long a confirmed recovery is public before it can be executed, in seconds: a bank that still has
    /// its key, or its lawyer, must be able to notice over a weekend.
    function RECOVERY_DELAY_S() external view returns (uint256);

    /// @notice Most participants that one page of `participants` carries.
    function MAX_PAGE() external view returns (uint256);

    /// @notice The corridor operator.
    function operator() external view returns (address);

    /// @notice The issuer of a country, zero if the country is not part of the corridor.
    function issuerOf(bytes2 country) external view returns (address);

    /// @notice The country of an issuer, zero for any other address.
    function countryOfIssuer(address issuer) external view returns (bytes2);

    /// @notice Admits a bank of the caller's jurisdiction.
    /// @param bic Eleven characters; characters 5 and 6 name the caller's country.
    /// @param lei Twenty characters; the check digits are the issuer's to verify.
    /// @param key The address that signs and holds for the bank: a key or a contract wallet.
    function admit(bytes11 bic, bytes20 lei, address key) external;

    /// @notice Stops a participant of the caller's jurisdiction from starting anything. What is locked stays claimable.
    /// @dev Takes over a running emergency suspension, and gives the operator its day anew.
    function suspend(bytes11 bic) external;

    /// @notice Lets a suspended participant of the caller's jurisdiction act again; it also ends the operator's day,
    /// without giving it another.
    function reinstate(bytes11 bic) external;

    /// @notice The operator stops an active participant for EMERGENCY_S, once until its issuer has suspended it.
    function suspendForADay(bytes11 bic) external;

    /// @notice A participant, suspended or not, names its next key. Zero withdraws a proposal.
    function proposeKey(address newKey) external;

    /// @notice The issuer confirms the key that the participant has proposed: it takes effect at once, all open
    /// consents die, balances and holds stay the participant's.
    function confirmKey(bytes11 bic, address newKey) external;

    /// @notice The issuer names a key for a participant of its jurisdiction that has lost its own. Replaces an
    /// earlier proposal, confirmed or not.
    function proposeRecovery(bytes11 bic, address newKey) external;

    /// @notice The operator agrees to the recovery under this key: the public delay begins.
    function confirmRecovery(bytes11 bic, address newKey) external;

    /// @notice Anyone puts a confirmed recovery into effect once its delay has passed.
    function executeRecovery(bytes11 bic) external;

    /// @notice The participant's key calls a recovery off, unless the issuer has suspended the participant: a stolen
    /// key must not veto its own replacement for ever.
    function objectToRecovery() external;

    /// @notice Issuer or operator call a recovery off.
    function withdrawRecovery(bytes11 bic) external;

    /// @notice Kills all consents the caller has signed or approved so far: each names the epoch it was given in.
    /// A suspended participant may do so too.
    function revokeConsents() external;

    /// @notice Keys and consent epochs of participants, all of which must be active. One call for a whole settlement.
    /// @param bics Any order; repetitions are allowed.
    /// @return keys In the same order; each packs the key (lowest 160 bits) and the epoch (the 32 bits above).
    /// @dev Reverts with `ParticipantNotActive`, naming the first that is not.
    function activeKeys(bytes11[] calldata bics) external view returns (SigningKey[] memory keys);

    /// @notice Keys and consent epochs of a leg's payer and payee, both of which must be active.
    /// @dev Reverts with `ParticipantNotActive`, naming the first that is not.
    function activeKeyPair(bytes11 payer, bytes11 payee)
        external
        view
        returns (SigningKey payerKey, SigningKey payeeKey);

    /// @notice A leg's payer and payee with their current keys, whatever their status: nothing stops a claim.
    function currentPair(bytes11 payer, bytes11 payee) external view returns (Party, Party);

    /// @notice Current key of one participant whatever its status; zero if it was never admitted.
    function currentKeyOf(bytes11 bic) external view returns (address);

    /// @notice The key of one participant, which must be active.
    function activeKeyOf(bytes11 bic) external view returns (address);

    /// @notice The participant whose key this is, which must be active.
    function activeParticipantOf(address key) external view returns (bytes11);

    /// @notice Both parties of a transfer, which must be active.
    function activeParticipants(address payerKey, address payeeKey) external view returns (bytes11 payer, bytes11 payee);

    /// @notice The participant whose current key this is, whatever its status; zero if there is none.
    function participantOf(address key) external view returns (bytes11);

    /// @notice The country of a BIC: its characters 5 and 6.
    function countryOf(bytes11 bic) external pure returns (bytes2);

    /// @notice The whole record of a participant; status None if it was never admitted.
    function participant(bytes11 bic) external view returns (Participant memory);

    /// @notice The changes of key that wait for confirmation or for their delay.
    function keyChangeOf(bytes11 bic) external view returns (KeyChange memory);

    /// @notice Whole records in the order of admission, from number `first`; fewer than `count` at the end.
    /// @param count At most MAX_PAGE.
    function participants(uint256 first, uint256 count) external view returns (Participant[] memory page);

    /// @notice How many participants were ever admitted.
    function participantCount() external view returns (uint256);

    /// @notice The participant admitted as number `index`, counted from 0.
    function participantAt(uint256 index) external view returns (bytes11);

    /// @notice The holder of an LEI, zero if there is none.
    function participantByLei(bytes20 lei) external view returns (bytes11);

    /// @notice The countries of the corridor.
    function jurisdictions() external view returns (bytes2[] memory);
}

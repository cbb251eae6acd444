// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

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
    struct Participant {
        bytes11 bic;
        bytes20 lei;
        bytes2 country;
        address key;
        uint32 epoch;
        Status status;
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
    /// @notice The key is zero, or belongs to another participant.
    error ParticipantKeyTaken(address key, bytes11 holder);
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
    /// @notice Consents given before this epoch are void.
    event ConsentsRevoked(bytes11 indexed participant, uint32 epoch);

    // ----- FUNCTIONS --------------------------------------------------------------------------------------------

    /// @notice The corridor operator. It has no power in this version of the register.
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
    function suspend(bytes11 bic) external;

    /// @notice Lets a suspended participant of the caller's jurisdiction act again.
    function reinstate(bytes11 bic) external;

    /// @notice Kills all consents the caller has signed or approved so far: each names the epoch it was given in.
    /// A suspended participant may do so too.
    function revokeConsents() external;

    /// @notice Keys and consent epochs of participants, all of which must be active. One call for a whole settlement.
    /// @param participants Any order; repetitions are allowed.
    /// @dev Reverts with `ParticipantNotActive`, naming the first that is not.
    function activeKeys(bytes11[] calldata participants)
        external
        view
        returns (address[] memory keys, uint32[] memory epochs);

    /// @notice Current keys of participants whatever their status; zero for one never admitted.
    function keysOf(bytes11[] calldata participants) external view returns (address[] memory keys);

    /// @notice The key of one participant, which must be active.
    function activeKeyOf(bytes11 bic) external view returns (address);

    /// @notice The participant whose key this is, which must be active.
    function activeParticipantOf(address key) external view returns (bytes11);

    /// @notice Both parties of a transfer, which must be active.
    function activePairOf(address payerKey, address payeeKey) external view returns (bytes11 payer, bytes11 payee);

    /// @notice The participant whose key this is, whatever its status; zero if there is none.
    function participantOf(address key) external view returns (bytes11);

    /// @notice The country of a BIC: its characters 5 and 6.
    function countryOf(bytes11 bic) external pure returns (bytes2);

    /// @notice The whole record of a participant; status None if it was never admitted.
    function participant(bytes11 bic) external view returns (Participant memory);

    /// @notice How many participants were ever admitted.
    function participantCount() external view returns (uint256);

    /// @notice The participant admitted as number `index`, counted from 0.
    function participantAt(uint256 index) external view returns (bytes11);

    /// @notice The holder of an LEI, zero if there is none.
    function participantByLei(bytes20 lei) external view returns (bytes11);

    /// @notice The countries of the corridor.
    function jurisdictions() external view returns (bytes2[] memory);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "./IParticipantRegistry.sol";

/// @title ParticipantRegistry
/// @notice Who is admitted to the corridor, by whom, under which key, and whose consents are still open.
///
/// A participant is an identity: its BIC, eleven upper-case characters (a BIC8 is padded with `XXX`), the same on
/// every ledger. Its address is only its current key. Other contracts keep balances by identity.
///
/// Assumes
/// - The issuers given at deployment are the central banks of those countries and keep their keys.
/// - An issuer has identified a bank before admitting it; the register checks form and uniqueness, not truth.
///
/// Guarantees
/// - Only the issuer of a BIC's country (characters 5 and 6) admits, suspends or reinstates it.
/// - BIC, LEI and key each belong to one participant, for ever.
/// - Jurisdictions, issuers and operator never change; the deployer holds no power.
/// - Both records of a participant (by identity and by key) always carry the same status.
/// - `revokeConsents` kills every open consent of its caller, and nobody else's.
contract ParticipantRegistry is IParticipantRegistry {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @dev One word, read once per party of a settlement.
    struct IdentityRecord {
        address key;
        uint32 epoch;
        Status status;
    }

    /// @dev One word, read once per party of a plain transfer.
    struct KeyRecord {
        bytes11 participant;
        Status status;
    }

    // ----- STORAGE ----------------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    address public immutable operator;

    /// @inheritdoc IParticipantRegistry
    mapping(bytes2 country => address) public issuerOf;
    /// @inheritdoc IParticipantRegistry
    mapping(address issuer => bytes2) public countryOfIssuer;

    mapping(bytes11 participant => IdentityRecord) private _identities;
    mapping(address key => KeyRecord) private _keys;
    mapping(bytes11 participant => bytes20) private _leis;
    mapping(bytes20 lei => bytes11) private _leiHolders;
    bytes11[] private _participants;
    bytes2[] private _countries;

    // ----- CONSTRUCTION -----------------------------------------------------------------------------------------

    /// @param operator_ The corridor operator.
    /// @param countries ISO 3166 alpha-2 codes, upper case.
    /// @param issuers The issuer of each country, in the same order; no issuer twice.
    constructor(address operator_, bytes2[] memory countries, address[] memory issuers) {
        if (operator_ == address(0) || countries.length == 0 || countries.length != issuers.length) {
            revert ParticipantJurisdictionsInvalid();
        }
        operator = operator_;
        for (uint256 i = 0; i < countries.length; ++i) {
            bool taken = issuerOf[countries[i]] != address(0) || countryOfIssuer[issuers[i]] != 0;
            bool letters = _isLetter(countries[i][0]) && _isLetter(countries[i][1]);
            if (issuers[i] == address(0) || taken || !letters) revert ParticipantJurisdictionsInvalid();
            issuerOf[countries[i]] = issuers[i];
            countryOfIssuer[issuers[i]] = countries[i];
            _countries.push(countries[i]);
            emit JurisdictionRegistered(countries[i], issuers[i]);
        }
    }

    // ----- ISSUER -----------------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function admit(bytes11 bic, bytes20 lei, address key) external {
        _requireItsIssuer(bic);
        if (!_isBic(bic)) revert ParticipantBicMalformed(bic);
        if (!_isLei(lei)) revert ParticipantLeiMalformed(lei);
        if (_identities[bic].status != Status.None) revert ParticipantBicTaken(bic);
        if (_leiHolders[lei] != 0) revert ParticipantLeiTaken(lei, _leiHolders[lei]);
        if (key == address(0) || _keys[key].participant != 0) revert ParticipantKeyTaken(key, _keys[key].participant);
        _leis[bic] = lei;
        _leiHolders[lei] = bic;
        _participants.push(bic);
        _write(bic, key, 0, Status.Active);
        emit ParticipantAdmitted(bic, lei, key);
    }

    /// @inheritdoc IParticipantRegistry
    function suspend(bytes11 bic) external {
        _requireItsIssuer(bic);
        _change(bic, Status.Active, Status.Suspended);
        emit ParticipantSuspended(bic);
    }

    /// @inheritdoc IParticipantRegistry
    function reinstate(bytes11 bic) external {
        _requireItsIssuer(bic);
        _change(bic, Status.Suspended, Status.Active);
        emit ParticipantReinstated(bic);
    }

    // ----- PARTICIPANT ------------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function revokeConsents() external {
        bytes11 bic = _keys[msg.sender].participant;
        if (bic == 0) revert ParticipantKeyUnknown(msg.sender);
        IdentityRecord memory record = _identities[bic];
        _write(bic, record.key, record.epoch + 1, record.status);
        emit ConsentsRevoked(bic, record.epoch + 1);
    }

    // ----- VIEWS FOR CONTRACTS ----------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function activeKeys(bytes11[] calldata participants)
        external
        view
        returns (address[] memory keys, uint32[] memory epochs)
    {
        keys = new address[](participants.length);
        epochs = new uint32[](participants.length);
        for (uint256 i = 0; i < participants.length; ++i) {
            IdentityRecord memory record = _identities[participants[i]];
            if (record.status != Status.Active) revert ParticipantNotActive(participants[i]);
            keys[i] = record.key;
            epochs[i] = record.epoch;
        }
    }

    /// @inheritdoc IParticipantRegistry
    function keysOf(bytes11[] calldata participants) external view returns (address[] memory keys) {
        keys = new address[](participants.length);
        for (uint256 i = 0; i < participants.length; ++i) {
            keys[i] = _identities[participants[i]].key;
        }
    }

    /// @inheritdoc IParticipantRegistry
    function activeKeyOf(bytes11 bic) external view returns (address) {
        IdentityRecord memory record = _identities[bic];
        if (record.status != Status.Active) revert ParticipantNotActive(bic);
        return record.key;
    }

    /// @inheritdoc IParticipantRegistry
    function activeParticipantOf(address key) external view returns (bytes11) {
        return _activeParticipantOf(key);
    }

    /// @inheritdoc IParticipantRegistry
    function activePairOf(address payerKey, address payeeKey) external view returns (bytes11 payer, bytes11 payee) {
        return (_activeParticipantOf(payerKey), _activeParticipantOf(payeeKey));
    }

    /// @inheritdoc IParticipantRegistry
    function participantOf(address key) external view returns (bytes11) {
        return _keys[key].participant;
    }

    /// @inheritdoc IParticipantRegistry
    function countryOf(bytes11 bic) public pure returns (bytes2) {
        return bytes2(bic << 32);
    }

    // ----- VIEWS FOR READERS ------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function participant(bytes11 bic) external view returns (Participant memory) {
        IdentityRecord memory record = _identities[bic];
        return Participant(bic, _leis[bic], countryOf(bic), record.key, record.epoch, record.status);
    }

    /// @inheritdoc IParticipantRegistry
    function participantCount() external view returns (uint256) {
        return _participants.length;
    }

    /// @inheritdoc IParticipantRegistry
    function participantAt(uint256 index) external view returns (bytes11) {
        return _participants[index];
    }

    /// @inheritdoc IParticipantRegistry
    function participantByLei(bytes20 lei) external view returns (bytes11) {
        return _leiHolders[lei];
    }

    /// @inheritdoc IParticipantRegistry
    function jurisdictions() external view returns (bytes2[] memory) {
        return _countries;
    }

    // ----- INTERNAL ---------------------------------------------------------------------------------------------

    /// @dev The only writer of the two hot records, so that they cannot disagree.
    function _write(bytes11 bic, address key, uint32 epoch, Status status) private {
        _identities[bic] = IdentityRecord(key, epoch, status);
        _keys[key] = KeyRecord(bic, status);
    }

    function _change(bytes11 bic, Status from, Status to) private {
        IdentityRecord memory record = _identities[bic];
        if (record.status != from) revert ParticipantStatusRefused(bic, record.status);
        _write(bic, record.key, record.epoch, to);
    }

    function _requireItsIssuer(bytes11 bic) private view {
        if (issuerOf[countryOf(bic)] != msg.sender) revert ParticipantNotItsIssuer(msg.sender, bic);
    }

    function _activeParticipantOf(address key) private view returns (bytes11) {
        KeyRecord memory record = _keys[key];
        if (record.status != Status.Active) revert ParticipantKeyNotActive(key);
        return record.participant;
    }

    /// @dev ISO 9362: four letters or digits, two letters of the country, five letters or digits.
    function _isBic(bytes11 bic) private pure returns (bool) {
        for (uint256 i = 0; i < 11; ++i) {
            bool country = i == 4 || i == 5;
            if (!_isLetter(bic[i]) && (country || !_isDigit(bic[i]))) return false;
        }
        return true;
    }

    /// @dev ISO 17442: eighteen letters or digits and two check digits.
    function _isLei(bytes20 lei) private pure returns (bool) {
        for (uint256 i = 0; i < 20; ++i) {
            if (!_isDigit(lei[i]) && (i >= 18 || !_isLetter(lei[i]))) return false;
        }
        return true;
    }

    function _isLetter(bytes1 char) private pure returns (bool) {
        return char >= "A" && char <= "Z";
    }

    function _isDigit(bytes1 char) private pure returns (bool) {
        return char >= "0" && char <= "9";
    }
}

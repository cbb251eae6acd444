// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Party, SigningKey, partyOf} from "./IParticipantRegistry.sol";

/// @title ParticipantRegistry
/// @notice Who is admitted to the corridor, by whom, under which key, and whose consents are still open.
///
/// A participant is an identity: its BIC, eleven upper-case characters (a BIC8 is padded with `XXX`), the same on
/// every ledger. Its address is only its current key. Other contracts keep balances by identity.
///
/// Assumes
/// - The issuers given at deployment are the central banks of those countries and keep their keys.
/// - An issuer has identified a bank before admitting it; the register checks form and uniqueness, not truth.
/// - Issuer and operator do not conspire against a bank for longer than the public delay of a recovery unnoticed.
///
/// Guarantees
/// - Only the issuer of a BIC's country (characters 5 and 6) admits, suspends or reinstates it. The operator can stop
///   a bank for one day, and not again before its issuer has suspended it.
/// - A key changes only by the old key and the issuer together, or by issuer and operator together after a public
///   delay during which the bank or either of the two can call it off; nobody alone.
/// - BIC, LEI and key each belong to one participant, for ever; a retired key never comes back.
/// - Jurisdictions, issuers and operator never change; the deployer holds no power.
/// - Both records of a participant (by identity and by key) always carry the same status.
/// - `revokeConsents` and every change of key kill every open consent of that participant, and nobody else's.
contract ParticipantRegistry is IParticipantRegistry {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @dev One word, read once per party of a settlement. Its lowest 192 bits are a `SigningKey`.
    struct IdentityRecord {
        address key;
        uint32 epoch;
        Status status;
        uint48 suspendedUntil;
        bool emergencyUsed;
    }

    /// @dev One word, read once per party of a plain transfer. A retired key stays `used`, of no participant.
    struct KeyRecord {
        bytes11 participant;
        Status status;
        uint48 suspendedUntil;
        bool used;
    }

    // ----- STORAGE ----------------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    uint256 public constant EMERGENCY_S = 1 days;
    /// @inheritdoc IParticipantRegistry
    uint256 public constant RECOVERY_DELAY_S = 3 days;
    /// @inheritdoc IParticipantRegistry
    uint256 public constant MAX_PAGE = 500;

    /// @inheritdoc IParticipantRegistry
    address public immutable operator;

    /// @inheritdoc IParticipantRegistry
    mapping(bytes2 country => address) public issuerOf;
    /// @inheritdoc IParticipantRegistry
    mapping(address issuer => bytes2) public countryOfIssuer;

    mapping(bytes11 participant => IdentityRecord) private _identities;
    mapping(address key => KeyRecord) private _keys;
    mapping(bytes11 participant => KeyChange) private _keyChanges;
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
        _requireUnused(key);
        _leis[bic] = lei;
        _leiHolders[lei] = bic;
        _participants.push(bic);
        _write(bic, IdentityRecord(key, 0, Status.Active, 0, false));
        emit ParticipantAdmitted(bic, lei, key);
    }

    /// @inheritdoc IParticipantRegistry
    function suspend(bytes11 bic) external {
        _requireItsIssuer(bic);
        IdentityRecord memory record = _identities[bic];
        if (record.status != Status.Active) revert ParticipantStatusRefused(bic, record.status);
        _write(bic, IdentityRecord(record.key, record.epoch, Status.Suspended, 0, false));
        emit ParticipantSuspended(bic);
    }

    /// @inheritdoc IParticipantRegistry
    function reinstate(bytes11 bic) external {
        _requireItsIssuer(bic);
        IdentityRecord memory record = _identities[bic];
        bool suspended = record.status == Status.Suspended;
        bool stopped = record.status == Status.Active && block.timestamp < record.suspendedUntil;
        if (!suspended && !stopped) revert ParticipantStatusRefused(bic, record.status);
        _write(bic, IdentityRecord(record.key, record.epoch, Status.Active, 0, record.emergencyUsed));
        emit ParticipantReinstated(bic);
    }

    /// @inheritdoc IParticipantRegistry
    function confirmKey(bytes11 bic, address newKey) external {
        _requireItsIssuer(bic);
        if (newKey == address(0) || _keyChanges[bic].proposedKey != newKey) {
            revert ParticipantKeyNotProposed(bic, newKey);
        }
        _rotate(bic, newKey);
    }

    /// @inheritdoc IParticipantRegistry
    function proposeRecovery(bytes11 bic, address newKey) external {
        _requireItsIssuer(bic);
        if (_identities[bic].status == Status.None) revert ParticipantStatusRefused(bic, Status.None);
        _requireUnused(newKey);
        _keyChanges[bic].recoveryKey = newKey;
        _keyChanges[bic].executableAt = 0;
        emit RecoveryProposed(bic, newKey);
    }

    // ----- OPERATOR ---------------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function suspendForADay(bytes11 bic) external {
        if (msg.sender != operator) revert ParticipantNotOperator(msg.sender);
        IdentityRecord memory record = _identities[bic];
        if (record.status != Status.Active) revert ParticipantStatusRefused(bic, record.status);
        if (record.emergencyUsed) revert ParticipantEmergencyUsed(bic);
        uint48 until = uint48(block.timestamp + EMERGENCY_S);
        _write(bic, IdentityRecord(record.key, record.epoch, Status.Active, until, true));
        emit ParticipantSuspendedForADay(bic, until);
    }

    /// @inheritdoc IParticipantRegistry
    function confirmRecovery(bytes11 bic, address newKey) external {
        if (msg.sender != operator) revert ParticipantNotOperator(msg.sender);
        KeyChange storage change = _keyChanges[bic];
        if (newKey == address(0) || change.recoveryKey != newKey) revert ParticipantRecoveryNotProposed(bic, newKey);
        if (change.executableAt != 0) revert ParticipantRecoveryConfirmed(bic, change.executableAt);
        uint48 executableAt = uint48(block.timestamp + RECOVERY_DELAY_S);
        change.executableAt = executableAt;
        emit RecoveryConfirmed(bic, newKey, executableAt);
    }

    // ----- ISSUER OR OPERATOR, OR ANYONE ------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function withdrawRecovery(bytes11 bic) external {
        if (msg.sender != operator) _requireItsIssuer(bic);
        emit RecoveryWithdrawn(bic, _endRecovery(bic));
    }

    /// @inheritdoc IParticipantRegistry
    function executeRecovery(bytes11 bic) external {
        KeyChange memory change = _keyChanges[bic];
        if (change.executableAt == 0 || block.timestamp < change.executableAt) {
            revert ParticipantRecoveryTooEarly(bic, change.executableAt, block.timestamp);
        }
        _rotate(bic, change.recoveryKey);
    }

    // ----- PARTICIPANT ------------------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function proposeKey(address newKey) external {
        bytes11 bic = _requireParticipant(msg.sender);
        if (newKey != address(0)) _requireUnused(newKey);
        _keyChanges[bic].proposedKey = newKey;
        emit KeyProposed(bic, newKey);
    }

    /// @inheritdoc IParticipantRegistry
    function objectToRecovery() external {
        bytes11 bic = _requireParticipant(msg.sender);
        if (_identities[bic].status != Status.Active) revert ParticipantObjectionRefused(bic);
        emit RecoveryObjected(bic, _endRecovery(bic));
    }

    /// @inheritdoc IParticipantRegistry
    function revokeConsents() external {
        bytes11 bic = _requireParticipant(msg.sender);
        IdentityRecord memory record = _identities[bic];
        record.epoch += 1;
        _write(bic, record);
        emit ConsentsRevoked(bic, record.epoch);
    }

    // ----- VIEWS FOR CONTRACTS ----------------------------------------------------------------------------------

    /// @inheritdoc IParticipantRegistry
    function activeKeys(bytes11[] calldata bics) external view returns (SigningKey[] memory keys) {
        keys = new SigningKey[](bics.length);
        for (uint256 i = 0; i < bics.length; ++i) {
            keys[i] = _activeKey(bics[i]);
        }
    }

    /// @inheritdoc IParticipantRegistry
    function activeKeyPair(bytes11 payer, bytes11 payee)
        external
        view
        returns (SigningKey payerKey, SigningKey payeeKey)
    {
        return (_activeKey(payer), _activeKey(payee));
    }

    /// @inheritdoc IParticipantRegistry
    function currentPair(bytes11 payer, bytes11 payee) external view returns (Party, Party) {
        return (_party(payer), _party(payee));
    }

    /// @inheritdoc IParticipantRegistry
    function currentKeyOf(bytes11 bic) external view returns (address) {
        return _identities[bic].key;
    }

    /// @inheritdoc IParticipantRegistry
    function activeKeyOf(bytes11 bic) external view returns (address) {
        return _activeKey(bic).keyOf();
    }

    /// @inheritdoc IParticipantRegistry
    function activeParticipantOf(address key) external view returns (bytes11) {
        return _activeParticipantOf(key);
    }

    /// @inheritdoc IParticipantRegistry
    function activeParticipants(address payerKey, address payeeKey)
        external
        view
        returns (bytes11 payer, bytes11 payee)
    {
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
    function participant(bytes11 bic) public view returns (Participant memory) {
        IdentityRecord memory record = _identities[bic];
        bool stopped = record.status == Status.Active && block.timestamp < record.suspendedUntil;
        Status status = stopped ? Status.Suspended : record.status;
        return Participant(
            bic,
            _leis[bic],
            countryOf(bic),
            record.key,
            record.epoch,
            status,
            record.suspendedUntil,
            record.emergencyUsed
        );
    }

    /// @inheritdoc IParticipantRegistry
    function keyChangeOf(bytes11 bic) external view returns (KeyChange memory) {
        return _keyChanges[bic];
    }

    /// @inheritdoc IParticipantRegistry
    function participants(uint256 first, uint256 count) external view returns (Participant[] memory page) {
        if (count > MAX_PAGE) revert ParticipantPageRefused(count);
        uint256 left = first < _participants.length ? _participants.length - first : 0;
        page = new Participant[](count < left ? count : left);
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = participant(_participants[first + i]);
        }
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
    function _write(bytes11 bic, IdentityRecord memory record) private {
        _identities[bic] = record;
        _keys[record.key] = KeyRecord(bic, record.status, record.suspendedUntil, true);
    }

    /// @dev The old key is retired for ever; whatever waited for either key is over; status and day stay as they are.
    function _rotate(bytes11 bic, address newKey) private {
        _requireUnused(newKey);
        IdentityRecord memory record = _identities[bic];
        address oldKey = record.key;
        _keys[oldKey] = KeyRecord(0, Status.None, 0, true);
        delete _keyChanges[bic];
        record.key = newKey;
        record.epoch += 1;
        _write(bic, record);
        emit KeyRotated(bic, oldKey, newKey, record.epoch);
    }

    function _endRecovery(bytes11 bic) private returns (address recoveryKey) {
        KeyChange storage change = _keyChanges[bic];
        recoveryKey = change.recoveryKey;
        if (recoveryKey == address(0)) revert ParticipantRecoveryNotProposed(bic, address(0));
        change.recoveryKey = address(0);
        change.executableAt = 0;
    }

    function _requireItsIssuer(bytes11 bic) private view {
        if (issuerOf[countryOf(bic)] != msg.sender) revert ParticipantNotItsIssuer(msg.sender, bic);
    }

    function _requireParticipant(address key) private view returns (bytes11 bic) {
        bic = _keys[key].participant;
        if (bic == 0) revert ParticipantKeyUnknown(key);
    }

    function _requireUnused(address key) private view {
        if (key == address(0) || _keys[key].used) revert ParticipantKeyTaken(key, _keys[key].participant);
    }

    function _activeKey(bytes11 bic) private view returns (SigningKey) {
        IdentityRecord storage record = _identities[bic];
        if (record.status != Status.Active || block.timestamp < record.suspendedUntil) {
            revert ParticipantNotActive(bic);
        }
        return SigningKey.wrap(uint256(record.epoch) << 160 | uint160(record.key));
    }

    function _party(bytes11 bic) private view returns (Party) {
        return partyOf(bic, SigningKey.wrap(uint160(_identities[bic].key)));
    }

    function _activeParticipantOf(address key) private view returns (bytes11) {
        KeyRecord storage record = _keys[key];
        if (record.status != Status.Active || block.timestamp < record.suspendedUntil) {
            revert ParticipantKeyNotActive(key);
        }
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

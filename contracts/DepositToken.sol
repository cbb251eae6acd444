// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {AccountWord, MAX_AMOUNT} from "./AccountWord.sol";
import {IDepositToken} from "./IDepositToken.sol";
import {IParticipantRegistry, Party} from "./IParticipantRegistry.sol";
import {ISettlementToken} from "./ISettlementToken.sol";

/// @title DepositToken
/// @notice A claim on funds held with the issuer of one currency; one token per currency. An ERC-20 with ERC-2612
/// permits whose balances belong to identities (BICs), not addresses, and may be partly held for a locked leg.
///
/// Amounts are integer minor units; `decimals` is the currency's minor unit (HKD and THB 2, JPY and KRW 0).
///
/// Assumes
/// - The register names one key per identity and never gives one key to two.
/// - The settlement contract verifies consent before it calls, and passes keys it read from the register.
/// - The issuer backs what it issues; each reserve reference names one movement in its books.
///
/// Guarantees
/// - balance ≥ held ≥ 0 for every identity; every debit uses balance − held.
/// - Total supply = issued − redeemed, each under a reserve reference used once; settling changes no supply.
/// - Nobody holds tokens who was never admitted: the token asks the register before it opens an account. Only active
///   participants are issued to or receive by transfer.
/// - The issuer can freeze and pause, never move a participant's tokens, redeem them unasked, nor stop a claim or a
///   refund. It answers a redemption request within a day, or the bank may withdraw it.
/// - Pause and freeze stop what is new (transfer, settling, locking, asking to redeem) and nothing that is held.
/// - Issuer, register and settlement contract never change; the deployer holds no power.
contract DepositToken is IDepositToken, IERC20Errors, EIP712, Nonces {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @dev Boxed, so that its place in storage is computed once per movement.
    struct Account {
        AccountWord word;
    }

    /// @dev One word. 112 bits count to 5·10^33 minor units, over the token's whole life.
    struct Supply {
        uint112 issued;
        uint112 redeemed;
        bool paused;
    }

    // ----- STORAGE ----------------------------------------------------------------------------------------------

    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    /// @inheritdoc IDepositToken
    uint256 public constant REDEMPTION_ANSWER_S = 1 days;

    /// @notice Number of decimals of the currency's minor unit.
    uint8 public immutable decimals;
    /// @inheritdoc IDepositToken
    bytes3 public immutable currency;
    /// @inheritdoc IDepositToken
    address public immutable issuer;
    /// @inheritdoc IDepositToken
    bytes2 public immutable country;
    /// @inheritdoc IDepositToken
    IParticipantRegistry public immutable registry;
    /// @inheritdoc IDepositToken
    address public immutable settlement;

    string public name;
    string public symbol;

    mapping(address owner => mapping(address spender => uint256)) public allowance;
    /// @inheritdoc IDepositToken
    mapping(bytes32 reserveReference => bool) public referenceUsed;

    /// @inheritdoc IDepositToken
    uint256 public redemptionCount;

    mapping(bytes11 participant => Account) private _accounts;
    mapping(uint256 number => Redemption) private _redemptions;
    Supply private _supply;

    // ----- CONSTRUCTION -----------------------------------------------------------------------------------------

    /// @param issuer_ An issuer known to the register; its country decides who is domestic.
    /// @param settlement_ The settlement contract, deployed before.
    constructor(
        string memory name_,
        string memory symbol_,
        uint8 decimals_,
        bytes3 currency_,
        address issuer_,
        IParticipantRegistry registry_,
        address settlement_
    ) EIP712(name_, "1") {
        bytes2 country_ = registry_.countryOfIssuer(issuer_);
        if (country_ == 0 || settlement_.code.length == 0) revert DepositTokenDeploymentInvalid();
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
        currency = currency_;
        issuer = issuer_;
        country = country_;
        registry = registry_;
        settlement = settlement_;
    }

    modifier onlyIssuer() {
        if (msg.sender != issuer) revert DepositTokenNotIssuer(address(this), msg.sender);
        _;
    }

    modifier onlySettlement() {
        if (msg.sender != settlement) revert DepositTokenNotSettlement(address(this), msg.sender);
        _;
    }

    modifier whenNotPaused() {
        if (_supply.paused) revert DepositTokenPaused(address(this));
        _;
    }

    // ----- ISSUER -----------------------------------------------------------------------------------------------

    /// @inheritdoc IDepositToken
    function issue(bytes11 participant, uint256 amount, bytes32 reserveReference) external onlyIssuer {
        address key = registry.activeKeyOf(participant);
        _requireDomestic(participant);
        _useReference(reserveReference);
        uint256 issued = uint256(_supply.issued) + amount;
        if (amount == 0 || issued > type(uint112).max) revert DepositTokenAmountRefused(address(this), amount);
        _supply.issued = uint112(issued);
        _creditEvenIfFrozen(participant, amount);
        emit Transfer(address(0), key, amount);
        emit Issued(participant, amount, reserveReference);
    }

    /// @inheritdoc IDepositToken
    function fulfilRedemption(uint256 number, bytes32 reserveReference) external onlyIssuer {
        Redemption memory request = _endRedemption(number, RedemptionState.Fulfilled);
        _useReference(reserveReference);
        _debitHeld(request.participant, request.amount);
        // What is redeemed was issued before, so that it fits.
        _supply.redeemed += request.amount;
        emit Transfer(registry.currentKeyOf(request.participant), address(0), request.amount);
        emit Redeemed(number, request.participant, request.amount, reserveReference);
    }

    /// @inheritdoc IDepositToken
    function refuseRedemption(uint256 number) external onlyIssuer {
        Redemption memory request = _endRedemption(number, RedemptionState.Refused);
        _release(request.participant, request.amount);
        emit RedemptionRefused(number, request.participant, request.amount);
    }

    /// @inheritdoc IDepositToken
    function freeze(bytes11 participant) external onlyIssuer {
        if (registry.currentKeyOf(participant) == address(0)) {
            revert DepositTokenUnknownParticipant(address(this), participant);
        }
        Account storage account = _accounts[participant];
        _requireNotFrozen(account.word, participant);
        account.word = account.word.withFrozen(true);
        emit ParticipantFrozen(participant);
    }

    /// @inheritdoc IDepositToken
    function unfreeze(bytes11 participant) external onlyIssuer {
        Account storage account = _accounts[participant];
        if (!account.word.isFrozen()) revert DepositTokenNotFrozen(address(this), participant);
        account.word = account.word.withFrozen(false);
        emit ParticipantUnfrozen(participant);
    }

    /// @inheritdoc IDepositToken
    function pause() external onlyIssuer whenNotPaused {
        _supply.paused = true;
        emit Paused();
    }

    /// @inheritdoc IDepositToken
    function unpause() external onlyIssuer {
        if (!_supply.paused) revert DepositTokenNotPaused(address(this));
        _supply.paused = false;
        emit Unpaused();
    }

    // ----- PARTICIPANT ------------------------------------------------------------------------------------------

    /// @inheritdoc IDepositToken
    function requestRedemption(uint256 amount) external whenNotPaused returns (uint256 number) {
        bytes11 participant = registry.activeParticipantOf(msg.sender);
        _requireDomestic(participant);
        if (amount == 0) revert DepositTokenAmountRefused(address(this), amount);
        _hold(participant, amount);
        number = ++redemptionCount;
        // Having been held, the amount fits.
        _redemptions[number] =
            Redemption(participant, uint112(amount), uint48(block.timestamp), RedemptionState.Requested);
        emit RedemptionRequested(number, participant, amount);
    }

    /// @inheritdoc IDepositToken
    function withdrawRedemption(uint256 number) external {
        Redemption memory request = _endRedemption(number, RedemptionState.Withdrawn);
        if (registry.participantOf(msg.sender) != request.participant) {
            revert DepositTokenRedemptionNotYours(address(this), number, request.participant);
        }
        uint256 withdrawableAt = request.requestedAt + REDEMPTION_ANSWER_S;
        if (block.timestamp < withdrawableAt) {
            revert DepositTokenRedemptionTooEarly(address(this), number, withdrawableAt, block.timestamp);
        }
        _release(request.participant, request.amount);
        emit RedemptionWithdrawn(number, request.participant, request.amount);
    }

    /// @notice Moves tokens from the caller to another participant; both must be active and not frozen.
    function transfer(address to, uint256 amount) external returns (bool) {
        _transfer(msg.sender, to, amount);
        return true;
    }

    /// @notice Moves tokens of `from` within the allowance it gave the caller.
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (allowed < amount) revert ERC20InsufficientAllowance(msg.sender, allowed, amount);
            allowance[from][msg.sender] = allowed - amount;
        }
        _transfer(from, to, amount);
        return true;
    }

    /// @notice Lets `spender` move up to `amount` of the caller's tokens; the largest integer means without limit.
    function approve(address spender, uint256 amount) external returns (bool) {
        _approve(msg.sender, spender, amount);
        return true;
    }

    /// @notice Gives an allowance by signature (ERC-2612).
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        if (block.timestamp > deadline) revert ERC2612ExpiredSignature(deadline);
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, _useNonce(owner), deadline));
        address signer = ECDSA.recover(_hashTypedDataV4(structHash), v, r, s);
        if (signer != owner) revert ERC2612InvalidSigner(signer, owner);
        _approve(owner, spender, value);
    }

    // ----- SETTLEMENT -------------------------------------------------------------------------------------------

    /// @inheritdoc ISettlementToken
    function moveGross(Party payer, Party payee, uint256 amount) external onlySettlement whenNotPaused {
        _move(payer.identityOf(), payee.identityOf(), amount);
        emit Transfer(payer.addressOf(), payee.addressOf(), amount);
    }

    /// @inheritdoc ISettlementToken
    /// @dev The settlement contract stands between debtors and creditors in the events, and never holds a balance.
    function settleNet(Party[] calldata parties, int256[] calldata positions) external onlySettlement whenNotPaused {
        if (positions.length != parties.length) revert DepositTokenLengthMismatch(address(this));
        int256 sum = 0;
        for (uint256 i = 0; i < parties.length; ++i) {
            Party party = parties[i];
            int256 position = positions[i];
            // Neither wraps around: whatever passes debit or credit is an amount of at most 112 bits.
            uint256 amount;
            unchecked {
                sum += position;
                amount = uint256(position < 0 ? -position : position);
            }
            if (position < 0) {
                _debit(party.identityOf(), amount);
                emit Transfer(party.addressOf(), msg.sender, amount);
            } else if (position > 0) {
                _credit(party.identityOf(), amount);
                emit Transfer(msg.sender, party.addressOf(), amount);
            } else {
                _requireNotFrozen(party.identityOf());
            }
        }
        if (sum != 0) revert DepositTokenUnbalanced(address(this), sum);
    }

    /// @inheritdoc ISettlementToken
    function makeHold(bytes11 payer, bytes11 payee, uint256 amount) external onlySettlement whenNotPaused {
        _requireNotFrozen(payee);
        _hold(payer, amount);
    }

    /// @inheritdoc ISettlementToken
    function release(bytes11 payer, uint256 amount) external onlySettlement {
        _release(payer, amount);
    }

    /// @inheritdoc ISettlementToken
    function settleHold(Party payer, Party payee, uint256 amount) external onlySettlement {
        _debitHeld(payer.identityOf(), amount);
        _creditEvenIfFrozen(payee.identityOf(), amount);
        emit Transfer(payer.addressOf(), payee.addressOf(), amount);
    }

    // ----- VIEWS ------------------------------------------------------------------------------------------------

    /// @notice Issued minus redeemed.
    function totalSupply() external view returns (uint256) {
        return _supply.issued - _supply.redeemed;
    }

    /// @notice Balance of the participant whose key this is, held amount included; zero for any other address.
    function balanceOf(address key) external view returns (uint256) {
        return _accounts[registry.participantOf(key)].word.balanceOf();
    }

    /// @inheritdoc IDepositToken
    function accountOf(bytes11 participant) public view returns (uint256 balance, uint256 held, bool frozen) {
        AccountWord account = _accounts[participant].word;
        return (account.balanceOf(), account.heldOf(), account.isFrozen());
    }

    /// @inheritdoc IDepositToken
    function accountsOf(bytes11[] calldata participants)
        external
        view
        returns (uint256[] memory balances, uint256[] memory held, bool[] memory frozen)
    {
        balances = new uint256[](participants.length);
        held = new uint256[](participants.length);
        frozen = new bool[](participants.length);
        for (uint256 i = 0; i < participants.length; ++i) {
            (balances[i], held[i], frozen[i]) = accountOf(participants[i]);
        }
    }

    /// @inheritdoc IDepositToken
    function redemption(uint256 number) external view returns (Redemption memory) {
        return _redemptions[number];
    }

    /// @inheritdoc IDepositToken
    function issuedTotal() external view returns (uint256) {
        return _supply.issued;
    }

    /// @inheritdoc IDepositToken
    function redeemedTotal() external view returns (uint256) {
        return _supply.redeemed;
    }

    /// @inheritdoc IDepositToken
    function paused() external view returns (bool) {
        return _supply.paused;
    }

    /// @notice The nonce of the owner's next permit.
    function nonces(address owner) public view override(IERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @notice The domain of permits on this chain.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ----- INTERNAL ---------------------------------------------------------------------------------------------

    function _transfer(address from, address to, uint256 amount) private whenNotPaused {
        (bytes11 payer, bytes11 payee) = registry.activeParticipants(from, to);
        _move(payer, payee, amount);
        emit Transfer(from, to, amount);
    }

    function _move(bytes11 payer, bytes11 payee, uint256 amount) private {
        _debit(payer, amount);
        _credit(payee, amount);
    }

    function _debit(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        AccountWord word = account.word;
        _requireSpendable(word, participant, amount);
        account.word = word.takeBalance(amount);
    }

    function _credit(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        AccountWord word = account.word;
        _requireNotFrozen(word, participant);
        account.word = _credited(word, participant, amount);
    }

    function _creditEvenIfFrozen(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        account.word = _credited(account.word, participant, amount);
    }

    /// @dev An account is opened by its first credit. Then the register is asked: a fault in the settlement contract must
    /// not pay somebody who was never admitted. That the result fits follows from the supply in a balanced movement; it
    /// is checked because the credits of a net movement may come before the debit that refuses it.
    function _credited(AccountWord word, bytes11 participant, uint256 amount) private view returns (AccountWord) {
        if (!word.isOpen()) {
            if (registry.currentKeyOf(participant) == address(0)) {
                revert DepositTokenUnknownParticipant(address(this), participant);
            }
            word = word.withOpen();
        }
        if (amount > MAX_AMOUNT - word.balanceOf()) revert DepositTokenAmountRefused(address(this), amount);
        return word.addBalance(amount);
    }

    function _hold(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        AccountWord word = account.word;
        _requireSpendable(word, participant, amount);
        account.word = word.addHeld(amount);
    }

    function _release(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        AccountWord word = account.word;
        _requireHeld(word, participant, amount);
        account.word = word.takeHeld(amount);
    }

    function _debitHeld(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        AccountWord word = account.word;
        _requireHeld(word, participant, amount);
        account.word = word.takeHeldBalance(amount);
    }

    /// @dev The only way out of Requested, so that a request ends once.
    function _endRedemption(uint256 number, RedemptionState end) private returns (Redemption memory request) {
        request = _redemptions[number];
        if (request.state != RedemptionState.Requested) {
            revert DepositTokenRedemptionNotOpen(address(this), number, request.state);
        }
        _redemptions[number].state = end;
    }

    function _approve(address owner, address spender, uint256 amount) private {
        if (spender == address(0)) revert ERC20InvalidSpender(spender);
        allowance[owner][spender] = amount;
        emit Approval(owner, spender, amount);
    }

    function _useReference(bytes32 reserveReference) private {
        if (reserveReference == 0 || referenceUsed[reserveReference]) {
            revert DepositTokenReferenceRefused(address(this), reserveReference);
        }
        referenceUsed[reserveReference] = true;
    }

    function _requireDomestic(bytes11 participant) private view {
        if (registry.countryOf(participant) != country) revert DepositTokenNotDomestic(address(this), participant);
    }

    function _requireNotFrozen(AccountWord account, bytes11 participant) private view {
        if (account.isFrozen()) revert DepositTokenFrozen(address(this), participant);
    }

    function _requireNotFrozen(bytes11 participant) private view {
        _requireNotFrozen(_accounts[participant].word, participant);
    }

    function _requireSpendable(AccountWord account, bytes11 participant, uint256 amount) private view {
        _requireNotFrozen(account, participant);
        uint256 available = account.availableOf();
        if (available < amount) {
            revert DepositTokenInsufficientAvailable(address(this), participant, available, amount);
        }
    }

    function _requireHeld(AccountWord account, bytes11 participant, uint256 amount) private view {
        uint256 held = account.heldOf();
        if (held < amount) revert DepositTokenInsufficientHeld(address(this), participant, held, amount);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IDepositToken} from "./IDepositToken.sol";
import {IParticipantRegistry} from "./IParticipantRegistry.sol";
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
/// - Only admitted, active participants are issued to or receive by transfer.
/// - The issuer can freeze and pause, never move or redeem a participant's tokens, nor stop a claim or a refund.
/// - Pause and freeze stop what is new (transfer, settling, locking, redeeming) and nothing that is locked.
/// - Issuer, register and settlement contract never change; the deployer holds no power.
contract DepositToken is IDepositToken, IERC20Errors, EIP712, Nonces {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @dev One word per identity. `held` is part of `balance`.
    struct Account {
        uint112 balance;
        uint112 held;
        bool frozen;
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

    mapping(bytes11 participant => Account) private _accounts;
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
        _credit(participant, amount);
        emit Transfer(address(0), key, amount);
        emit Issued(participant, amount, reserveReference);
    }

    /// @inheritdoc IDepositToken
    function freeze(bytes11 participant) external onlyIssuer {
        bytes11[] memory one = new bytes11[](1);
        one[0] = participant;
        if (registry.keysOf(one)[0] == address(0)) revert DepositTokenUnknownParticipant(address(this), participant);
        Account storage account = _accounts[participant];
        _requireNotFrozen(account, participant);
        account.frozen = true;
        emit ParticipantFrozen(participant);
    }

    /// @inheritdoc IDepositToken
    function unfreeze(bytes11 participant) external onlyIssuer {
        if (!_accounts[participant].frozen) revert DepositTokenNotFrozen(address(this), participant);
        _accounts[participant].frozen = false;
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
    function redeem(uint256 amount, bytes32 reserveReference) external whenNotPaused {
        bytes11 participant = registry.activeParticipantOf(msg.sender);
        _requireDomestic(participant);
        _useReference(reserveReference);
        if (amount == 0) revert DepositTokenAmountRefused(address(this), amount);
        _debit(participant, amount);
        // The debit bounds the amount by a balance, and balances by what was issued.
        _supply.redeemed += uint112(amount);
        emit Transfer(msg.sender, address(0), amount);
        emit Redeemed(participant, amount, reserveReference);
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
    function moveLeg(bytes11 payer, address payerKey, bytes11 payee, address payeeKey, uint256 amount)
        external
        onlySettlement
        whenNotPaused
    {
        _move(payer, payee, amount);
        emit Transfer(payerKey, payeeKey, amount);
    }

    /// @inheritdoc ISettlementToken
    /// @dev The settlement contract stands between debtors and creditors in the events, and never holds a balance.
    function moveNet(bytes11[] calldata participants, address[] calldata keys, int256[] calldata positions)
        external
        onlySettlement
        whenNotPaused
    {
        if (keys.length != participants.length || positions.length != participants.length) {
            revert DepositTokenLengthMismatch(address(this));
        }
        int256 sum = 0;
        for (uint256 i = 0; i < participants.length; ++i) {
            int256 position = positions[i];
            sum += position;
            if (position < 0) {
                _debit(participants[i], uint256(-position));
                emit Transfer(keys[i], msg.sender, uint256(-position));
            } else {
                _requireNotFrozen(_accounts[participants[i]], participants[i]);
                if (position == 0) continue;
                _credit(participants[i], uint256(position));
                emit Transfer(msg.sender, keys[i], uint256(position));
            }
        }
        if (sum != 0) revert DepositTokenUnbalanced(address(this), sum);
    }

    /// @inheritdoc ISettlementToken
    function hold(bytes11 payer, bytes11 payee, uint256 amount) external onlySettlement whenNotPaused {
        _requireNotFrozen(_accounts[payee], payee);
        Account storage account = _accounts[payer];
        _requireNotFrozen(account, payer);
        _requireAvailable(account, payer, amount);
        account.held += uint112(amount);
    }

    /// @inheritdoc ISettlementToken
    function release(bytes11 payer, uint256 amount) external onlySettlement {
        Account storage account = _accounts[payer];
        _requireHeld(account, payer, amount);
        account.held -= uint112(amount);
    }

    /// @inheritdoc ISettlementToken
    function claimHold(bytes11 payer, address payerKey, bytes11 payee, address payeeKey, uint256 amount)
        external
        onlySettlement
    {
        Account storage account = _accounts[payer];
        _requireHeld(account, payer, amount);
        account.held -= uint112(amount);
        account.balance -= uint112(amount);
        _credit(payee, amount);
        emit Transfer(payerKey, payeeKey, amount);
    }

    // ----- VIEWS ------------------------------------------------------------------------------------------------

    /// @notice Issued minus redeemed.
    function totalSupply() external view returns (uint256) {
        return _supply.issued - _supply.redeemed;
    }

    /// @notice Balance of the participant whose key this is, held amount included; zero for any other address.
    function balanceOf(address key) external view returns (uint256) {
        return _accounts[registry.participantOf(key)].balance;
    }

    /// @inheritdoc IDepositToken
    function accountOf(bytes11 participant) external view returns (uint256 balance, uint256 held, bool frozen) {
        Account memory account = _accounts[participant];
        return (account.balance, account.held, account.frozen);
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
        (bytes11 payer, bytes11 payee) = registry.activePairOf(from, to);
        _move(payer, payee, amount);
        emit Transfer(from, to, amount);
    }

    function _move(bytes11 payer, bytes11 payee, uint256 amount) private {
        _debit(payer, amount);
        _requireNotFrozen(_accounts[payee], payee);
        _credit(payee, amount);
    }

    function _debit(bytes11 participant, uint256 amount) private {
        Account storage account = _accounts[participant];
        _requireNotFrozen(account, participant);
        _requireAvailable(account, participant, amount);
        account.balance -= uint112(amount);
    }

    /// @dev Cannot truncate in a balanced movement, where the sum of balances is at most the supply; checked
    /// nonetheless, because the credits of a net movement may come before the debit that refuses it.
    function _credit(bytes11 participant, uint256 amount) private {
        if (amount > type(uint112).max) revert DepositTokenAmountRefused(address(this), amount);
        _accounts[participant].balance += uint112(amount);
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

    function _requireNotFrozen(Account storage account, bytes11 participant) private view {
        if (account.frozen) revert DepositTokenFrozen(address(this), participant);
    }

    /// @dev Passing it means that the amount fits into 112 bits.
    function _requireAvailable(Account storage account, bytes11 participant, uint256 amount) private view {
        uint256 available = account.balance - account.held;
        if (available < amount) {
            revert DepositTokenInsufficientAvailable(address(this), participant, available, amount);
        }
    }

    /// @dev Passing it means that the amount fits into 112 bits.
    function _requireHeld(Account storage account, bytes11 participant, uint256 amount) private view {
        if (account.held < amount) {
            revert DepositTokenInsufficientHeld(address(this), participant, account.held, amount);
        }
    }
}

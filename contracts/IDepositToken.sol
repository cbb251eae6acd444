// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IParticipantRegistry} from "./IParticipantRegistry.sol";
import {ISettlementToken} from "./ISettlementToken.sol";

/// @title IDepositToken
/// @notice What the token of one currency says, refuses and answers, beyond ERC-20 and ERC-2612.
interface IDepositToken is IERC20Metadata, IERC20Permit, ISettlementToken {
    // ----- TYPES ------------------------------------------------------------------------------------------------

    /// @notice The life of a redemption request: Requested → Fulfilled | Refused | Withdrawn.
    enum RedemptionState {
        None,
        Requested,
        Fulfilled,
        Refused,
        Withdrawn
    }

    /// @notice One word. The amount is held from the request to its end.
    struct Redemption {
        bytes11 participant;
        uint112 amount;
        uint48 requestedAt;
        RedemptionState state;
    }

    // ----- ERRORS -----------------------------------------------------------------------------------------------

    /// @notice The participant's available balance (balance − held) is below what the debit needs.
    error DepositTokenInsufficientAvailable(address token, bytes11 participant, uint256 available, uint256 required);
    /// @notice The participant's held amount is below what is to be released or claimed: a fault in the caller.
    error DepositTokenInsufficientHeld(address token, bytes11 participant, uint256 held, uint256 required);
    /// @notice The issuer has frozen the participant in this currency.
    error DepositTokenFrozen(address token, bytes11 participant);
    /// @notice The participant is not frozen.
    error DepositTokenNotFrozen(address token, bytes11 participant);
    /// @notice The issuer has paused this currency.
    error DepositTokenPaused(address token);
    /// @notice The currency is not paused.
    error DepositTokenNotPaused(address token);
    /// @notice The caller is not this token's issuer.
    error DepositTokenNotIssuer(address token, address caller);
    /// @notice The caller is not the settlement contract.
    error DepositTokenNotSettlement(address token, address caller);
    /// @notice Only banks of the issuer's country are issued to and redeem.
    error DepositTokenNotDomestic(address token, bytes11 participant);
    /// @notice The participant has never been admitted, so that it can hold nothing.
    error DepositTokenUnknownParticipant(address token, bytes11 participant);
    /// @notice The reserve reference is zero or was used before.
    error DepositTokenReferenceRefused(address token, bytes32 reserveReference);
    /// @notice The amount is zero, or the supply would outgrow its word.
    error DepositTokenAmountRefused(address token, uint256 amount);
    /// @notice The positions do not sum to zero.
    error DepositTokenUnbalanced(address token, int256 sum);
    /// @notice The lists differ in length.
    error DepositTokenLengthMismatch(address token);
    /// @notice The redemption request is not open.
    error DepositTokenRedemptionNotOpen(address token, uint256 number, RedemptionState state);
    /// @notice The redemption request is another participant's.
    error DepositTokenRedemptionNotYours(address token, uint256 number, bytes11 participant);
    /// @notice The issuer still has time to answer the redemption request.
    error DepositTokenRedemptionTooEarly(address token, uint256 number, uint256 withdrawableAt, uint256 nowS);
    /// @notice A permit was presented after its deadline.
    error ERC2612ExpiredSignature(uint256 deadline);
    /// @notice A permit was signed by somebody else than the owner.
    error ERC2612InvalidSigner(address signer, address owner);
    /// @notice The issuer is not in the register, or the settlement contract is missing.
    error DepositTokenDeploymentInvalid();

    // ----- EVENTS -----------------------------------------------------------------------------------------------

    /// @notice Tokens were issued against a movement in the reserves.
    event Issued(bytes11 indexed participant, uint256 amount, bytes32 indexed reserveReference);
    /// @notice A bank asks for funds in the issuer's books; the amount is held until the request ends.
    event RedemptionRequested(uint256 indexed number, bytes11 indexed participant, uint256 amount);
    /// @notice The issuer fulfilled a request: tokens were given up for a movement in the reserves.
    event Redeemed(
        uint256 indexed number, bytes11 indexed participant, uint256 amount, bytes32 indexed reserveReference
    );
    /// @notice The issuer refused a request; the amount is available again.
    event RedemptionRefused(uint256 indexed number, bytes11 indexed participant, uint256 amount);
    /// @notice The bank withdrew a request that was not answered; the amount is available again.
    event RedemptionWithdrawn(uint256 indexed number, bytes11 indexed participant, uint256 amount);
    /// @notice A participant may start nothing in this currency.
    event ParticipantFrozen(bytes11 indexed participant);
    /// @notice A freeze has ended.
    event ParticipantUnfrozen(bytes11 indexed participant);
    /// @notice Nobody may start anything in this currency.
    event Paused();
    /// @notice A pause has ended.
    event Unpaused();

    // ----- FUNCTIONS --------------------------------------------------------------------------------------------

    /// @notice ISO 4217 code of the currency.
    function currency() external view returns (bytes3);

    /// @notice The central bank that issues this token.
    function issuer() external view returns (address);

    /// @notice ISO 3166 code of the issuer's country.
    function country() external view returns (bytes2);

    /// @notice The register of participants.
    function registry() external view returns (IParticipantRegistry);

    /// @notice The one contract that may use the settlement entry points.
    function settlement() external view returns (address);

    /// @notice Whether a reserve reference has been used, for issuing or redeeming.
    function referenceUsed(bytes32 reserveReference) external view returns (bool);

    /// @notice Issues tokens to a domestic, active bank.
    /// @param reserveReference The movement in the issuer's books that backs it; used once.
    function issue(bytes11 participant, uint256 amount, bytes32 reserveReference) external;

    /// @notice Stops a participant from starting anything in this currency. What is locked stays claimable.
    function freeze(bytes11 participant) external;

    /// @notice Ends a freeze.
    function unfreeze(bytes11 participant) external;

    /// @notice Stops everybody from starting anything in this currency. What is locked stays claimable.
    function pause() external;

    /// @notice Ends a pause.
    function unpause() external;

    /// @notice How long a bank waits for the issuer's answer before it can withdraw a redemption request, in seconds:
    /// one business day, in which the issuer can count on the request.
    function REDEMPTION_ANSWER_S() external view returns (uint256);

    /// @notice Asks to give up tokens of the caller, a domestic bank, for funds in the issuer's books. The amount is
    /// held until the issuer answers or the bank withdraws.
    /// @return number Of the request, counted from 1.
    function requestRedemption(uint256 amount) external returns (uint256 number);

    /// @notice The issuer pays the funds out: the held tokens are redeemed.
    /// @param reserveReference The movement in the issuer's books; used once.
    function fulfilRedemption(uint256 number, bytes32 reserveReference) external;

    /// @notice The issuer refuses a request: the amount is available again.
    function refuseRedemption(uint256 number) external;

    /// @notice The bank that made a request withdraws it once REDEMPTION_ANSWER_S have passed, whatever its status.
    function withdrawRedemption(uint256 number) external;

    /// @notice A redemption request; state None if there is none of this number.
    function redemption(uint256 number) external view returns (Redemption memory);

    /// @notice How many redemption requests were ever made: the number of the last.
    function redemptionCount() external view returns (uint256);

    /// @notice The account of an identity, whatever its key or status.
    function accountOf(bytes11 participant) external view returns (uint256 balance, uint256 held, bool frozen);

    /// @notice The accounts of many identities, in their order; for readers off chain.
    function accountsOf(bytes11[] calldata participants)
        external
        view
        returns (uint256[] memory balances, uint256[] memory held, bool[] memory frozen);

    /// @notice Everything issued so far.
    function issuedTotal() external view returns (uint256);

    /// @notice Everything redeemed so far.
    function redeemedTotal() external view returns (uint256);

    /// @notice Whether the issuer has paused this currency.
    function paused() external view returns (bool);
}

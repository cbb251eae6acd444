// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Party} from "./IParticipantRegistry.sol";

/// @title ISettlementToken
/// @notice What the settlement contract asks of a deposit token. Each entry point is open to that contract only.
///
/// Identities move the money; the key in a `Party` is for the ERC-20 `Transfer` event alone.
interface ISettlementToken {
    /// @notice Moves `amount` from payer to payee. Refused while paused, or while either is frozen.
    function moveGross(Party payer, Party payee, uint256 amount) external;

    /// @notice Debits every negative and credits every positive position; they sum to zero. Refused while paused, or
    /// while a listed participant is frozen, whatever its position.
    function settleNet(Party[] calldata parties, int256[] calldata positions) external;

    /// @notice Sets `amount` of the payer's available balance aside. Refused while paused, or while either is frozen.
    function makeHold(bytes11 payer, bytes11 payee, uint256 amount) external;

    /// @notice Makes a held amount available again. Nothing refuses it.
    function release(bytes11 payer, uint256 amount) external;

    /// @notice Pays a held amount to the payee. Neither pause, freeze nor status refuses it.
    function settleHold(Party payer, Party payee, uint256 amount) external;
}

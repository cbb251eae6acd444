// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SigningKey} from "./IParticipantRegistry.sol";

/// @title ISettlementToken
/// @notice What the settlement contract asks of a deposit token. Each entry point is open to that contract only.
///
/// Identities move the money; keys are passed along for the ERC-20 `Transfer` event alone.
interface ISettlementToken {
    /// @notice Moves `amount` from payer to payee. Refused while paused, or while either is frozen.
    function moveLeg(bytes11 payer, address payerKey, bytes11 payee, address payeeKey, uint256 amount) external;

    /// @notice Debits every negative and credits every positive position; they sum to zero. Refused while paused, or
    /// while a listed participant is frozen, whatever its position.
    /// @param keys As the register gave them; only the address in each is used.
    function moveNet(bytes11[] calldata participants, SigningKey[] calldata keys, int256[] calldata positions)
        external;

    /// @notice Sets `amount` of the payer's available balance aside. Refused while paused, or while either is frozen.
    function hold(bytes11 payer, bytes11 payee, uint256 amount) external;

    /// @notice Makes a held amount available again. Nothing refuses it.
    function release(bytes11 payer, uint256 amount) external;

    /// @notice Pays a held amount to the payee. Neither pause, freeze nor status refuses it.
    function claimHold(bytes11 payer, address payerKey, bytes11 payee, address payeeKey, uint256 amount) external;
}

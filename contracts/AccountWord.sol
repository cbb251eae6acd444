// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

// An account of one currency in one word, so that every movement reads and writes storage once:
// balance (lowest 112 bits), held amount, part of the balance (next 112 bits), then the flags frozen and open.
// 112 bits count to 5·10^33 minor units.
//
// Assumes: whoever takes off has checked that as much is there; whoever adds has checked that the result fits into
// 112 bits. Then no field ever runs into its neighbour: balance ≥ held ≥ 0.

/// @notice An account: balance, held amount, frozen, open.
type AccountWord is uint256;

/// @dev Amounts above this do not fit into an account.
uint256 constant MAX_AMOUNT = type(uint112).max;
uint256 constant HELD_UNIT = 1 << 112;
uint256 constant FROZEN_FLAG = 1 << 224;
uint256 constant OPEN_FLAG = 1 << 225;

using {
    balanceOf,
    heldOf,
    availableOf,
    isFrozen,
    isOpen,
    addBalance,
    takeBalance,
    addHeld,
    takeHeld,
    takeHeldBalance,
    withFrozen,
    withOpen
} for AccountWord global;

/// @notice The whole balance, held amount included.
function balanceOf(AccountWord account) pure returns (uint256) {
    return AccountWord.unwrap(account) & MAX_AMOUNT;
}

/// @notice The part of the balance that is set aside.
function heldOf(AccountWord account) pure returns (uint256) {
    return (AccountWord.unwrap(account) >> 112) & MAX_AMOUNT;
}

/// @notice What a debit can use: balance − held, never negative.
function availableOf(AccountWord account) pure returns (uint256) {
    unchecked {
        return account.balanceOf() - account.heldOf();
    }
}

/// @notice Whether the issuer has frozen the participant in this currency.
function isFrozen(AccountWord account) pure returns (bool) {
    return AccountWord.unwrap(account) & FROZEN_FLAG != 0;
}

/// @notice Whether the register has vouched for the participant.
function isOpen(AccountWord account) pure returns (bool) {
    return AccountWord.unwrap(account) & OPEN_FLAG != 0;
}

/// @notice A credit; the new balance must fit.
function addBalance(AccountWord account, uint256 amount) pure returns (AccountWord) {
    return AccountWord.wrap(AccountWord.unwrap(account) + amount);
}

/// @notice A debit of at most what is available.
function takeBalance(AccountWord account, uint256 amount) pure returns (AccountWord) {
    return AccountWord.wrap(AccountWord.unwrap(account) - amount);
}

/// @notice Sets aside at most what is available.
function addHeld(AccountWord account, uint256 amount) pure returns (AccountWord) {
    return AccountWord.wrap(AccountWord.unwrap(account) + amount * HELD_UNIT);
}

/// @notice Makes at most what is held available again.
function takeHeld(AccountWord account, uint256 amount) pure returns (AccountWord) {
    return AccountWord.wrap(AccountWord.unwrap(account) - amount * HELD_UNIT);
}

/// @notice A debit of at most what is held: balance and held amount fall together.
function takeHeldBalance(AccountWord account, uint256 amount) pure returns (AccountWord) {
    return AccountWord.wrap(AccountWord.unwrap(account) - amount * (HELD_UNIT + 1));
}

/// @notice The same account, frozen or not.
function withFrozen(AccountWord account, bool frozen) pure returns (AccountWord) {
    uint256 word = AccountWord.unwrap(account);
    return AccountWord.wrap(frozen ? word | FROZEN_FLAG : word & ~FROZEN_FLAG);
}

/// @notice The same account, open.
function withOpen(AccountWord account) pure returns (AccountWord) {
    return AccountWord.wrap(AccountWord.unwrap(account) | OPEN_FLAG);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccountWord, FROZEN_FLAG, MAX_AMOUNT, OPEN_FLAG} from "../../../contracts/AccountWord.sol";
import {prover} from "./Prover.sol";

/// @notice For every word and every amount: a movement changes the fields it names and no other, and held ≤ balance
/// survives it. Each proof assumes what the token has checked before it calls, and nothing else.
contract AccountWordProof {
    function check_a_credit_changes_the_balance_alone(AccountWord word, uint256 amount) external pure {
        _assumeCovered(word);
        prover.assume(amount <= MAX_AMOUNT - word.balanceOf());
        _assertMoved(word, word.addBalance(amount), int256(amount), 0);
    }

    function check_a_debit_of_what_is_available_changes_the_balance_alone(AccountWord word, uint256 amount)
        external
        pure
    {
        _assumeCovered(word);
        prover.assume(amount <= word.availableOf());
        _assertMoved(word, word.takeBalance(amount), -int256(amount), 0);
    }

    function check_a_hold_of_what_is_available_changes_the_held_amount_alone(AccountWord word, uint256 amount)
        external
        pure
    {
        _assumeCovered(word);
        prover.assume(amount <= word.availableOf());
        _assertMoved(word, word.addHeld(amount), 0, int256(amount));
    }

    function check_a_release_of_what_is_held_changes_the_held_amount_alone(AccountWord word, uint256 amount)
        external
        pure
    {
        _assumeCovered(word);
        prover.assume(amount <= word.heldOf());
        _assertMoved(word, word.takeHeld(amount), 0, -int256(amount));
    }

    function check_a_debit_of_what_is_held_lowers_balance_and_held_amount_together(AccountWord word, uint256 amount)
        external
        pure
    {
        _assumeCovered(word);
        prover.assume(amount <= word.heldOf());
        _assertMoved(word, word.takeHeldBalance(amount), -int256(amount), -int256(amount));
    }

    function check_what_is_available_is_the_balance_less_what_is_held(AccountWord word) external pure {
        _assumeCovered(word);
        assert(word.availableOf() + word.heldOf() == word.balanceOf());
    }

    function check_flags_change_no_amount(AccountWord word, bool frozen) external pure {
        AccountWord changed = word.withFrozen(frozen).withOpen();
        assert(changed.balanceOf() == word.balanceOf());
        assert(changed.heldOf() == word.heldOf());
        assert(changed.isFrozen() == frozen);
        assert(changed.isOpen());
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _assumeCovered(AccountWord word) private pure {
        prover.assume(word.heldOf() <= word.balanceOf());
    }

    function _assertMoved(AccountWord before, AccountWord moved, int256 balance, int256 held) private pure {
        assert(int256(moved.balanceOf()) == int256(before.balanceOf()) + balance);
        assert(int256(moved.heldOf()) == int256(before.heldOf()) + held);
        assert(moved.heldOf() <= moved.balanceOf());
        uint256 flags = FROZEN_FLAG | OPEN_FLAG;
        assert(AccountWord.unwrap(moved) & flags == AccountWord.unwrap(before) & flags);
        assert(AccountWord.unwrap(moved) >> 224 == AccountWord.unwrap(before) >> 224);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../../contracts/IDepositToken.sol";
import {vm} from "../Vm.sol";
import {Handler} from "./Handler.sol";

/// @notice What holds after any sequence of actions, by whomever: the ten invariants of the corridor's contracts.
contract InvariantsTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private handler;

    function setUp() public {
        handler = new Handler();
        handler.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](2);
        selectors[0] = FuzzSelector(address(handler), handler.actions());
        selectors[1] = FuzzSelector(address(handler), handler.rareActions());
    }

    /// @dev At the end of a campaign's every run, all ten are checked, whichever it watches. Then, Exit: when all time has
    /// passed, strangers free every leg and banks take back every request.
    function afterInvariant() external {
        this.invariant_conservation_settling_changes_no_supply();
        this.invariant_backing_supply_is_issued_minus_redeemed();
        this.invariant_atomicity_all_legs_or_none();
        this.invariant_consent_no_debit_and_no_entry_without_it();
        this.invariant_no_overdraft_balance_covers_what_is_held();
        _never("Timelock order");
        _never("Once");
        _never("Claimable");
        handler.refundEverything();
        handler.withdrawEverything();
        vm.assertTrue(handler.nothingIsHeld(), "Exit: something stays held for ever");
        _never("Exit");
        _never("Disjoint windows");
    }

    function invariant_conservation_settling_changes_no_supply() external view {
        _never("Conservation");
        for (uint256 i = 0; i < 4; ++i) {
            IDepositToken token = handler.tokens()[i];
            vm.assertEq(handler.sumOfBalances(token), token.totalSupply(), "balances add up to the supply");
        }
    }

    function invariant_backing_supply_is_issued_minus_redeemed() external view {
        for (uint256 i = 0; i < 4; ++i) {
            IDepositToken token = handler.tokens()[i];
            vm.assertEq(token.issuedTotal(), handler.issued(address(token)), "issued");
            vm.assertEq(token.redeemedTotal(), handler.redeemed(address(token)), "redeemed");
            vm.assertEq(token.totalSupply(), token.issuedTotal() - token.redeemedTotal(), "supply");
        }
    }

    function invariant_atomicity_all_legs_or_none() external view {
        _never("Atomicity");
        vm.assertTrue(handler.statesAreAgreed(), "states of obligations");
    }

    function invariant_consent_no_debit_and_no_entry_without_it() external view {
        _never("Consent");
        vm.assertTrue(handler.balancesAreAgreed(), "balances are what their owners agreed to");
    }

    function invariant_disjoint_windows_claim_before_and_refund_from_the_timelock() external view {
        _never("Disjoint windows");
    }

    function invariant_timelock_order_lead_is_later_by_the_margin() external view {
        _never("Timelock order");
    }

    function invariant_once_nothing_takes_effect_twice() external view {
        _never("Once");
    }

    function invariant_no_overdraft_balance_covers_what_is_held() external view {
        vm.assertTrue(handler.heldIsCovered(), "held amounts");
    }

    function invariant_claimable_nothing_but_time_stops_a_claim() external view {
        _never("Claimable");
    }

    function invariant_exit_every_locked_unit_comes_free() external view {
        _never("Exit");
    }

    function _never(bytes32 rule) private view {
        vm.assertEq(handler.violations(rule), 0, string(abi.encodePacked(rule)));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {vm} from "../Vm.sol";
import {Handler} from "./Handler.sol";

/// @notice An invariant that is watched while nothing happens proves nothing: every actor must get to act.
contract ActorsTest {
    uint256 private constant CALLS = 2000;
    /// @dev Actions that only change what others meet; the rest counts what took effect, or what a thief tried.
    uint256 private constant SILENT = 3;

    Handler private handler;

    function setUp() public {
        handler = new Handler();
        handler.setUp();
    }

    function test_every_action_takes_effect_in_a_short_campaign_and_no_thief_succeeds() public {
        bytes4[] memory actions = handler.actions();
        for (uint256 i = 0; i < CALLS; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("campaign", i)));
            // Rare actions are left to the campaigns: they end what others have begun.
            (bool ok,) = address(handler).call(abi.encodeWithSelector(actions[seed % actions.length], seed >> 8));
            ok;
        }
        uint256 silent = 0;
        for (uint256 i = 0; i < actions.length; ++i) {
            bytes4 action = actions[i];
            bool counted =
                action != handler.stop.selector && action != handler.letGo.selector && action != handler.wait_.selector;
            if (!counted) ++silent;
            else vm.assertTrue(handler.acted(action) > 0, string.concat("never acted: ", vm.toString(i)));
        }
        vm.assertEq(silent, SILENT, "actions that are not counted");
        bytes32[8] memory rules = [
            bytes32("Conservation"),
            "Atomicity",
            "Consent",
            "Disjoint windows",
            "Timelock order",
            "Once",
            "Claimable",
            "Exit"
        ];
        for (uint256 i = 0; i < rules.length; ++i) {
            vm.assertEq(handler.violations(rules[i]), 0, string(abi.encodePacked(rules[i])));
        }
    }
}

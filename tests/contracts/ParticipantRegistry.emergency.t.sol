// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {Leg} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice The operator stops a bank for a day, once, unless its issuer takes it over.
contract EmergencyTest is CorridorTest {
    uint48 private constant END_S = uint48(NOW_S + 1 days);

    function test_the_operator_stops_a_bank_for_a_day() public {
        vm.expectEmit();
        emit IParticipantRegistry.ParticipantSuspendedForADay(thaiBank.bic, END_S);
        _stop();
        IParticipantRegistry.Participant memory record = registry.participant(thaiBank.bic);
        vm.assertEq(uint256(record.status), uint256(IParticipantRegistry.Status.Suspended), "status");
        vm.assertEq(record.suspendedUntil, END_S, "until");
        vm.assertTrue(record.emergencyUsed, "used");
    }

    function test_the_bank_is_active_again_from_the_end_of_the_day_on() public {
        _stop();
        vm.warp(END_S - 1);
        vm.expectRevert(_notActive(thaiBank));
        registry.activeKeyOf(thaiBank.bic);
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, thaiBank.key));
        registry.activeParticipantOf(thaiBank.key);
        vm.warp(END_S);
        vm.assertEq(registry.activeKeyOf(thaiBank.bic), thaiBank.key, "by identity");
        vm.assertEq(bytes32(registry.activeParticipantOf(thaiBank.key)), bytes32(thaiBank.bic), "by key");
        vm.assertEq(
            uint256(registry.participant(thaiBank.bic).status),
            uint256(IParticipantRegistry.Status.Active),
            "as readers see it"
        );
    }

    function test_a_stopped_bank_settles_nothing_and_what_it_locked_is_claimed() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        _stop();
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, thaiBank.key));
        vm.prank(thaiBank.key);
        thb.transfer(hongKongBank.key, 1);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_the_operator_has_one_day_until_the_issuer_has_suspended_the_bank() public {
        _stop();
        _expectUsed();
        _stop();
        vm.warp(END_S + 30 days);
        _expectUsed();
        _stop();
        _suspend(thaiBank);
        _reinstate();
        _stop();
        vm.assertEq(registry.participant(thaiBank.bic).suspendedUntil, END_S + 31 days, "a new day");
    }

    function test_the_issuer_ends_the_day_and_gives_no_new_one() public {
        _stop();
        vm.expectEmit();
        emit IParticipantRegistry.ParticipantReinstated(thaiBank.bic);
        _reinstate();
        vm.assertEq(registry.activeKeyOf(thaiBank.bic), thaiBank.key, "active");
        _expectUsed();
        _stop();
    }

    function test_the_issuer_takes_the_suspension_over_beyond_the_day() public {
        _stop();
        _suspend(thaiBank);
        vm.warp(END_S + 1);
        vm.expectRevert(_notActive(thaiBank));
        registry.activeKeyOf(thaiBank.bic);
    }

    function test_after_the_day_there_is_nothing_to_reinstate() public {
        _stop();
        vm.warp(END_S);
        vm.expectRevert(_statusRefused(IParticipantRegistry.Status.Active));
        _reinstate();
    }

    function test_only_an_active_bank_is_stopped() public {
        _suspend(thaiBank);
        vm.expectRevert(_statusRefused(IParticipantRegistry.Status.Suspended));
        _stop();
    }

    function test_nobody_else_stops_a_bank_for_a_day() public {
        address[3] memory callers = [THB_ISSUER, thaiBank.key, STRANGER];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantNotOperator.selector, callers[i]));
            vm.prank(callers[i]);
            registry.suspendForADay(thaiBank.bic);
        }
    }

    function test_revoking_consents_does_not_end_the_day() public {
        _stop();
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        vm.expectRevert(_notActive(thaiBank));
        registry.activeKeyOf(thaiBank.bic);
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _stop() private {
        vm.prank(operator);
        registry.suspendForADay(thaiBank.bic);
    }

    function _reinstate() private {
        vm.prank(THB_ISSUER);
        registry.reinstate(thaiBank.bic);
    }

    function _expectUsed() private {
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantEmergencyUsed.selector, thaiBank.bic));
    }

    function _statusRefused(IParticipantRegistry.Status status) private view returns (bytes memory) {
        return abi.encodeWithSelector(IParticipantRegistry.ParticipantStatusRefused.selector, thaiBank.bic, status);
    }
}

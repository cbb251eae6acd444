// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice How a participant's key changes: by the old key and its issuer, or by issuer and operator after a delay.
contract RotationTest is CorridorTest {
    address private constant NEW_KEY = address(0x4E11);
    address private constant OTHER_KEY = address(0x4E22);
    uint48 private constant DELAY_S = 3 days;

    // ----- WITH THE OLD KEY -------------------------------------------------------------------------------------

    function test_old_key_and_issuer_together_change_the_key_at_once() public {
        vm.expectEmit();
        emit IParticipantRegistry.KeyProposed(thaiBank.bic, NEW_KEY);
        _propose(thaiBank, NEW_KEY);
        vm.expectEmit();
        emit IParticipantRegistry.KeyRotated(thaiBank.bic, thaiBank.key, NEW_KEY, 1);
        _confirm(THB_ISSUER, NEW_KEY);
        _assertKey(NEW_KEY, 1);
        vm.assertEq(registry.keyChangeOf(thaiBank.bic).proposedKey, address(0), "nothing waits");
    }

    function test_balances_and_holds_stay_the_participants() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        _rotate();
        _assertAccount(thb, thaiBank, OPENING, 4500);
        vm.assertEq(thb.balanceOf(NEW_KEY), OPENING, "balance under the new key");
        vm.assertEq(thb.balanceOf(thaiBank.key), 0, "nothing under the old key");
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertPvpDone();
        vm.prank(NEW_KEY);
        thb.transfer(hongKongBank.key, 1);
        _assertAccount(thb, thaiBank, OPENING - 4501, 0);
    }

    function test_what_was_locked_before_a_rotation_is_refunded_after_it() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        _rotate();
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 1);
        _assertAccount(thb, thaiBank, OPENING, 0);
    }

    function test_consents_of_the_old_key_die_with_it() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _rotate();
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    function test_the_old_key_can_do_nothing_any_more() public {
        _rotate();
        bytes memory inactive =
            abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, thaiBank.key);
        vm.expectRevert(inactive);
        vm.prank(thaiBank.key);
        thb.transfer(hongKongBank.key, 1);
        bytes memory unknown = abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyUnknown.selector, thaiBank.key);
        vm.expectRevert(unknown);
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        vm.expectRevert(unknown);
        vm.prank(thaiBank.key);
        registry.proposeKey(OTHER_KEY);
        vm.assertEq(bytes32(registry.participantOf(thaiBank.key)), bytes32(0), "a key of nobody");
    }

    function test_a_retired_key_never_comes_back_for_anybody() public {
        _rotate();
        bytes memory taken = _taken(thaiBank.key, 0);
        vm.expectRevert(taken);
        vm.prank(NEW_KEY);
        registry.proposeKey(thaiBank.key);
        vm.expectRevert(taken);
        vm.prank(THB_ISSUER);
        registry.proposeRecovery(thaiBank.bic, thaiBank.key);
        vm.expectRevert(taken);
        vm.prank(THB_ISSUER);
        registry.admit("THBCTHBKXXX", "THBC0000000000000009", thaiBank.key);
    }

    function test_a_key_in_use_is_not_proposed() public {
        vm.expectRevert(_taken(hongKongBank.key, hongKongBank.bic));
        _propose(thaiBank, hongKongBank.key);
    }

    function test_a_key_taken_after_it_was_proposed_is_refused_at_confirmation() public {
        _propose(thaiBank, NEW_KEY);
        vm.prank(HKD_ISSUER);
        registry.admit("HKBCHKHHXXX", "HKBC0000000000000009", NEW_KEY);
        vm.expectRevert(_taken(NEW_KEY, "HKBCHKHHXXX"));
        _confirm(THB_ISSUER, NEW_KEY);
    }

    function test_only_the_key_that_was_proposed_is_confirmed() public {
        _expectNotProposed(NEW_KEY);
        _confirm(THB_ISSUER, NEW_KEY);
        _propose(thaiBank, NEW_KEY);
        _expectNotProposed(OTHER_KEY);
        _confirm(THB_ISSUER, OTHER_KEY);
        _expectNotProposed(address(0));
        _confirm(THB_ISSUER, address(0));
    }

    function test_a_proposal_is_replaced_or_withdrawn_by_its_participant() public {
        _propose(thaiBank, NEW_KEY);
        _propose(thaiBank, OTHER_KEY);
        _expectNotProposed(NEW_KEY);
        _confirm(THB_ISSUER, NEW_KEY);
        _propose(thaiBank, address(0));
        _expectNotProposed(OTHER_KEY);
        _confirm(THB_ISSUER, OTHER_KEY);
    }

    function test_only_the_home_issuer_confirms() public {
        _propose(thaiBank, NEW_KEY);
        address[3] memory callers = [HKD_ISSUER, operator, thaiBank.key];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(_notItsIssuer(callers[i]));
            _confirm(callers[i], NEW_KEY);
        }
    }

    function test_who_is_no_participant_proposes_no_key() public {
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyUnknown.selector, STRANGER));
        vm.prank(STRANGER);
        registry.proposeKey(NEW_KEY);
    }

    function test_a_suspended_participant_changes_its_key_and_stays_suspended() public {
        _suspend(thaiBank);
        _rotate();
        IParticipantRegistry.Participant memory record = registry.participant(thaiBank.bic);
        vm.assertEq(uint256(record.status), uint256(IParticipantRegistry.Status.Suspended), "status");
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, NEW_KEY));
        registry.activeParticipantOf(NEW_KEY);
    }

    function test_a_participant_stopped_for_a_day_changes_its_key_and_stays_stopped_for_the_day() public {
        vm.prank(operator);
        registry.suspendForADay(thaiBank.bic);
        _rotate();
        vm.expectRevert(_notActive(thaiBank));
        registry.activeKeyOf(thaiBank.bic);
        vm.warp(NOW_S + 1 days);
        vm.assertEq(registry.activeKeyOf(thaiBank.bic), NEW_KEY, "active again");
    }

    // ----- RECOVERY ---------------------------------------------------------------------------------------------

    function test_issuer_and_operator_together_replace_a_lost_key_after_the_delay() public {
        vm.expectEmit();
        emit IParticipantRegistry.RecoveryProposed(thaiBank.bic, NEW_KEY);
        _proposeRecovery(NEW_KEY);
        vm.expectEmit();
        emit IParticipantRegistry.RecoveryConfirmed(thaiBank.bic, NEW_KEY, uint48(NOW_S) + DELAY_S);
        _confirmRecovery(NEW_KEY);
        vm.assertEq(registry.keyChangeOf(thaiBank.bic).executableAt, NOW_S + DELAY_S, "executable");
        vm.warp(NOW_S + DELAY_S);
        vm.expectEmit();
        emit IParticipantRegistry.KeyRotated(thaiBank.bic, thaiBank.key, NEW_KEY, 1);
        vm.prank(STRANGER);
        registry.executeRecovery(thaiBank.bic);
        _assertKey(NEW_KEY, 1);
    }

    function test_a_recovery_is_executed_from_the_last_second_of_the_delay_on_and_once() public {
        _proposeRecovery(NEW_KEY);
        _confirmRecovery(NEW_KEY);
        vm.warp(NOW_S + DELAY_S - 1);
        _expectTooEarly(NOW_S + DELAY_S, NOW_S + DELAY_S - 1);
        registry.executeRecovery(thaiBank.bic);
        vm.warp(NOW_S + DELAY_S + 1);
        registry.executeRecovery(thaiBank.bic);
        _expectTooEarly(0, NOW_S + DELAY_S + 1);
        registry.executeRecovery(thaiBank.bic);
    }

    function test_neither_issuer_nor_operator_recovers_alone() public {
        _proposeRecovery(NEW_KEY);
        vm.warp(NOW_S + 30 days);
        _expectTooEarly(0, NOW_S + 30 days);
        registry.executeRecovery(thaiBank.bic);
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantNotOperator.selector, THB_ISSUER));
        vm.prank(THB_ISSUER);
        registry.confirmRecovery(thaiBank.bic, NEW_KEY);
        vm.expectRevert(_notItsIssuer(operator));
        vm.prank(operator);
        registry.proposeRecovery(thaiBank.bic, NEW_KEY);
        _expectNoRecovery(hongKongBank.bic, NEW_KEY);
        vm.prank(operator);
        registry.confirmRecovery(hongKongBank.bic, NEW_KEY);
    }

    function test_another_issuer_recovers_nobody() public {
        vm.expectRevert(_notItsIssuer(HKD_ISSUER));
        vm.prank(HKD_ISSUER);
        registry.proposeRecovery(thaiBank.bic, NEW_KEY);
    }

    function test_the_operator_confirms_the_very_key_that_was_named_and_once() public {
        _proposeRecovery(NEW_KEY);
        _expectNoRecovery(thaiBank.bic, OTHER_KEY);
        _confirmRecovery(OTHER_KEY);
        _expectNoRecovery(thaiBank.bic, address(0));
        _confirmRecovery(address(0));
        _confirmRecovery(NEW_KEY);
        uint256 executableAt = NOW_S + DELAY_S;
        vm.expectRevert(
            abi.encodeWithSelector(
                IParticipantRegistry.ParticipantRecoveryConfirmed.selector, thaiBank.bic, executableAt
            )
        );
        _confirmRecovery(NEW_KEY);
    }

    function test_a_new_proposal_starts_from_the_beginning() public {
        _proposeRecovery(NEW_KEY);
        _confirmRecovery(NEW_KEY);
        _proposeRecovery(OTHER_KEY);
        vm.warp(NOW_S + DELAY_S);
        _expectTooEarly(0, NOW_S + DELAY_S);
        registry.executeRecovery(thaiBank.bic);
    }

    function test_the_old_key_objects_while_it_exists() public {
        _proposeRecovery(NEW_KEY);
        _confirmRecovery(NEW_KEY);
        vm.expectEmit();
        emit IParticipantRegistry.RecoveryObjected(thaiBank.bic, NEW_KEY);
        vm.prank(thaiBank.key);
        registry.objectToRecovery();
        vm.warp(NOW_S + DELAY_S);
        _expectTooEarly(0, NOW_S + DELAY_S);
        registry.executeRecovery(thaiBank.bic);
        _expectNoRecovery(thaiBank.bic, address(0));
        vm.prank(thaiBank.key);
        registry.objectToRecovery();
    }

    function test_the_operators_day_does_not_silence_an_objection() public {
        _proposeRecovery(NEW_KEY);
        vm.prank(operator);
        registry.suspendForADay(thaiBank.bic);
        vm.prank(thaiBank.key);
        registry.objectToRecovery();
        vm.assertEq(registry.keyChangeOf(thaiBank.bic).recoveryKey, address(0), "called off");
    }

    function test_a_thief_with_a_suspended_banks_key_cannot_veto_its_replacement() public {
        _suspend(thaiBank);
        _proposeRecovery(NEW_KEY);
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantObjectionRefused.selector, thaiBank.bic));
        vm.prank(thaiBank.key);
        registry.objectToRecovery();
    }

    function test_issuer_or_operator_call_a_recovery_off() public {
        address[2] memory callers = [THB_ISSUER, operator];
        for (uint256 i = 0; i < 2; ++i) {
            _proposeRecovery(NEW_KEY);
            _confirmRecovery(NEW_KEY);
            vm.expectEmit();
            emit IParticipantRegistry.RecoveryWithdrawn(thaiBank.bic, NEW_KEY);
            vm.prank(callers[i]);
            registry.withdrawRecovery(thaiBank.bic);
            vm.assertEq(registry.keyChangeOf(thaiBank.bic).recoveryKey, address(0), "called off");
        }
        _expectNoRecovery(thaiBank.bic, address(0));
        vm.prank(operator);
        registry.withdrawRecovery(thaiBank.bic);
        vm.expectRevert(_notItsIssuer(HKD_ISSUER));
        vm.prank(HKD_ISSUER);
        registry.withdrawRecovery(thaiBank.bic);
    }

    function test_a_rotation_ends_a_waiting_recovery() public {
        _proposeRecovery(OTHER_KEY);
        _confirmRecovery(OTHER_KEY);
        _rotate();
        vm.warp(NOW_S + DELAY_S);
        _expectTooEarly(0, NOW_S + DELAY_S);
        registry.executeRecovery(thaiBank.bic);
    }

    function test_a_recovery_key_taken_during_the_delay_is_refused() public {
        _proposeRecovery(NEW_KEY);
        _confirmRecovery(NEW_KEY);
        vm.prank(HKD_ISSUER);
        registry.admit("HKBCHKHHXXX", "HKBC0000000000000009", NEW_KEY);
        vm.warp(NOW_S + DELAY_S);
        vm.expectRevert(_taken(NEW_KEY, "HKBCHKHHXXX"));
        registry.executeRecovery(thaiBank.bic);
    }

    function test_who_was_never_admitted_is_not_recovered() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IParticipantRegistry.ParticipantStatusRefused.selector,
                bytes11("THBZTHBKXXX"),
                IParticipantRegistry.Status.None
            )
        );
        vm.prank(THB_ISSUER);
        registry.proposeRecovery("THBZTHBKXXX", NEW_KEY);
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _rotate() private {
        _propose(thaiBank, NEW_KEY);
        _confirm(THB_ISSUER, NEW_KEY);
    }

    function _propose(Bank memory bank, address key) private {
        vm.prank(bank.key);
        registry.proposeKey(key);
    }

    function _confirm(address caller, address key) private {
        vm.prank(caller);
        registry.confirmKey(thaiBank.bic, key);
    }

    function _proposeRecovery(address key) private {
        vm.prank(THB_ISSUER);
        registry.proposeRecovery(thaiBank.bic, key);
    }

    function _confirmRecovery(address key) private {
        vm.prank(operator);
        registry.confirmRecovery(thaiBank.bic, key);
    }

    function _assertKey(address key, uint32 epoch) private view {
        IParticipantRegistry.Participant memory record = registry.participant(thaiBank.bic);
        vm.assertEq(record.key, key, "key");
        vm.assertEq(record.epoch, epoch, "epoch");
        vm.assertEq(bytes32(registry.activeParticipantOf(key)), bytes32(thaiBank.bic), "participant of the key");
    }

    function _expectNotProposed(address key) private {
        vm.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotProposed.selector, thaiBank.bic, key)
        );
    }

    function _expectNoRecovery(bytes11 bic, address key) private {
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantRecoveryNotProposed.selector, bic, key));
    }

    function _expectTooEarly(uint256 executableAt, uint256 nowS) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IParticipantRegistry.ParticipantRecoveryTooEarly.selector, thaiBank.bic, executableAt, nowS
            )
        );
    }

    function _notItsIssuer(address caller) private view returns (bytes memory) {
        return abi.encodeWithSelector(IParticipantRegistry.ParticipantNotItsIssuer.selector, caller, thaiBank.bic);
    }

    function _taken(address key, bytes11 holder) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyTaken.selector, key, holder);
    }
}

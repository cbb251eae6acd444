// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Refunding leg by leg, from the timelock on.
contract RefundTest is CorridorTest {
    function test_each_leg_is_refunded_by_itself_whoever_calls() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S);
        vm.expectEmit();
        emit IPvPSettlement.LegRefunded(id, 1, 1);
        vm.prank(STRANGER);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 1);
        _assertAccount(thb, thaiBank, OPENING, 0);
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
        _assertState(id, IPvPSettlement.State.Locked);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        _assertNothingMoved();
        _assertState(id, IPvPSettlement.State.Refunded);
    }

    // ----- TIME -------------------------------------------------------------------------------------------------

    function test_a_refund_one_second_before_the_timelock_is_refused() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementRefundTooEarly.selector, id, TIMELOCK_S, TIMELOCK_S - 1)
        );
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
    }

    function test_a_refund_at_the_timelock_succeeds() public {
        _refundAt(TIMELOCK_S);
    }

    function test_a_refund_one_second_after_the_timelock_succeeds() public {
        _refundAt(TIMELOCK_S + 1);
    }

    function test_a_refund_long_after_the_timelock_succeeds() public {
        _refundAt(TIMELOCK_S + 3650 days);
    }

    // ----- ONCE -------------------------------------------------------------------------------------------------

    function test_a_leg_is_refunded_once() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementLegNotLocked.selector, id, 0));
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
    }

    function test_a_refunded_obligation_is_not_refunded_again() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lock(hongKongBank, legs, _terms());
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementNotLocked.selector, id, IPvPSettlement.State.Refunded)
        );
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
    }

    function test_a_claim_after_a_refund_drains_no_other_lock() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        Leg[] memory others = _pvp();
        (others[0].amount, others[1].amount) = (1001, 4501);
        LockTerms memory longer = _terms();
        longer.timelock += 3600;
        _lockBoth(others, longer);
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        vm.expectPartialRevert(IPvPSettlement.SettlementClaimTooLate.selector);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 1);
        vm.expectPartialRevert(IPvPSettlement.SettlementNotLocked.selector);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertAccount(hkd, hongKongBank, OPENING, 1001);
        settlement.claim(INSTRUCTIONS, others, longer, PREIMAGE);
        _assertAccount(hkd, thaiBank, OPENING + 1001, 0);
    }

    function test_a_claimed_obligation_is_not_refunded() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        vm.warp(TIMELOCK_S);
        vm.expectPartialRevert(IPvPSettlement.SettlementNotLocked.selector);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        _assertPvpDone();
    }

    function test_a_settled_obligation_is_not_refunded() public {
        Leg[] memory legs = _pvp();
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, _bothSignGross(legs, DEADLINE_S));
        vm.warp(TIMELOCK_S);
        vm.expectPartialRevert(IPvPSettlement.SettlementNotLocked.selector);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
    }

    function test_a_leg_that_was_never_locked_is_not_refunded() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lock(hongKongBank, legs, _terms());
        vm.warp(TIMELOCK_S);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementLegNotLocked.selector, id, 1));
        settlement.refund(INSTRUCTIONS, legs, _terms(), 1);
    }

    function test_a_leg_that_does_not_exist_is_not_refunded() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S);
        uint256[4] memory indexes = [uint256(2), 16, 256, type(uint256).max];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementLegNotLocked.selector, id, indexes[i]));
            settlement.refund(INSTRUCTIONS, legs, _terms(), indexes[i]);
        }
    }

    function test_a_refund_under_other_terms_is_refused() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        LockTerms memory terms = _terms();
        terms.timelock = NOW_S;
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementTermsDiffer.selector, id));
        settlement.refund(INSTRUCTIONS, legs, terms, 0);
    }

    // ----- EXIT -------------------------------------------------------------------------------------------------

    function test_neither_suspension_nor_freeze_nor_pause_stops_a_refund() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        _suspend(hongKongBank);
        _freeze(hkd, hongKongBank);
        _pause(hkd);
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
    }

    function _refundAt(uint64 nowS) private {
        _lockBoth(_pvp(), _terms());
        vm.warp(nowS);
        settlement.refund(INSTRUCTIONS, _pvp(), _terms(), 0);
        settlement.refund(INSTRUCTIONS, _pvp(), _terms(), 1);
        _assertNothingMoved();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Batch, Leg, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {HostileToken} from "./HostileToken.sol";
import {vm} from "./Vm.sol";

/// @notice A token that calls back in the middle of a settlement gains nothing.
contract HostileTokenTest is CorridorTest {
    HostileToken private hostile;

    function setUp() public override {
        super.setUp();
        hostile = new HostileToken();
    }

    function test_a_settlement_is_not_entered_twice() public {
        Leg[] memory legs = _hostilePvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        bytes memory again = abi.encodeCall(settlement.settle, (INSTRUCTIONS, legs, DEADLINE_S, signatures));
        hostile.arm(address(settlement), again);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        vm.assertTrue(hostile.fired(), "the token called back");
        vm.assertFalse(hostile.succeeded(), "and was refused");
        _assertAccount(thb, hongKongBank, OPENING + 4500, 0);
    }

    function test_a_round_is_not_entered_twice() public {
        Batch memory batch = _batch();
        batch.tokens = new address[](2);
        (batch.tokens[0], batch.tokens[1]) = (address(hostile), address(thb));
        if (batch.tokens[0] > batch.tokens[1]) {
            (batch.tokens[0], batch.tokens[1]) = (batch.tokens[1], batch.tokens[0]);
        }
        Signature[] memory signatures = _bothSignNet(batch);
        Signature memory proposal = _proposal(batch);
        bytes memory again = abi.encodeCall(settlement.settleBatch, (batch, proposal, signatures));
        hostile.arm(address(settlement), again);
        vm.prank(operator);
        settlement.settleBatch(batch, proposal, signatures);
        vm.assertTrue(hostile.fired(), "the token called back");
        vm.assertFalse(hostile.succeeded(), "and was refused");
    }

    function test_a_claim_is_not_entered_twice() public {
        Leg[] memory legs = _hostilePvp();
        _lockBoth(legs, _terms());
        Leg[] memory others = _pvp();
        _lock(thaiBank, others, _terms());
        hostile.arm(address(settlement), abi.encodeCall(settlement.claim, (INSTRUCTIONS, legs, _terms(), PREIMAGE)));
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        vm.assertFalse(hostile.succeeded(), "the second claim was refused");
        _assertAccount(thb, thaiBank, OPENING - 4500, 4500);
    }

    function test_a_claim_inside_a_lock_pays_no_more_than_was_locked() public {
        Leg[] memory legs = _hostileFirst();
        hostile.arm(address(settlement), abi.encodeCall(settlement.claim, (INSTRUCTIONS, legs, _terms(), PREIMAGE)));
        Leg[] memory others = _pvp();
        _lock(hongKongBank, others, _terms());
        _lock(hongKongBank, legs, _terms());
        vm.assertTrue(hostile.succeeded(), "the claim came between the two holds");
        _assertState(_id(legs), IPvPSettlement.State.Claimed);
        _assertAccount(hkd, thaiBank, OPENING + 5, 0);
        // What the other obligation holds is still held.
        _assertAccount(hkd, hongKongBank, OPENING - 5, 1000);
    }

    function test_a_refund_is_not_entered_twice() public {
        Leg[] memory legs = _hostilePvp();
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S);
        hostile.arm(address(settlement), abi.encodeCall(settlement.refund, (INSTRUCTIONS, legs, _terms(), 0)));
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        vm.assertFalse(hostile.succeeded(), "the second refund was refused");
        _assertAccount(thb, thaiBank, OPENING, 4500);
    }

    function test_a_token_that_refuses_to_release_traps_no_other_leg() public {
        Leg[] memory legs = _hostilePvp();
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S);
        vm.etch(address(hostile), hex"fe");
        vm.expectRevert();
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 1);
        _assertAccount(thb, thaiBank, OPENING, 0);
    }

    /// @dev The Hong Kong bank pays in the hostile token, the Thai bank in THB.
    function _hostilePvp() private view returns (Leg[] memory legs) {
        legs = _pvp();
        legs[0].token = address(hostile);
    }

    /// @dev The Hong Kong bank pays one leg in the hostile token and, after it, one in HKD.
    function _hostileFirst() private view returns (Leg[] memory legs) {
        legs = new Leg[](2);
        legs[0] = Leg(hongKongBank.bic, secondHongKongBank.bic, THIS_CHAIN, address(hostile), 1);
        legs[1] = _leg(hongKongBank, thaiBank, hkd, 5);
    }
}

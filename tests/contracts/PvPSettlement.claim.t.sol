// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Claiming what is locked, with the preimage, before the timelock.
contract ClaimTest is CorridorTest {
    function test_a_claim_pays_all_legs_together_whoever_calls() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        bytes32 id = _id(legs);
        vm.expectEmit();
        emit IPvPSettlement.ObligationClaimed(id, 1, PREIMAGE);
        vm.prank(STRANGER);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertPvpDone();
        _assertState(id, IPvPSettlement.State.Claimed);
        vm.assertEq(settlement.obligation(id).lockedMask, 0, "legs still locked");
    }

    /// @dev No operator and no signature: each bank sends its own transactions.
    function test_two_banks_do_a_whole_pvp_on_one_ledger_by_their_own_transactions() public {
        Leg[] memory legs = _pvp();
        vm.prank(hongKongBank.key);
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, _none());
        vm.prank(thaiBank.key);
        settlement.lock(INSTRUCTIONS, legs, _terms(), thaiBank.bic, DEADLINE_S, _none());
        vm.prank(hongKongBank.key);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertPvpDone();
    }

    // ----- TIME -------------------------------------------------------------------------------------------------

    function test_a_leg_that_only_looks_like_the_way_back_of_the_one_before_is_paid_by_and_to_its_own_parties() public {
        Leg[] memory legs = new Leg[](2);
        legs[0] = _leg(hongKongBank, secondHongKongBank, hkd, 100);
        legs[1] = _leg(thaiBank, hongKongBank, thb, 450);
        _lockAndClaim(legs, hongKongBank, thaiBank);
        _assertAccount(thb, thaiBank, OPENING - 450, 0);
        _assertAccount(thb, hongKongBank, OPENING + 450, 0);
        legs[0] = _leg(hongKongBank, thaiBank, hkd, 200);
        legs[1] = _leg(thaiBank, secondThaiBank, thb, 30);
        _lockAndClaim(legs, hongKongBank, thaiBank);
        _assertAccount(thb, thaiBank, OPENING - 480, 0);
        _assertAccount(thb, secondThaiBank, OPENING + 30, 0);
    }

    function test_a_claim_one_second_before_the_timelock_succeeds() public {
        _lockBoth(_pvp(), _terms());
        vm.warp(TIMELOCK_S - 1);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_a_claim_at_the_timelock_is_refused() public {
        _refuseAt(TIMELOCK_S);
    }

    function test_a_claim_one_second_after_the_timelock_is_refused() public {
        _refuseAt(TIMELOCK_S + 1);
    }

    // ----- PREIMAGE ---------------------------------------------------------------------------------------------

    function test_the_hashlock_is_sha256_of_32_bytes() public {
        Leg[] memory legs = _pvp();
        LockTerms memory terms = _terms();
        terms.hashlock = 0x66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925;
        _lockBoth(legs, terms);
        settlement.claim(INSTRUCTIONS, legs, terms, bytes32(0));
        _assertPvpDone();
    }

    function test_a_wrong_preimage_is_refused() public {
        _lockBoth(_pvp(), _terms());
        bytes memory refusal = abi.encodeWithSelector(IPvPSettlement.SettlementPreimageWrong.selector, _id(_pvp()));
        vm.expectRevert(refusal);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE ^ bytes32(uint256(1)));
        vm.expectRevert(refusal);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), HASHLOCK);
    }

    // ----- ALL OR NONE ------------------------------------------------------------------------------------------

    function test_nothing_is_claimed_while_a_leg_is_missing() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lock(hongKongBank, legs, _terms());
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementLegsMissing.selector, id, 1, 3));
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
    }

    function test_an_obligation_is_claimed_once() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementNotLocked.selector, id, IPvPSettlement.State.Claimed)
        );
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
    }

    function test_an_obligation_never_locked_is_not_claimed() public {
        bytes32 id = _id(_pvp());
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementNotLocked.selector, id, IPvPSettlement.State.None)
        );
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
    }

    function test_a_claim_under_other_terms_is_refused() public {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        LockTerms memory terms = _terms();
        terms.timelock += 1;
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementTermsDiffer.selector, id));
        settlement.claim(INSTRUCTIONS, legs, terms, PREIMAGE);
    }

    function test_a_claim_cannot_steer_a_leg_to_another_payee() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        legs[0].payee = secondThaiBank.bic;
        vm.expectPartialRevert(IPvPSettlement.SettlementNotLocked.selector);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
    }

    // ----- NOTHING BUT TIME STOPS A CLAIM -----------------------------------------------------------------------

    function test_a_payer_suspended_after_locking_still_pays() public {
        _lockBoth(_pvp(), _terms());
        _suspend(hongKongBank);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_a_payee_suspended_after_the_lock_is_still_paid() public {
        _lockBoth(_pvp(), _terms());
        _suspend(thaiBank);
        vm.expectEmit();
        emit IERC20.Transfer(hongKongBank.key, thaiBank.key, 1000);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_parties_frozen_after_the_lock_pay_and_are_paid_and_the_credit_lands_frozen() public {
        _lockBoth(_pvp(), _terms());
        _freeze(hkd, hongKongBank);
        _freeze(hkd, thaiBank);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
        _assertPvpDone();
        vm.expectRevert(_frozen(hkd, thaiBank));
        vm.prank(thaiBank.key);
        hkd.transfer(hongKongBank.key, 1000);
    }

    function test_a_currency_paused_after_the_lock_stops_no_claim() public {
        _lockBoth(_pvp(), _terms());
        _pause(hkd);
        _pause(thb);
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_consents_revoked_after_the_lock_stop_no_claim() public {
        _lockBoth(_pvp(), _terms());
        vm.prank(hongKongBank.key);
        registry.revokeConsents();
        settlement.claim(INSTRUCTIONS, _pvp(), _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_other_locks_of_the_payer_stay_held() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        Leg[] memory others = _pvp();
        others[0].amount = 77;
        _lock(hongKongBank, others, _terms());
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertAccount(hkd, hongKongBank, OPENING - 1000, 77);
    }

    function _lockAndClaim(Leg[] memory legs, Bank memory one, Bank memory other) private {
        LockTerms memory terms = _terms();
        _lock(one, legs, terms);
        _lock(other, legs, terms);
        settlement.claim(INSTRUCTIONS, legs, terms, PREIMAGE);
    }

    function _refuseAt(uint64 nowS) private {
        Leg[] memory legs = _pvp();
        bytes32 id = _id(legs);
        _lockBoth(legs, _terms());
        vm.warp(nowS);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementClaimTooLate.selector, id, TIMELOCK_S, nowS));
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
    }
}


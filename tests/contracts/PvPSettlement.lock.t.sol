// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LegRules} from "../../contracts/LegRules.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Locking legs under a hashlock and a timelock, on one ledger and on two.
contract LockTest is CorridorTest {
    // ----- WHAT IT DOES -----------------------------------------------------------------------------------------

    function test_a_lock_holds_the_payers_leg_and_leaves_it_the_owner() public {
        Leg[] memory legs = _pvp();
        LockTerms memory terms = _terms();
        Signature memory signature = _signLock(hongKongBank, legs, terms);
        bytes32 id = _id(legs);
        vm.expectEmit();
        emit IPvPSettlement.LegLocked(
            id, 1, 0, hongKongBank.bic, thaiBank.bic, address(hkd), 1000, terms.hashlock, TIMELOCK_S
        );
        vm.prank(STRANGER);
        settlement.lock(INSTRUCTIONS, legs, terms, hongKongBank.bic, DEADLINE_S, signature);
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
        IPvPSettlement.ObligationRecord memory record = settlement.obligation(id);
        _assertState(id, IPvPSettlement.State.Locked);
        vm.assertEq(record.attempt, 1, "attempt");
        vm.assertEq(record.lockedMask, 1, "locked legs");
        vm.assertEq(bytes32(record.termsCommitment), bytes32(bytes25(typed.termsHash(terms))), "commitment");
    }

    function test_a_payer_locks_all_its_legs_at_once_and_nobody_elses() public {
        Leg[] memory legs = new Leg[](3);
        legs[0] = _leg(hongKongBank, secondHongKongBank, hkd, 10);
        legs[1] = _leg(hongKongBank, thaiBank, hkd, 20);
        legs[2] = _leg(thaiBank, hongKongBank, thb, 90);
        _lock(hongKongBank, legs, _terms());
        _assertAccount(hkd, hongKongBank, OPENING, 30);
        _assertAccount(thb, thaiBank, OPENING, 0);
        vm.assertEq(settlement.obligation(_id(legs)).lockedMask, 3, "locked legs");
    }

    function test_the_caller_consents_by_calling() public {
        Leg[] memory legs = _pvp();
        vm.prank(hongKongBank.key);
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, _none());
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
    }

    function test_a_contract_wallet_consents_beforehand() public {
        Leg[] memory legs = _pvp();
        bytes32 digest = _lockDigest(hongKongBank, legs, _terms(), DEADLINE_S);
        vm.prank(hongKongBank.key);
        settlement.approve(digest);
        vm.prank(STRANGER);
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, _none());
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
    }

    // ----- CONSENT ----------------------------------------------------------------------------------------------

    function test_the_other_payers_signature_is_no_consent() public {
        Leg[] memory legs = _pvp();
        Signature memory signature = _signLock(thaiBank, legs, _terms());
        _expectConsentMissing(hongKongBank, legs, _terms());
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, signature);
    }

    function test_a_consent_to_other_terms_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature memory signature = _signLock(hongKongBank, legs, _terms());
        LockTerms memory terms = _terms();
        terms.timelock += 1;
        _expectConsentMissing(hongKongBank, legs, terms);
        settlement.lock(INSTRUCTIONS, legs, terms, hongKongBank.bic, DEADLINE_S, signature);
    }

    function test_a_consent_to_settle_is_no_consent_to_lock() public {
        Leg[] memory legs = _pvp();
        Signature memory signature = _signGross(hongKongBank, legs, DEADLINE_S);
        _expectConsentMissing(hongKongBank, legs, _terms());
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, signature);
    }

    function test_a_revoked_consent_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature memory signature = _signLock(hongKongBank, legs, _terms());
        vm.prank(hongKongBank.key);
        registry.revokeConsents();
        _expectConsentMissing(hongKongBank, legs, _terms());
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, signature);
    }

    function test_a_consent_for_another_contract_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature memory signature = _signLock(hongKongBank, legs, _terms());
        settlement = _deploySettlement(registry);
        _expectConsentMissing(hongKongBank, legs, _terms());
        settlement.lock(INSTRUCTIONS, legs, _terms(), hongKongBank.bic, DEADLINE_S, signature);
    }

    function test_the_deadline_of_a_consent_is_exclusive_and_minutes_away() public {
        uint64[3] memory refused = [NOW_S - 1, NOW_S, NOW_S + 901];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IPvPSettlement.SettlementDeadlineRefused.selector, refused[i], NOW_S)
            );
            vm.prank(hongKongBank.key);
            settlement.lock(INSTRUCTIONS, _pvp(), _terms(), hongKongBank.bic, refused[i], _none());
        }
        vm.prank(hongKongBank.key);
        settlement.lock(INSTRUCTIONS, _pvp(), _terms(), hongKongBank.bic, NOW_S + 1, _none());
        vm.prank(thaiBank.key);
        settlement.lock(INSTRUCTIONS, _pvp(), _terms(), thaiBank.bic, NOW_S + 900, _none());
        vm.assertEq(settlement.obligation(_id(_pvp())).lockedMask, 3, "locked legs");
    }

    // ----- EVERYTHING IS CHECKED AT LOCK ------------------------------------------------------------------------

    function test_a_suspended_payer_cannot_lock() public {
        _suspend(hongKongBank);
        _expectRefused(_pvp(), _terms(), _notActive(hongKongBank));
    }

    function test_nothing_is_locked_for_a_suspended_payee() public {
        _suspend(thaiBank);
        _expectRefused(_pvp(), _terms(), _notActive(thaiBank));
    }

    function test_a_frozen_payer_cannot_lock() public {
        _freeze(hkd, hongKongBank);
        _expectRefused(_pvp(), _terms(), _frozen(hkd, hongKongBank));
    }

    function test_nothing_is_locked_for_a_frozen_payee() public {
        _freeze(hkd, thaiBank);
        _expectRefused(_pvp(), _terms(), _frozen(hkd, thaiBank));
    }

    function test_nothing_is_locked_in_a_paused_currency() public {
        _pause(hkd);
        _expectRefused(_pvp(), _terms(), _paused(hkd));
    }

    function test_an_amount_that_is_not_available_is_not_locked() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        legs[0].amount = OPENING - 999;
        _expectRefused(legs, _terms(), _insufficient(hkd, hongKongBank, OPENING - 1000, OPENING - 999));
        legs[0].amount = OPENING - 1000;
        _lock(hongKongBank, legs, _terms());
        _assertAccount(hkd, hongKongBank, OPENING, OPENING);
    }

    function test_who_pays_no_leg_here_locks_nothing() public {
        Leg[] memory legs = _pvp();
        Signature memory signature = _signLock(secondThaiBank, legs, _terms());
        bytes32 id = _id(legs);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementNoLegToLock.selector, id, secondThaiBank.bic));
        settlement.lock(INSTRUCTIONS, legs, _terms(), secondThaiBank.bic, DEADLINE_S, signature);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementNoLegToLock.selector, id, bytes11(0)));
        settlement.lock(INSTRUCTIONS, legs, _terms(), bytes11(0), DEADLINE_S, signature);
    }

    function test_legs_out_of_order_are_refused() public {
        Leg[] memory legs = _pvp();
        (legs[0], legs[1]) = (legs[1], legs[0]);
        _expectRefused(legs, _terms(), abi.encodeWithSelector(LegRules.SettlementLegOrderRefused.selector, 1));
    }

    // ----- WINDOW -----------------------------------------------------------------------------------------------

    function test_a_timelock_must_leave_ten_minutes() public {
        _expectTimelockRefused(NOW_S + 599);
        _lockUntil(NOW_S + 600, 1);
        _lockUntil(NOW_S + 601, 2);
    }

    function test_a_timelock_must_not_be_more_than_seven_days_away() public {
        _expectTimelockRefused(NOW_S + 7 days + 1);
        _lockUntil(NOW_S + 7 days, 1);
        _lockUntil(NOW_S + 7 days - 1, 2);
    }

    function test_who_joins_late_needs_ten_minutes_too() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        vm.warp(TIMELOCK_S - 599);
        Signature memory signature = _signLock(thaiBank, legs, _terms());
        vm.expectPartialRevert(LegRules.SettlementTimelockRefused.selector);
        settlement.lock(INSTRUCTIONS, legs, _terms(), thaiBank.bic, TIMELOCK_S + 1, signature);
        vm.warp(TIMELOCK_S - 600);
        _lock(thaiBank, legs, _terms());
        vm.assertEq(settlement.obligation(_id(legs)).lockedMask, 3, "locked legs");
    }

    // ----- ATTEMPTS ---------------------------------------------------------------------------------------------

    function test_the_first_attempt_is_number_one() public {
        LockTerms memory terms = _terms();
        terms.attempt = 0;
        _expectAttemptRefused(terms, 1);
        terms.attempt = 2;
        _expectAttemptRefused(terms, 1);
    }

    function test_an_attempt_is_joined_under_the_same_terms_only() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        for (uint256 field = 0; field < 3; ++field) {
            LockTerms memory terms = _terms();
            if (field == 0) terms.hashlock = sha256("another");
            if (field == 1) terms.timelock += 1;
            if (field == 2) terms.attempt = 2;
            Signature memory signature = _signLock(thaiBank, legs, terms);
            vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementTermsDiffer.selector, _id(legs)));
            settlement.lock(INSTRUCTIONS, legs, terms, thaiBank.bic, DEADLINE_S, signature);
        }
    }

    function test_a_leg_is_locked_once() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        _expectRefused(
            legs,
            _terms(),
            abi.encodeWithSelector(IPvPSettlement.SettlementAlreadyLocked.selector, _id(legs), hongKongBank.bic)
        );
    }

    function test_after_a_refund_a_second_attempt_needs_the_next_number_and_a_new_consent() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        LockTerms memory terms = _terms();
        terms.timelock = TIMELOCK_S + 3600;
        Signature memory signature = _signLock(hongKongBank, legs, terms);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementAttemptRefused.selector, _id(legs), 1, 2));
        settlement.lock(INSTRUCTIONS, legs, terms, hongKongBank.bic, TIMELOCK_S + 600, signature);
        terms.attempt = 2;
        _lock(hongKongBank, legs, terms);
        _lock(thaiBank, legs, terms);
        settlement.claim(INSTRUCTIONS, legs, terms, PREIMAGE);
        _assertPvpDone();
    }

    function test_an_expired_attempt_is_not_tried_again_before_every_leg_is_refunded() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        LockTerms memory terms = _terms();
        (terms.attempt, terms.timelock) = (2, TIMELOCK_S + 3600);
        Signature memory signature = _signLock(hongKongBank, legs, terms);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementTermsDiffer.selector, _id(legs)));
        settlement.lock(INSTRUCTIONS, legs, terms, hongKongBank.bic, TIMELOCK_S + 600, signature);
    }

    function test_a_discharged_obligation_is_not_locked_again() public {
        Leg[] memory legs = _pvp();
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, _bothSignGross(legs, DEADLINE_S));
        _expectRefused(
            legs,
            _terms(),
            abi.encodeWithSelector(
                IPvPSettlement.SettlementObligationNotOpen.selector, _id(legs), IPvPSettlement.State.Settled
            )
        );
    }

    function test_a_claimed_obligation_is_not_locked_again() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        LockTerms memory terms = _terms();
        terms.attempt = 2;
        _expectRefused(
            legs,
            terms,
            abi.encodeWithSelector(
                IPvPSettlement.SettlementObligationNotOpen.selector, _id(legs), IPvPSettlement.State.Claimed
            )
        );
    }

    // ----- TWO LEDGERS ------------------------------------------------------------------------------------------

    function test_the_lead_leg_is_locked_when_its_timelock_is_later_by_the_margin() public {
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherTimelock = TIMELOCK_S - 1799;
        _expectMarginRefused(terms);
        terms.otherTimelock = TIMELOCK_S - 1800;
        _lockAcross(terms, 1);
        terms.otherTimelock = TIMELOCK_S - 1801;
        _lockAcross(terms, 2);
    }

    function test_the_follow_leg_is_locked_when_its_timelock_is_earlier_by_the_margin() public {
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherTimelock = TIMELOCK_S + 1799;
        _expectMarginRefused(terms);
        terms.otherTimelock = TIMELOCK_S + 1800;
        _lockAcross(terms, 1);
        terms.otherTimelock = TIMELOCK_S + 1801;
        _lockAcross(terms, 2);
    }

    function test_legs_of_a_pair_on_two_ledgers_ascend_by_chain_id() public {
        Leg[] memory legs = new Leg[](2);
        legs[0] = _leg(hongKongBank, thaiBank, hkd, 1000);
        legs[1] = _leg(hongKongBank, thaiBank, hkd, 1000);
        legs[0].chainId = OTHER_CHAIN;
        LockTerms memory terms = LockTerms(1, HASHLOCK, TIMELOCK_S, OTHER_CHAIN, OTHER_SETTLEMENT, TIMELOCK_S - 1800);
        _lock(hongKongBank, legs, terms);
        _assertAccount(hkd, hongKongBank, OPENING, 1000);
        (legs[0], legs[1]) = (legs[1], legs[0]);
        _expectRefused(legs, terms, abi.encodeWithSelector(LegRules.SettlementLegOrderRefused.selector, 1));
    }

    function test_equal_timelocks_on_two_ledgers_are_refused() public {
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherTimelock = terms.timelock;
        _expectMarginRefused(terms);
    }

    function test_the_largest_timelock_of_the_other_ledger_does_not_overflow() public {
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherTimelock = type(uint64).max;
        _lockAcross(terms, 1);
    }

    function test_two_lead_payers_are_refused() public {
        Leg[] memory legs = _acrossWithTwoHkdPayers();
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherTimelock = TIMELOCK_S - 1800;
        _expectRefused(legs, terms, abi.encodeWithSelector(LegRules.SettlementLeadPayerRefused.selector, 1));
    }

    function test_two_follow_payers_are_allowed() public {
        Leg[] memory legs = _acrossWithTwoHkdPayers();
        _lock(hongKongBank, legs, _twoLedgerTerms());
        _lock(secondHongKongBank, legs, _twoLedgerTerms());
        vm.assertEq(settlement.obligation(_id(legs)).lockedMask, 3, "locked legs");
    }

    function test_two_lead_payers_on_the_other_ledger_are_refused() public {
        Leg[] memory legs = new Leg[](3);
        legs[0] = _leg(hongKongBank, thaiBank, hkd, 1000);
        legs[1] = Leg(thaiBank.bic, hongKongBank.bic, OTHER_CHAIN, address(0x7070), 1);
        legs[2] = Leg(secondThaiBank.bic, hongKongBank.bic, OTHER_CHAIN, address(0x7070), 1);
        _expectRefused(legs, _twoLedgerTerms(), abi.encodeWithSelector(LegRules.SettlementLeadPayerRefused.selector, 2));
    }

    function test_a_leg_on_a_third_ledger_is_refused() public {
        Leg[] memory legs = _across();
        legs[1].chainId = 8;
        _expectRefused(legs, _twoLedgerTerms(), abi.encodeWithSelector(LegRules.SettlementLegElsewhere.selector, 1, 8));
    }

    function test_the_other_ledger_must_be_another() public {
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherChainId = THIS_CHAIN;
        _expectOtherLedgerRefused(_across(), terms);
    }

    function test_the_other_ledgers_contract_must_be_named() public {
        LockTerms memory terms = _twoLedgerTerms();
        terms.otherSettlement = address(0);
        _expectOtherLedgerRefused(_across(), terms);
    }

    function test_the_other_ledger_must_carry_a_leg() public {
        _expectOtherLedgerRefused(_pvp(), _twoLedgerTerms());
    }

    function test_terms_for_one_ledger_say_nothing_of_another() public {
        LockTerms memory terms = _terms();
        terms.otherSettlement = OTHER_SETTLEMENT;
        _expectOtherLedgerRefused(_pvp(), terms);
        terms = _terms();
        terms.otherTimelock = TIMELOCK_S + 1800;
        _expectOtherLedgerRefused(_pvp(), terms);
    }

    function test_terms_for_one_ledger_lock_no_leg_of_another() public {
        _expectRefused(
            _across(), _terms(), abi.encodeWithSelector(LegRules.SettlementLegElsewhere.selector, 1, OTHER_CHAIN)
        );
    }

    function test_a_payer_on_the_other_ledger_has_nothing_to_lock_here() public {
        Leg[] memory legs = _across();
        Signature memory signature = _signLock(thaiBank, legs, _twoLedgerTerms());
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementNoLegToLock.selector, _id(legs), thaiBank.bic));
        settlement.lock(INSTRUCTIONS, legs, _twoLedgerTerms(), thaiBank.bic, DEADLINE_S, signature);
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    /// @dev HKD on this ledger, THB on the other.
    function _across() private view returns (Leg[] memory legs) {
        legs = _pvp();
        (legs[1].chainId, legs[1].token) = (OTHER_CHAIN, address(0x7070));
    }

    function _acrossWithTwoHkdPayers() private view returns (Leg[] memory legs) {
        legs = new Leg[](3);
        legs[0] = _leg(hongKongBank, thaiBank, hkd, 1000);
        legs[1] = _leg(secondHongKongBank, thaiBank, hkd, 1000);
        legs[2] = Leg(thaiBank.bic, hongKongBank.bic, OTHER_CHAIN, address(0x7070), 9000);
    }

    /// @dev This ledger follows.
    function _twoLedgerTerms() private view returns (LockTerms memory terms) {
        terms = _terms();
        terms.otherChainId = OTHER_CHAIN;
        terms.otherSettlement = OTHER_SETTLEMENT;
        terms.otherTimelock = TIMELOCK_S + 1800;
    }

    function _lockAcross(LockTerms memory terms, uint256 amount) private {
        Leg[] memory legs = _across();
        legs[0].amount = amount;
        _lock(hongKongBank, legs, terms);
        _assertState(_id(legs), IPvPSettlement.State.Locked);
    }

    function _lockUntil(uint64 timelock, uint256 amount) private {
        Leg[] memory legs = _pvp();
        legs[0].amount = amount;
        LockTerms memory terms = _terms();
        terms.timelock = timelock;
        _lock(hongKongBank, legs, terms);
        _assertState(_id(legs), IPvPSettlement.State.Locked);
    }

    function _expectTimelockRefused(uint64 timelock) private {
        LockTerms memory terms = _terms();
        terms.timelock = timelock;
        _expectRefused(
            _pvp(),
            terms,
            abi.encodeWithSelector(LegRules.SettlementTimelockRefused.selector, timelock, NOW_S + 600, NOW_S + 7 days)
        );
    }

    function _expectAttemptRefused(LockTerms memory terms, uint256 required) private {
        bytes32 id = _id(_pvp());
        _expectRefused(
            _pvp(),
            terms,
            abi.encodeWithSelector(IPvPSettlement.SettlementAttemptRefused.selector, id, terms.attempt, required)
        );
    }

    function _expectMarginRefused(LockTerms memory terms) private {
        _expectRefused(
            _across(),
            terms,
            abi.encodeWithSelector(LegRules.SettlementMarginRefused.selector, terms.timelock, terms.otherTimelock)
        );
    }

    function _expectOtherLedgerRefused(Leg[] memory legs, LockTerms memory terms) private {
        _expectRefused(
            legs, terms, abi.encodeWithSelector(LegRules.SettlementOtherLedgerRefused.selector, terms.otherChainId)
        );
    }

    /// @dev The Hong Kong bank consents, and its lock is refused nonetheless.
    function _expectRefused(Leg[] memory legs, LockTerms memory terms, bytes memory error) private {
        Signature memory signature = _signLock(hongKongBank, legs, terms);
        vm.expectRevert(error);
        settlement.lock(INSTRUCTIONS, legs, terms, hongKongBank.bic, DEADLINE_S, signature);
    }

    function _expectConsentMissing(Bank memory bank, Leg[] memory legs, LockTerms memory terms) private {
        bytes32 digest = _lockDigest(bank, legs, terms, DEADLINE_S);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, bank.bic, digest));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {LegRules} from "../../contracts/LegRules.sol";
import {Leg, LockTerms, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice A PvP whose HKD leg lies on this ledger (lead) and whose THB leg lies on another (follow), by two banks
/// alone. Both ledgers live in one machine here and are told apart by their chain id.
contract TwoLedgersTest is CorridorTest {
    IPvPSettlement private leadSettlement;
    IPvPSettlement private followSettlement;
    IParticipantRegistry private leadRegistry;
    IParticipantRegistry private followRegistry;
    IDepositToken private followThb;
    uint64 private constant FOLLOW_TIMELOCK_S = TIMELOCK_S - 1800;

    function setUp() public override {
        super.setUp();
        leadSettlement = settlement;
        leadRegistry = registry;
        vm.chainId(OTHER_CHAIN);
        registry = _deployRegistry();
        followRegistry = registry;
        followSettlement = _deploySettlement(registry);
        followThb = _deployToken("THB", THB_ISSUER, registry, followSettlement);
        _admit(hongKongBank.bic, "HKBA0000000000000001", hongKongBank.secret);
        _admit(thaiBank.bic, "THBA0000000000000003", thaiBank.secret);
        _open(followThb, THB_ISSUER, thaiBank, hongKongBank);
        (registry, settlement) = (leadRegistry, leadSettlement);
        vm.chainId(THIS_CHAIN);
    }

    function test_one_preimage_discharges_both_legs() public {
        _lockOnBoth();
        _onFollow();
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _assertAccount(followThb, hongKongBank, OPENING + 4500, 0);
        _onLead();
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
    }

    function test_the_obligation_has_one_id_on_both_ledgers() public {
        _lockOnBoth();
        bytes32 id = _id(_across());
        vm.assertEq(uint256(leadSettlement.obligation(id).state), uint256(IPvPSettlement.State.Locked), "lead");
        vm.assertEq(uint256(followSettlement.obligation(id).state), uint256(IPvPSettlement.State.Locked), "follow");
    }

    function test_the_follow_payee_that_claims_at_its_last_second_leaves_the_margin_to_the_lead_payee() public {
        _lockOnBoth();
        _onFollow();
        vm.warp(FOLLOW_TIMELOCK_S - 1);
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _onLead();
        vm.warp(TIMELOCK_S - 1);
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
    }

    function test_both_legs_are_refunded_if_the_preimage_stays_secret() public {
        _lockOnBoth();
        vm.warp(TIMELOCK_S);
        _onFollow();
        settlement.refund(INSTRUCTIONS, _across(), _followTerms(), 1);
        _onLead();
        settlement.refund(INSTRUCTIONS, _across(), _leadTerms(), 0);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertAccount(followThb, thaiBank, OPENING, 0);
    }

    function test_a_lead_payer_that_waits_until_the_follow_leg_is_refunded_loses_by_it_alone() public {
        _lockOnBoth();
        vm.warp(FOLLOW_TIMELOCK_S);
        _onFollow();
        settlement.refund(INSTRUCTIONS, _across(), _followTerms(), 1);
        _onLead();
        vm.prank(hongKongBank.key);
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertAccount(hkd, hongKongBank, OPENING - 1000, 0);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
        _assertAccount(followThb, thaiBank, OPENING, 0);
    }

    function test_a_consent_for_one_ledger_locks_nothing_on_the_other() public {
        bytes32 digest = _lockDigest(thaiBank, _across(), _followTerms(), DEADLINE_S);
        _onFollow();
        bytes32 required = _lockDigest(thaiBank, _across(), _followTerms(), DEADLINE_S);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, thaiBank.bic, required)
        );
        settlement.lock(
            INSTRUCTIONS, _across(), _followTerms(), thaiBank.bic, DEADLINE_S, _sign(thaiBank.secret, digest)
        );
    }

    function test_a_leg_is_refunded_only_on_its_own_ledger() public {
        _lockOnBoth();
        vm.warp(TIMELOCK_S);
        bytes32 id = _id(_across());
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementLegNotLocked.selector, id, 1));
        settlement.refund(INSTRUCTIONS, _across(), _leadTerms(), 1);
    }

    // ----- TWO BANKS ALONE, FROM BEGINNING TO END ---------------------------------------------------------------

    /// @dev No operator and no signature: each bank sends its own transactions and reads the other ledger.
    function test_two_banks_do_a_whole_pvp_across_two_ledgers_by_their_own_transactions() public {
        bytes32 id = _id(_across());
        _lockByItself(hongKongBank, _leadTerms());
        vm.assertEq(uint256(leadSettlement.obligation(id).lockedMask), 1, "the Thai bank sees the lead leg locked");
        _onFollow();
        _lockByItself(thaiBank, _followTerms());
        vm.assertEq(
            uint256(followSettlement.obligation(id).lockedMask), 2, "the Hong Kong bank sees the follow leg locked"
        );
        vm.prank(hongKongBank.key);
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _onLead();
        vm.prank(thaiBank.key);
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertDoneOnBoth(id);
    }

    function test_the_order_of_the_two_claims_does_not_matter_once_the_preimage_is_out() public {
        bytes32 id = _id(_across());
        _lockOnBoth();
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _onFollow();
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _assertDoneOnBoth(id);
    }

    function test_the_lead_ledger_may_be_the_one_whose_legs_come_second() public {
        _onFollow();
        LockTerms memory later =
            LockTerms(1, HASHLOCK, TIMELOCK_S, THIS_CHAIN, address(leadSettlement), FOLLOW_TIMELOCK_S);
        _lock(thaiBank, _across(), later);
        _onLead();
        LockTerms memory earlier =
            LockTerms(1, HASHLOCK, FOLLOW_TIMELOCK_S, OTHER_CHAIN, address(followSettlement), TIMELOCK_S);
        _lock(hongKongBank, _across(), earlier);
        settlement.claim(INSTRUCTIONS, _across(), earlier, PREIMAGE);
        _onFollow();
        settlement.claim(INSTRUCTIONS, _across(), later, PREIMAGE);
        _assertDoneOnBoth(_id(_across()));
    }

    function test_both_ledgers_refuse_a_margin_that_is_a_second_short() public {
        LockTerms memory lead = _leadTerms();
        LockTerms memory follow = _followTerms();
        (lead.otherTimelock, follow.timelock) = (FOLLOW_TIMELOCK_S + 1, FOLLOW_TIMELOCK_S + 1);
        _expectMarginRefused(hongKongBank, lead);
        _onFollow();
        _expectMarginRefused(thaiBank, follow);
    }

    function test_both_ledgers_take_a_margin_that_is_exact_or_a_second_longer() public {
        for (uint64 longer = 0; longer < 2; ++longer) {
            LockTerms memory lead = _leadTerms();
            LockTerms memory follow = _followTerms();
            (lead.otherTimelock, follow.timelock) = (FOLLOW_TIMELOCK_S - longer, FOLLOW_TIMELOCK_S - longer);
            (lead.attempt, follow.attempt) = (uint32(1 + longer), uint32(1 + longer));
            _onLead();
            _lock(hongKongBank, _across(), lead);
            _onFollow();
            _lock(thaiBank, _across(), follow);
            vm.warp(TIMELOCK_S);
            settlement.refund(INSTRUCTIONS, _across(), follow, 1);
            _onLead();
            settlement.refund(INSTRUCTIONS, _across(), lead, 0);
            vm.warp(NOW_S);
        }
    }

    function test_both_ledgers_refuse_a_second_payer_on_the_lead_ledger() public {
        Leg[] memory legs = new Leg[](3);
        (legs[0], legs[2]) = (_across()[0], _across()[1]);
        legs[1] = _leg(secondHongKongBank, thaiBank, hkd, 10);
        bytes memory refused = abi.encodeWithSelector(LegRules.SettlementLeadPayerRefused.selector, 1);
        Signature memory signature = _signLock(hongKongBank, legs, _leadTerms());
        vm.expectRevert(refused);
        settlement.lock(INSTRUCTIONS, legs, _leadTerms(), hongKongBank.bic, DEADLINE_S, signature);
        _onFollow();
        signature = _signLock(thaiBank, legs, _followTerms());
        vm.expectRevert(refused);
        settlement.lock(INSTRUCTIONS, legs, _followTerms(), thaiBank.bic, DEADLINE_S, signature);
    }

    /// @dev Each contract can only judge what it is told: that both ledgers were told the same, the agents check.
    function test_two_payers_that_both_call_themselves_lead_are_told_apart_by_what_the_ledgers_show() public {
        _lock(hongKongBank, _across(), _leadTerms());
        _onFollow();
        LockTerms memory alsoLead =
            LockTerms(1, HASHLOCK, TIMELOCK_S, THIS_CHAIN, address(leadSettlement), FOLLOW_TIMELOCK_S);
        _lock(thaiBank, _across(), alsoLead);
        bytes32 id = _id(_across());
        bytes25 shown = followSettlement.obligation(id).termsCommitment;
        vm.assertFalse(shown == bytes25(typed.termsHash(_followTerms())), "not the mirror of the lead ledger's terms");
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, _across(), alsoLead, 1);
        _onLead();
        settlement.refund(INSTRUCTIONS, _across(), _leadTerms(), 0);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertAccount(followThb, thaiBank, OPENING, 0);
    }

    function test_what_expired_on_both_ledgers_is_tried_again_under_the_next_attempt() public {
        _lockOnBoth();
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, _across(), _leadTerms(), 0);
        _onFollow();
        settlement.refund(INSTRUCTIONS, _across(), _followTerms(), 1);
        LockTerms memory follow = _followTerms();
        (follow.attempt, follow.timelock, follow.otherTimelock) = (2, TIMELOCK_S + 1800, TIMELOCK_S + 3600);
        LockTerms memory lead = _leadTerms();
        (lead.attempt, lead.timelock, lead.otherTimelock) = (2, TIMELOCK_S + 3600, TIMELOCK_S + 1800);
        _onLead();
        _lock(hongKongBank, _across(), lead);
        _onFollow();
        _lock(thaiBank, _across(), follow);
        settlement.claim(INSTRUCTIONS, _across(), follow, PREIMAGE);
        _onLead();
        settlement.claim(INSTRUCTIONS, _across(), lead, PREIMAGE);
        _assertDoneOnBoth(_id(_across()));
    }

    // ----- THE COUNTERPARTY IS STOPPED BETWEEN THE TWO CLAIMS ---------------------------------------------------

    function test_a_lead_payee_suspended_between_the_two_claims_is_paid() public {
        _claimFollow();
        _suspend(thaiBank);
        _claimLead();
    }

    function test_a_lead_payer_suspended_between_the_two_claims_pays() public {
        _claimFollow();
        _suspend(hongKongBank);
        _claimLead();
    }

    function test_a_lead_payee_frozen_between_the_two_claims_is_paid_into_the_frozen_account() public {
        _claimFollow();
        _freeze(hkd, thaiBank);
        _claimLead();
        (,, bool frozen) = hkd.accountOf(thaiBank.bic);
        vm.assertTrue(frozen, "the credit lands frozen");
    }

    function test_a_currency_paused_between_the_two_claims_stops_nothing() public {
        _claimFollow();
        _pause(hkd);
        _claimLead();
    }

    function test_a_lead_payee_whose_key_changes_between_the_two_claims_is_paid_under_its_new_key() public {
        _claimFollow();
        address newKey = vm.addr(0x2E3);
        vm.prank(thaiBank.key);
        registry.proposeKey(newKey);
        vm.prank(THB_ISSUER);
        registry.confirmKey(thaiBank.bic, newKey);
        _claimLead();
        vm.assertEq(hkd.balanceOf(newKey), OPENING + 1000, "the identity's balance");
    }

    function test_a_lead_payer_that_moves_its_key_between_the_two_claims_escapes_nothing() public {
        _claimFollow();
        address newKey = vm.addr(0x2E3);
        vm.prank(hongKongBank.key);
        registry.proposeKey(newKey);
        vm.prank(HKD_ISSUER);
        registry.confirmKey(hongKongBank.bic, newKey);
        _claimLead();
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _across() private view returns (Leg[] memory legs) {
        legs = _pvp();
        (legs[1].chainId, legs[1].token) = (OTHER_CHAIN, address(followThb));
    }

    function _leadTerms() private view returns (LockTerms memory) {
        return LockTerms(1, HASHLOCK, TIMELOCK_S, OTHER_CHAIN, address(followSettlement), FOLLOW_TIMELOCK_S);
    }

    function _followTerms() private view returns (LockTerms memory) {
        return LockTerms(1, HASHLOCK, FOLLOW_TIMELOCK_S, THIS_CHAIN, address(leadSettlement), TIMELOCK_S);
    }

    function _lockOnBoth() private {
        _lock(hongKongBank, _across(), _leadTerms());
        _onFollow();
        _lock(thaiBank, _across(), _followTerms());
        _onLead();
    }

    /// @dev The bank calls by itself: no signature, nobody between.
    function _lockByItself(Bank memory bank, LockTerms memory terms) private {
        vm.prank(bank.key);
        settlement.lock(INSTRUCTIONS, _across(), terms, bank.bic, DEADLINE_S, _none());
    }

    function _expectMarginRefused(Bank memory bank, LockTerms memory terms) private {
        Leg[] memory legs = _across();
        Signature memory signature = _signLock(bank, legs, terms);
        vm.expectRevert(
            abi.encodeWithSelector(LegRules.SettlementMarginRefused.selector, terms.timelock, terms.otherTimelock)
        );
        settlement.lock(INSTRUCTIONS, legs, terms, bank.bic, DEADLINE_S, signature);
    }

    /// @dev The lead payer takes the follow leg: from now on the preimage is public.
    function _claimFollow() private {
        _lockOnBoth();
        _onFollow();
        vm.prank(hongKongBank.key);
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _onLead();
    }

    function _claimLead() private {
        vm.warp(TIMELOCK_S - 1);
        vm.prank(STRANGER);
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertDoneOnBoth(_id(_across()));
    }

    function _assertDoneOnBoth(bytes32 id) private view {
        vm.assertEq(uint256(leadSettlement.obligation(id).state), uint256(IPvPSettlement.State.Claimed), "lead");
        vm.assertEq(uint256(followSettlement.obligation(id).state), uint256(IPvPSettlement.State.Claimed), "follow");
        _assertAccount(hkd, hongKongBank, OPENING - 1000, 0);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
        _assertAccount(followThb, hongKongBank, OPENING + 4500, 0);
        _assertAccount(followThb, thaiBank, OPENING - 4500, 0);
    }

    function _onLead() private {
        vm.chainId(THIS_CHAIN);
        (settlement, registry) = (leadSettlement, leadRegistry);
    }

    function _onFollow() private {
        vm.chainId(OTHER_CHAIN);
        (settlement, registry) = (followSettlement, followRegistry);
    }
}

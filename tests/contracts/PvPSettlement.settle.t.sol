// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {LegRules} from "../../contracts/LegRules.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Leg, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {TypedDataHarness} from "./TypedDataHarness.sol";
import {vm} from "./Vm.sol";

/// @notice Gross settlement of one obligation.
contract SettleTest is CorridorTest {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    // The curve's base point: what a signature with the nonce 1 begins with. Its y is even.
    uint256 private constant BASE_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;

    // ----- WHAT IT DOES -----------------------------------------------------------------------------------------

    function test_both_legs_of_a_pvp_move_together_on_both_consents_and_no_supply_changes() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        bytes32 id = _id(legs);
        vm.expectEmit();
        emit IPvPSettlement.ObligationSettled(id);
        vm.prank(STRANGER);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertPvpDone();
        _assertState(id, IPvPSettlement.State.Settled);
        vm.assertEq(hkd.totalSupply(), 4 * OPENING, "supply");
    }

    function test_a_plain_transfer_is_an_obligation_of_one_leg() public {
        Leg[] memory legs = _one(_leg(hongKongBank, secondHongKongBank, hkd, 7));
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertAccount(hkd, hongKongBank, OPENING - 7, 0);
    }

    function test_a_payer_of_two_legs_signs_once() public {
        Leg[] memory legs = new Leg[](2);
        legs[0] = _leg(hongKongBank, secondHongKongBank, hkd, 5);
        legs[1] = _leg(hongKongBank, thaiBank, hkd, 6);
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertAccount(hkd, hongKongBank, OPENING - 11, 0);
    }

    function test_a_payment_through_an_fx_provider_moves_three_legs_together() public {
        Leg[] memory legs = new Leg[](3);
        legs[0] = _leg(hongKongBank, secondHongKongBank, hkd, 100);
        legs[1] = _leg(secondHongKongBank, thaiBank, thb, 450);
        legs[2] = _leg(thaiBank, secondThaiBank, thb, 440);
        Signature[] memory signatures = new Signature[](3);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        signatures[1] = _signGross(secondHongKongBank, legs, DEADLINE_S);
        signatures[2] = _signGross(thaiBank, legs, DEADLINE_S);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertAccount(thb, thaiBank, OPENING + 10, 0);
        _assertAccount(thb, secondThaiBank, OPENING + 440, 0);
    }

    function test_sixteen_legs_settle_and_seventeen_are_refused() public {
        Leg[] memory legs = _manyLegs(16);
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertState(_id(legs), IPvPSettlement.State.Settled);
        legs = _manyLegs(17);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        vm.expectRevert(abi.encodeWithSelector(LegRules.SettlementLegCountRefused.selector, 17));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    // ----- DEADLINE ---------------------------------------------------------------------------------------------

    function test_a_consent_is_valid_one_second_before_its_deadline() public {
        _settleWithDeadline(NOW_S + 1);
        _assertPvpDone();
    }

    function test_a_consent_is_refused_at_its_deadline() public {
        _refuseDeadline(NOW_S);
    }

    function test_a_consent_is_refused_one_second_after_its_deadline() public {
        _refuseDeadline(NOW_S - 1);
    }

    function test_a_consent_may_run_for_fifteen_minutes_less_a_second() public {
        _settleWithDeadline(NOW_S + 899);
        _assertPvpDone();
    }

    function test_a_consent_may_run_for_fifteen_minutes() public {
        _settleWithDeadline(NOW_S + 900);
        _assertPvpDone();
    }

    function test_a_consent_may_not_run_for_fifteen_minutes_and_a_second() public {
        _refuseDeadline(NOW_S + 901);
    }

    function test_a_consent_is_for_the_deadline_it_names() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S - 1);
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    // ----- CONSENT ----------------------------------------------------------------------------------------------

    function test_a_strangers_signature_is_no_consent() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _sign(0xDEAD, _grossDigest(thaiBank, legs, DEADLINE_S));
        _expectConsentMissing(thaiBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_one_payers_signature_is_not_anothers_consent() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = signatures[0];
        _expectConsentMissing(thaiBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_consent_to_one_amount_is_no_consent_to_another() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        legs[0].amount += 1;
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_consent_to_one_payee_is_no_consent_to_another() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        legs[0].payee = secondThaiBank.bic;
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_consent_covers_the_instructions() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(keccak256("other instructions"), legs, DEADLINE_S, signatures);
    }

    function test_a_consent_is_used_once() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _expectNotOpen(legs, IPvPSettlement.State.Settled);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_revoked_consent_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        _expectConsentMissing(thaiBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    function test_a_consent_given_after_a_revocation_is_valid() public {
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        _settleWithDeadline(DEADLINE_S);
        _assertPvpDone();
    }

    function test_a_consent_for_another_chain_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = new Signature[](2);
        TypedDataHarness.Domain memory elsewhere = TypedDataHarness.Domain(OTHER_CHAIN, address(settlement));
        bytes32 digest = typed.grossDigest(elsewhere, hongKongBank.bic, 0, DEADLINE_S, _id(legs));
        signatures[0] = _sign(hongKongBank.secret, digest);
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_after_a_fork_old_consents_settle_nothing_on_the_new_chain() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.chainId(OTHER_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(LegRules.SettlementLegElsewhere.selector, 0, THIS_CHAIN));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_consent_for_another_contract_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        IPvPSettlement another = _deploySettlement(registry);
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        another.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_consent_to_lock_is_no_consent_to_settle() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[0] = _sign(hongKongBank.secret, _lockDigest(hongKongBank, legs, _terms(), DEADLINE_S));
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_malleated_signature_is_refused() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        uint256 s = uint256(signatures[0].vs) & (type(uint256).max >> 1);
        uint256 parity = uint256(signatures[0].vs) >> 255;
        signatures[0].vs = bytes32((CURVE_ORDER - s) | ((1 - parity) << 255));
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    /// @dev Nearly every high s has no room in the compact form. This one has: a key is made to which a signature with
    /// the highest low s belongs. Its other half is one more.
    function test_a_high_s_that_the_compact_form_has_room_for_is_refused() public {
        Leg[] memory legs = _one(Leg("HKTHHKHHXXX", thaiBank.bic, THIS_CHAIN, address(hkd), 1000));
        bytes32 digest = typed.grossDigest(_domain(), legs[0].payer, _epoch(secondHongKongBank), DEADLINE_S, _id(legs));
        uint256 low = CURVE_ORDER / 2;
        uint256 difference = addmod(low, CURVE_ORDER - uint256(digest) % CURVE_ORDER, CURVE_ORDER);
        uint256 secret = mulmod(difference, _inverse(BASE_X), CURVE_ORDER);
        Bank memory third = _admit(legs[0].payer, "HKTHHKHHXXX000000000", secret);
        vm.prank(HKD_ISSUER);
        hkd.issue(third.bic, 1000, "third");
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = Signature(bytes32(BASE_X), bytes32((CURVE_ORDER - low) | (1 << 255)));
        _expectConsentMissing(third, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        signatures[0].vs = bytes32(low);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertAccount(hkd, third, 0, 0);
    }

    function test_a_signature_that_recovers_to_zero_is_nobodys() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[0] = Signature(bytes32(0), bytes32(uint256(1)));
        _expectConsentMissing(hongKongBank, legs);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_missing_signature_is_no_consent_of_somebody_else_than_the_caller() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        _expectConsentMissing(thaiBank, legs);
        vm.prank(hongKongBank.key);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_the_caller_consents_by_calling() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[0] = _none();
        vm.prank(hongKongBank.key);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertPvpDone();
    }

    function test_too_few_or_too_many_signatures_are_refused() public {
        Leg[] memory legs = _pvp();
        Signature[] memory one = new Signature[](1);
        one[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementSignatureCountRefused.selector, 1, 2));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, one);
        Signature[] memory three = new Signature[](3);
        (three[0], three[1]) = (one[0], _signGross(thaiBank, legs, DEADLINE_S));
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementSignatureCountRefused.selector, 3, 2));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, three);
    }

    // ----- PARTIES ----------------------------------------------------------------------------------------------

    function test_a_suspended_payer_settles_nothing() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _suspend(hongKongBank);
        vm.expectRevert(_notActive(hongKongBank));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_suspended_payee_is_paid_nothing() public {
        Leg[] memory legs = _one(_leg(hongKongBank, thaiBank, hkd, 1));
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        _suspend(thaiBank);
        vm.expectRevert(_notActive(thaiBank));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_an_unlisted_payee_is_paid_nothing() public {
        Bank memory unlisted = Bank("HKBZHKHHXXX", 0xE1, vm.addr(0xE1));
        Leg[] memory legs = _one(_leg(hongKongBank, unlisted, hkd, 1));
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        vm.expectRevert(_notActive(unlisted));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_an_unlisted_payer_settles_nothing() public {
        Bank memory unlisted = Bank("HKBZHKHHXXX", 0xE1, vm.addr(0xE1));
        Leg[] memory legs = _one(_leg(unlisted, thaiBank, hkd, 1));
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(unlisted, legs, DEADLINE_S);
        vm.expectRevert(_notActive(unlisted));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_freeze_names_party_and_token() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _freeze(thb, hongKongBank);
        vm.expectRevert(_frozen(thb, hongKongBank));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    function test_a_frozen_payer_pays_nothing() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _freeze(hkd, hongKongBank);
        vm.expectRevert(_frozen(hkd, hongKongBank));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_paused_currency_settles_nothing() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _pause(thb);
        vm.expectRevert(_paused(thb));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    function test_a_freeze_in_another_currency_does_not_matter() public {
        _freeze(thb, hongKongBank);
        Leg[] memory legs = _one(_leg(hongKongBank, thaiBank, hkd, 1));
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertAccount(hkd, thaiBank, OPENING + 1, 0);
    }

    // ----- LIQUIDITY --------------------------------------------------------------------------------------------

    function test_an_overdraft_is_refused_with_the_facts() public {
        Leg[] memory legs = _pvp();
        legs[1].amount = OPENING + 1;
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectRevert(_insufficient(thb, thaiBank, OPENING, OPENING + 1));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    function test_the_whole_balance_can_be_paid() public {
        Leg[] memory legs = _pvp();
        legs[1].amount = OPENING;
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, _bothSignGross(legs, DEADLINE_S));
        _assertAccount(thb, thaiBank, 0, 0);
    }

    function test_a_held_amount_cannot_be_paid_again() public {
        _lock(hongKongBank, _pvp(), _terms());
        Leg[] memory legs = _one(_leg(hongKongBank, thaiBank, hkd, OPENING));
        Signature[] memory signatures = new Signature[](1);
        signatures[0] = _signGross(hongKongBank, legs, DEADLINE_S);
        vm.expectRevert(_insufficient(hkd, hongKongBank, OPENING - 1000, OPENING));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_an_amount_beyond_112_bits_is_an_overdraft() public {
        Leg[] memory legs = _pvp();
        legs[0].amount = 1 << 112;
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectRevert(_insufficient(hkd, hongKongBank, OPENING, 1 << 112));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    // ----- FORM -------------------------------------------------------------------------------------------------

    function test_no_legs_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(LegRules.SettlementLegCountRefused.selector, 0));
        settlement.settle(INSTRUCTIONS, new Leg[](0), DEADLINE_S, new Signature[](0));
    }

    function test_legs_out_of_order_are_refused() public {
        Leg[] memory legs = _pvp();
        (legs[0], legs[1]) = (legs[1], legs[0]);
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegOrderRefused.selector, 1));
    }

    function test_the_same_leg_twice_is_refused() public {
        Leg[] memory legs = _pvp();
        legs[1] = legs[0];
        legs[1].amount = 1;
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegOrderRefused.selector, 1));
    }

    function test_legs_of_a_pair_ascend_by_token() public {
        Leg[] memory legs = new Leg[](2);
        (address lower, address higher) = _sortedTokens();
        legs[0] = _leg(hongKongBank, thaiBank, IDepositToken(higher), 1);
        legs[1] = _leg(hongKongBank, thaiBank, IDepositToken(lower), 1);
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegOrderRefused.selector, 1));
    }

    function test_a_payment_to_oneself_is_refused() public {
        Leg[] memory legs = _pvp();
        legs[0].payee = legs[0].payer;
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegRefused.selector, 0));
    }

    function test_an_amount_of_zero_is_refused() public {
        Leg[] memory legs = _pvp();
        legs[1].amount = 0;
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegRefused.selector, 1));
    }

    function test_a_leg_on_another_ledger_is_refused() public {
        Leg[] memory legs = _pvp();
        legs[1].chainId = OTHER_CHAIN;
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegElsewhere.selector, 1, OTHER_CHAIN));
        legs = _manyLegs(3);
        legs[2].chainId = THIS_CHAIN + 1;
        _expectFormRefused(legs, abi.encodeWithSelector(LegRules.SettlementLegElsewhere.selector, 2, THIS_CHAIN + 1));
    }

    function test_a_token_that_does_not_exist_moves_nothing() public {
        Leg[] memory legs = _pvp();
        legs[1].token = address(0x7070);
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectRevert();
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    // ----- OTHER WAYS -------------------------------------------------------------------------------------------

    function test_a_locked_obligation_is_not_settled_besides() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _expectNotOpen(legs, IPvPSettlement.State.Locked);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_claimed_obligation_is_not_settled_again() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _expectNotOpen(legs, IPvPSettlement.State.Claimed);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_refunded_obligation_may_be_settled() public {
        Leg[] memory legs = _pvp();
        _lock(hongKongBank, legs, _terms());
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        settlement.settle(INSTRUCTIONS, legs, TIMELOCK_S + 60, _bothSignGross(legs, TIMELOCK_S + 60));
        _assertPvpDone();
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _settleWithDeadline(uint64 deadline) private {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, deadline);
        settlement.settle(INSTRUCTIONS, legs, deadline, signatures);
    }

    /// @dev Legs of one pair of banks in as many tokens, each a contract that accepts every call and does nothing.
    function _manyLegs(uint256 count) private returns (Leg[] memory legs) {
        legs = new Leg[](count);
        for (uint256 i = 0; i < count; ++i) {
            address token = address(uint160(0x10000 + i));
            vm.etch(token, hex"00");
            legs[i] = Leg(hongKongBank.bic, thaiBank.bic, THIS_CHAIN, token, 1);
        }
    }

    function _refuseDeadline(uint64 deadline) private {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, deadline);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementDeadlineRefused.selector, deadline, block.timestamp)
        );
        settlement.settle(INSTRUCTIONS, legs, deadline, signatures);
    }

    /// @dev Modulo the curve's order, which is prime: by Fermat, the power to the order less 2.
    function _inverse(uint256 value) private pure returns (uint256 result) {
        result = 1;
        for (uint256 exponent = CURVE_ORDER - 2; exponent != 0; exponent >>= 1) {
            if (exponent & 1 != 0) result = mulmod(result, value, CURVE_ORDER);
            value = mulmod(value, value, CURVE_ORDER);
        }
    }

    function _expectConsentMissing(Bank memory bank, Leg[] memory legs) private {
        bytes32 digest = _grossDigest(bank, legs, DEADLINE_S);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, bank.bic, digest));
    }

    function _expectNotOpen(Leg[] memory legs, IPvPSettlement.State state) private {
        bytes32 id = _id(legs);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementObligationNotOpen.selector, id, state));
    }

    function _expectFormRefused(Leg[] memory legs, bytes memory error) private {
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectRevert(error);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }
}

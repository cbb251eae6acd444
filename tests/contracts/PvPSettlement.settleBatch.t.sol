// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Batch, Leg, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {TypedDataHarness} from "./TypedDataHarness.sol";
import {vm} from "./Vm.sol";

/// @notice Net settlement of a round.
contract SettleBatchTest is CorridorTest {
    // ----- WHAT IT DOES -----------------------------------------------------------------------------------------

    function test_all_net_positions_move_together_on_everybodys_consent() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        bytes32 id = typed.batchId(batch);
        vm.expectEmit();
        emit IPvPSettlement.BatchSettled(id, operator, 1);
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
        _assertPvpDone();
        vm.assertEq(settlement.batchOf(operator, 1), id, "batch of the round");
    }

    function test_the_settlement_contract_stands_in_the_events_and_never_holds_a_balance() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        uint256 before = hkd.totalSupply();
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
        vm.assertEq(hkd.balanceOf(address(settlement)), 0, "balance of the settlement contract");
        vm.assertEq(hkd.totalSupply(), before, "supply");
    }

    function test_a_bank_with_an_entry_may_submit_with_the_proposers_signature() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        signatures[1] = _none();
        Signature memory proposal = _proposal(batch);
        vm.prank(thaiBank.key);
        settlement.settleBatch(batch, proposal, signatures);
        _assertPvpDone();
    }

    function test_whoever_has_no_entry_may_not_submit() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        Signature memory proposal = _proposal(batch);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementSubmitterRefused.selector, secondThaiBank.key));
        vm.prank(secondThaiBank.key);
        settlement.settleBatch(batch, proposal, signatures);
    }

    function test_a_batch_without_its_proposers_consent_is_refused() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        bytes32 digest = typed.proposalDigest(_domain(), typed.batchId(batch));
        bytes memory refusal =
            abi.encodeWithSelector(IPvPSettlement.SettlementProposalMissing.selector, operator, digest);
        vm.expectRevert(refusal);
        vm.prank(hongKongBank.key);
        settlement.settleBatch(batch, _none(), signatures);
        Signature memory forged = _sign(hongKongBank.secret, digest);
        vm.expectRevert(refusal);
        vm.prank(hongKongBank.key);
        settlement.settleBatch(batch, forged, signatures);
    }

    function test_positions_of_zero_move_nothing_and_still_settle_the_round() public {
        Batch memory batch = _batch();
        batch.positions = new int256[](4);
        _settleBatch(batch);
        _assertNothingMoved();
        vm.assertEq(settlement.batchOf(operator, 1), typed.batchId(batch), "batch of the round");
    }

    function test_the_order_of_credit_and_debit_does_not_matter() public {
        Batch memory batch = _batch();
        for (uint256 i = 0; i < 4; ++i) {
            batch.positions[i] = -batch.positions[i];
        }
        _settleBatch(batch);
        _assertAccount(hkd, hongKongBank, OPENING + 1000, 0);
        _assertAccount(thb, thaiBank, OPENING + 4500, 0);
    }

    // ----- ROUNDS -----------------------------------------------------------------------------------------------

    function test_a_second_batch_in_a_round_is_refused() public {
        Batch memory first = _batch();
        _settleBatch(first);
        bytes32 taken = typed.batchId(first);
        Batch memory second = _batch();
        second.entryRoots[0] = keccak256("another root");
        Signature[] memory signatures = _bothSignNet(second);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementRoundTaken.selector, operator, 1, taken));
        vm.prank(operator);
        settlement.settleBatch(second, _none(), signatures);
    }

    function test_the_same_batch_settles_once() public {
        Batch memory batch = _batch();
        _settleBatch(batch);
        Signature[] memory signatures = _bothSignNet(batch);
        vm.expectPartialRevert(IPvPSettlement.SettlementRoundTaken.selector);
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
    }

    function test_each_round_settles_its_batch() public {
        Batch memory batch = _batch();
        _settleBatch(batch);
        batch.round = 2;
        _settleBatch(batch);
        _assertAccount(hkd, hongKongBank, OPENING - 2000, 0);
    }

    function test_rounds_of_one_proposer_do_not_take_anothers() public {
        _settleBatch(_batch());
        Batch memory batch = _batch();
        batch.proposer = hongKongBank.key;
        Signature[] memory signatures = _bothSignNet(batch);
        vm.prank(hongKongBank.key);
        settlement.settleBatch(batch, _none(), signatures);
        _assertAccount(hkd, hongKongBank, OPENING - 2000, 0);
    }

    // ----- DEADLINE ---------------------------------------------------------------------------------------------

    function test_a_batch_settles_one_second_before_its_deadline() public {
        _settleWithDeadline(NOW_S + 1);
    }

    function test_a_batch_is_refused_at_its_deadline() public {
        _refuseDeadline(NOW_S);
    }

    function test_a_batch_is_refused_one_second_after_its_deadline() public {
        _refuseDeadline(NOW_S - 1);
    }

    function test_a_batch_may_run_for_fifteen_minutes_and_not_a_second_longer() public {
        _settleWithDeadline(NOW_S + 899);
        _refuseDeadline(NOW_S + 901);
    }

    function test_a_batch_may_run_for_fifteen_minutes() public {
        _settleWithDeadline(NOW_S + 900);
    }

    // ----- CONSENT ----------------------------------------------------------------------------------------------

    function test_one_participants_signature_is_not_anothers_consent() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        signatures[1] = signatures[0];
        _expectConsentMissing(thaiBank, batch, signatures);
    }

    function test_a_creditor_must_sign_too() public {
        Batch memory batch = _batch();
        batch.positions = new int256[](4);
        (batch.positions[0], batch.positions[2]) = (-1000, 1000);
        Signature[] memory signatures = _bothSignNet(batch);
        signatures[1] = _none();
        _expectConsentMissing(thaiBank, batch, signatures);
    }

    function test_a_strangers_signature_is_no_consent() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        signatures[0] = _sign(0xDEAD, _netDigest(hongKongBank, batch));
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_a_revoked_consent_is_refused() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        _expectConsentMissing(thaiBank, batch, signatures);
    }

    function test_a_consent_to_other_positions_is_refused() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        for (uint256 i = 0; i < 4; ++i) {
            batch.positions[i] *= 2;
        }
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_a_consent_to_other_roots_is_refused() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        batch.entryRoots[1] = keccak256("another root");
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_a_consent_to_another_round_is_refused() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        batch.round = 2;
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_a_consent_for_another_chain_is_refused() public {
        Batch memory batch = _batch();
        vm.chainId(OTHER_CHAIN);
        Signature[] memory signatures = _bothSignNet(batch);
        vm.chainId(THIS_CHAIN);
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_a_consent_for_another_contract_is_refused() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        settlement = _deploySettlement(registry);
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_a_gross_consent_is_no_net_consent() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        bytes32 digest = typed.grossDigest(_domain(), hongKongBank.bic, 0, DEADLINE_S, typed.batchId(batch));
        signatures[0] = _sign(hongKongBank.secret, digest);
        _expectConsentMissing(hongKongBank, batch, signatures);
    }

    function test_the_number_of_signatures_is_the_number_of_participants() public {
        Batch memory batch = _batch();
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementSignatureCountRefused.selector, 1, 2));
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), new Signature[](1));
    }

    // ----- PARTIES ----------------------------------------------------------------------------------------------

    function test_a_suspended_participant_is_named() public {
        Batch memory batch = _batch();
        _suspend(thaiBank);
        _expectRefused(batch, _notActive(thaiBank));
    }

    function test_an_unlisted_participant_is_named() public {
        Batch memory batch = _batch();
        Bank memory unlisted = Bank("THZZTHBKXXX", 0xE1, vm.addr(0xE1));
        batch.participants[1] = unlisted.bic;
        _expectRefused(batch, _notActive(unlisted));
    }

    function test_a_frozen_participant_and_its_token_are_named() public {
        Batch memory batch = _batch();
        _freeze(thb, thaiBank);
        _expectRefused(batch, _frozen(thb, thaiBank));
        _assertNothingMoved();
    }

    function test_a_frozen_creditor_is_named() public {
        Batch memory batch = _batch();
        _freeze(thb, hongKongBank);
        _expectRefused(batch, _frozen(thb, hongKongBank));
    }

    function test_a_freeze_counts_for_an_entry_that_nets_to_zero() public {
        Batch memory batch = _batch();
        batch.positions = new int256[](4);
        _freeze(thb, hongKongBank);
        _expectRefused(batch, _frozen(thb, hongKongBank));
    }

    function test_a_paused_token_is_named() public {
        Batch memory batch = _batch();
        _pause(hkd);
        _expectRefused(batch, _paused(hkd));
    }

    function test_a_pause_of_another_currency_does_not_matter() public {
        _pause(thb);
        Batch memory batch = _hkdOnly();
        _settleBatch(batch);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
    }

    // ----- LIQUIDITY AND BALANCE --------------------------------------------------------------------------------

    function test_an_overdraft_is_refused_with_the_facts() public {
        Batch memory batch = _hkdOnly();
        (batch.positions[0], batch.positions[1]) = (-int256(OPENING) - 1, int256(OPENING) + 1);
        _expectRefused(batch, _insufficient(hkd, hongKongBank, OPENING, OPENING + 1));
    }

    function test_the_whole_balance_can_be_paid() public {
        Batch memory batch = _hkdOnly();
        (batch.positions[0], batch.positions[1]) = (-int256(OPENING), int256(OPENING));
        _settleBatch(batch);
        _assertAccount(hkd, hongKongBank, 0, 0);
    }

    function test_a_held_amount_counts_against_the_position() public {
        _lock(hongKongBank, _pvp(), _terms());
        Batch memory batch = _hkdOnly();
        (batch.positions[0], batch.positions[1]) = (-int256(OPENING), int256(OPENING));
        _expectRefused(batch, _insufficient(hkd, hongKongBank, OPENING - 1000, OPENING));
    }

    function test_positions_that_do_not_sum_to_zero_are_refused() public {
        Batch memory batch = _hkdOnly();
        batch.positions[1] += 1;
        _expectRefused(batch, abi.encodeWithSelector(IPvPSettlement.SettlementUnbalanced.selector, hkd, 1));
        batch.positions[1] -= 2;
        _expectRefused(batch, abi.encodeWithSelector(IPvPSettlement.SettlementUnbalanced.selector, hkd, -1));
    }

    function test_currencies_do_not_balance_each_other() public {
        Batch memory batch = _batch();
        batch.positions = new int256[](4);
        (batch.positions[0], batch.positions[1]) = (-1, 1);
        _expectRefused(batch, abi.encodeWithSelector(IPvPSettlement.SettlementUnbalanced.selector, batch.tokens[0], -1));
    }

    function test_sums_that_overflow_are_refused() public {
        Batch memory batch = _hkdOnly();
        (batch.positions[0], batch.positions[1]) = (type(int256).min, type(int256).min);
        _expectRefused(batch, abi.encodeWithSignature("Panic(uint256)", 0x11));
    }

    function test_a_position_that_cannot_be_negated_is_refused() public {
        Batch memory batch = _threeBanks();
        batch.positions[0] = type(int256).min;
        batch.positions[1] = type(int256).max;
        batch.positions[2] = 1;
        Signature[] memory signatures = new Signature[](3);
        signatures[0] = _signNet(hongKongBank, batch);
        signatures[1] = _signNet(secondHongKongBank, batch);
        signatures[2] = _signNet(thaiBank, batch);
        vm.expectRevert(_insufficient(hkd, hongKongBank, OPENING, 1 << 255));
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
    }

    function test_a_credit_beyond_112_bits_is_refused_before_any_debit() public {
        Batch memory batch = _hkdOnly();
        (batch.positions[0], batch.positions[1]) = (1 << 112, -(1 << 112));
        _expectRefused(
            batch, abi.encodeWithSelector(IDepositToken.DepositTokenAmountRefused.selector, hkd, uint256(1 << 112))
        );
    }

    // ----- FORM -------------------------------------------------------------------------------------------------

    function test_an_empty_batch_burns_no_round() public {
        Batch memory batch = _batch();
        batch.participants = new bytes11[](0);
        batch.entryRoots = new bytes32[](0);
        batch.positions = new int256[](0);
        _expectShapeRefused(batch, 0, 2, 0, 0);
        vm.assertEq(settlement.batchOf(operator, 1), 0, "batch of the round");
    }

    function test_a_batch_without_tokens_is_refused() public {
        Batch memory batch = _batch();
        batch.tokens = new address[](0);
        batch.positions = new int256[](0);
        _expectShapeRefused(batch, 2, 0, 2, 0);
    }

    function test_lists_of_unequal_lengths_are_refused() public {
        Batch memory batch = _batch();
        batch.entryRoots = new bytes32[](1);
        _expectShapeRefused(batch, 2, 2, 1, 4);
        batch = _batch();
        batch.positions = new int256[](3);
        _expectShapeRefused(batch, 2, 2, 2, 3);
    }

    function test_more_than_sixteen_tokens_are_refused() public {
        Batch memory batch = _batch();
        batch.tokens = new address[](17);
        batch.positions = new int256[](34);
        _expectShapeRefused(batch, 2, 17, 2, 34);
    }

    function test_more_than_2048_participants_are_refused() public {
        Batch memory batch = _hkdOnly();
        batch.participants = new bytes11[](2049);
        batch.entryRoots = new bytes32[](2049);
        batch.positions = new int256[](2049);
        _expectShapeRefused(batch, 2049, 1, 2049, 2049);
    }

    function test_the_same_participant_twice_is_refused() public {
        Batch memory batch = _batch();
        batch.participants[1] = batch.participants[0];
        _expectSecondEntryRefused(batch, hongKongBank);
    }

    function test_participants_out_of_order_are_refused() public {
        Batch memory batch = _batch();
        (batch.participants[0], batch.participants[1]) = (batch.participants[1], batch.participants[0]);
        _expectSecondEntryRefused(batch, thaiBank);
    }

    function test_the_same_token_twice_is_refused() public {
        Batch memory batch = _batch();
        batch.tokens[1] = batch.tokens[0];
        _expectOrderRefused(
            batch, abi.encodeWithSelector(IPvPSettlement.SettlementTokenOrderRefused.selector, batch.tokens[1])
        );
    }

    function test_tokens_out_of_order_are_refused() public {
        Batch memory batch = _batch();
        (batch.tokens[0], batch.tokens[1]) = (batch.tokens[1], batch.tokens[0]);
        _expectOrderRefused(
            batch, abi.encodeWithSelector(IPvPSettlement.SettlementTokenOrderRefused.selector, batch.tokens[1])
        );
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _hkdOnly() private view returns (Batch memory batch) {
        batch = _batch();
        batch.tokens = new address[](1);
        batch.tokens[0] = address(hkd);
        batch.positions = new int256[](2);
        (batch.positions[0], batch.positions[1]) = (-1000, 1000);
    }

    function _threeBanks() private view returns (Batch memory batch) {
        batch = _hkdOnly();
        batch.participants = new bytes11[](3);
        batch.participants[0] = hongKongBank.bic;
        batch.participants[1] = secondHongKongBank.bic;
        batch.participants[2] = thaiBank.bic;
        batch.entryRoots = new bytes32[](3);
        batch.positions = new int256[](3);
    }

    function _settleWithDeadline(uint64 deadline) private {
        Batch memory batch = _batch();
        batch.deadline = deadline;
        _settleBatch(batch);
        _assertPvpDone();
    }

    function _refuseDeadline(uint64 deadline) private {
        Batch memory batch = _batch();
        (batch.round, batch.deadline) = (2, deadline);
        _expectRefused(
            batch, abi.encodeWithSelector(IPvPSettlement.SettlementDeadlineRefused.selector, deadline, NOW_S)
        );
    }

    /// @dev Everybody consents, and the batch is refused nonetheless.
    function _expectRefused(Batch memory batch, bytes memory error) private {
        Signature[] memory signatures = _bothSignNet(batch);
        vm.expectRevert(error);
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
    }

    function _expectConsentMissing(Bank memory bank, Batch memory batch, Signature[] memory signatures) private {
        bytes32 digest = _netDigest(bank, batch);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, bank.bic, digest));
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
    }

    /// @dev Order is checked entry by entry, so that the first entry's consent must be there.
    function _expectSecondEntryRefused(Batch memory batch, Bank memory first) private {
        Signature[] memory signatures = new Signature[](2);
        signatures[0] = _signNet(first, batch);
        bytes4 selector = IPvPSettlement.SettlementParticipantOrderRefused.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, batch.participants[1]));
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
    }

    /// @dev The form is refused before any signature is looked at.
    function _expectOrderRefused(Batch memory batch, bytes memory error) private {
        vm.expectRevert(error);
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), new Signature[](2));
    }

    function _expectShapeRefused(Batch memory batch, uint256 entries, uint256 tokens, uint256 roots, uint256 positions)
        private
    {
        _expectOrderRefused(
            batch,
            abi.encodeWithSelector(
                IPvPSettlement.SettlementBatchShapeRefused.selector, entries, tokens, roots, positions
            )
        );
    }
}

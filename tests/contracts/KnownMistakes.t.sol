// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Batch, Leg, LockTerms, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {HostileToken} from "./HostileToken.sol";
import {TypedDataHarness} from "./TypedDataHarness.sol";
import {vm} from "./Vm.sol";

/// @notice Ways in which others have lost money, tried on these contracts. More of them stand beside the function that
/// they attack; docs/contracts-testing.md lists all with the names of their tests.
contract KnownMistakesTest is CorridorTest {
    // ----- THE COUNTERPARTY IS STOPPED BETWEEN TWO CLAIMS -------------------------------------------------------

    function test_a_key_rotated_between_lock_and_claim_stops_nothing_and_the_credit_is_the_new_keys() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        address newKey = _rotate(thaiBank);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertPvpDone();
        vm.assertEq(hkd.balanceOf(newKey), OPENING + 1000, "the new key shows the identity's balance");
        vm.assertEq(hkd.balanceOf(thaiBank.key), 0, "the retired key shows nothing");
    }

    function test_everything_an_authority_can_do_at_once_stops_no_claim() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        _pause(hkd);
        _pause(thb);
        _freeze(hkd, thaiBank);
        _freeze(thb, hongKongBank);
        _rotate(thaiBank);
        _suspend(hongKongBank);
        _suspend(thaiBank);
        vm.warp(TIMELOCK_S - 1);
        vm.prank(STRANGER);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertPvpDone();
    }

    function test_a_payer_that_has_its_counterparty_suspended_keeps_neither_both_legs_nor_one() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        _suspend(thaiBank);
        vm.warp(TIMELOCK_S);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementClaimTooLate.selector, _id(legs), TIMELOCK_S, TIMELOCK_S)
        );
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 0);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 1);
        _assertNothingMoved();
    }

    // ----- REPLAY AFTER A CHANGE OF KEY -------------------------------------------------------------------------

    function test_a_consent_given_before_a_rotation_settles_nothing_after_it() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _rotate(thaiBank);
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_an_approval_by_transaction_given_before_a_rotation_settles_nothing_after_it() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        bytes32 digest = _grossDigest(thaiBank, legs, DEADLINE_S);
        vm.prank(thaiBank.key);
        settlement.approve(digest);
        _rotate(thaiBank);
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_stolen_old_key_signs_nothing_even_for_the_new_epoch() public {
        Leg[] memory legs = _pvp();
        _rotate(thaiBank);
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    // ----- TWO BATCHES, TWO KINDS OF CONSENT --------------------------------------------------------------------

    function test_of_two_signed_batches_of_a_round_the_silent_one_never_settles() public {
        Batch memory first = _batch();
        Batch memory second = _batch();
        second.entryRoots[0] = keccak256("the same obligation and others");
        Signature[] memory silent = _bothSignNet(second);
        _settleBatch(first);
        bytes32 taken = typed.batchId(first);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementRoundTaken.selector, operator, uint256(1), taken)
        );
        settlement.settleBatch(second, _none(), silent);
    }

    function test_a_batch_that_failed_leaves_its_round_open_and_its_consents_end_at_their_deadline() public {
        Batch memory batch = _batch();
        Signature[] memory signatures = _bothSignNet(batch);
        _pause(hkd);
        vm.prank(operator);
        vm.expectRevert(_paused(hkd));
        settlement.settleBatch(batch, _none(), signatures);
        vm.assertEq(settlement.batchOf(operator, 1), bytes32(0), "the round is not burnt");
        _assertNothingMoved();
        vm.prank(HKD_ISSUER);
        hkd.unpause();
        vm.warp(DEADLINE_S);
        vm.prank(operator);
        vm.expectPartialRevert(IPvPSettlement.SettlementDeadlineRefused.selector);
        settlement.settleBatch(batch, _none(), signatures);
    }

    function test_a_gross_consent_beside_a_lock_of_the_same_obligation_settles_nothing_while_it_is_locked() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        _lock(hongKongBank, legs, _terms());
        vm.expectRevert(
            abi.encodeWithSelector(
                IPvPSettlement.SettlementObligationNotOpen.selector, _id(legs), IPvPSettlement.State.Locked
            )
        );
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    // ----- WHAT THE AGENTS PREVENT, AND THE CONTRACT CANNOT SEE -------------------------------------------------

    /// @dev A batch shows net positions and roots, no obligations. Who signs two batches that share one pays it twice:
    /// an agent's rule (one live consent per obligation), which these two tests keep in mind.
    function test_two_batches_that_share_an_obligation_settle_both_only_if_every_party_signed_both() public {
        Batch memory first = _batch();
        Batch memory second = _batch();
        second.round = 2;
        _settleBatch(first);
        Signature[] memory signatures = _bothSignNet(second);
        signatures[0] = _signNet(hongKongBank, first);
        vm.prank(operator);
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settleBatch(second, _none(), signatures);
        _assertPvpDone();
        _settleBatch(second);
        _assertAccount(hkd, hongKongBank, OPENING - 2000, 0);
    }

    function test_net_and_gross_consent_for_one_obligation_settle_both_only_if_its_payers_signed_both() public {
        Leg[] memory legs = _pvp();
        _settleBatch(_batch());
        Signature[] memory signatures = _bothSignNet(_batch());
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertPvpDone();
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, _bothSignGross(legs, DEADLINE_S));
        _assertAccount(hkd, hongKongBank, OPENING - 2000, 0);
    }

    // ----- IDS ----------------------------------------------------------------------------------------------------

    function test_the_same_amounts_on_another_chain_in_another_token_or_for_another_customer_have_another_id()
        public
        view
    {
        bytes32 id = _id(_pvp());
        Leg[] memory legs = _pvp();
        legs[0].chainId = OTHER_CHAIN;
        vm.assertFalse(_id(legs) == id, "chain");
        legs = _pvp();
        legs[0].token = address(thb);
        vm.assertFalse(_id(legs) == id, "token");
        vm.assertFalse(typed.obligationId(keccak256("other instructions"), _pvp()) == id, "instructions");
    }

    // ----- ONE CONSENT READ AS ANOTHER --------------------------------------------------------------------------

    function test_no_consent_passes_for_one_of_another_type() public view {
        bytes32 id = _id(_pvp());
        TypedDataHarness.Domain memory domain = _domain();
        bytes32[5] memory digests = [
            typed.grossDigest(domain, thaiBank.bic, 0, DEADLINE_S, id),
            typed.lockDigest(domain, thaiBank.bic, 0, DEADLINE_S, id, _terms()),
            typed.netDigest(domain, thaiBank.bic, 0, id),
            typed.proposalDigest(domain, id),
            id
        ];
        for (uint256 i = 0; i < 5; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                vm.assertFalse(digests[i] == digests[j], "two types, one digest");
            }
        }
    }

    function test_fields_of_a_consent_that_change_places_change_the_digest() public view {
        bytes32 id = _id(_pvp());
        TypedDataHarness.Domain memory domain = _domain();
        bytes32 digest = typed.grossDigest(domain, thaiBank.bic, 1, 2, id);
        vm.assertFalse(digest == typed.grossDigest(domain, thaiBank.bic, 2, 1, id), "epoch and deadline");
        LockTerms memory terms = _terms();
        bytes32 lockDigest = typed.lockDigest(domain, thaiBank.bic, 0, DEADLINE_S, id, terms);
        (terms.timelock, terms.otherTimelock) = (terms.otherTimelock, terms.timelock);
        vm.assertFalse(
            lockDigest == typed.lockDigest(domain, thaiBank.bic, 0, DEADLINE_S, id, terms), "the two timelocks"
        );
    }

    function test_bits_beyond_a_fields_type_are_refused_before_they_can_make_another_id() public {
        Leg[] memory legs = _pvp();
        bytes memory clean =
            abi.encodeCall(settlement.settle, (INSTRUCTIONS, legs, DEADLINE_S, _bothSignGross(legs, DEADLINE_S)));
        // Selector, four words of the head, the number of legs; then payer, payee, chain id, token, amount of a leg.
        uint256 firstLeg = 4 + 32 * 5;
        uint256[3] memory dirtyBytes = [firstLeg + 31, firstLeg + 32 + 31, firstLeg + 3 * 32];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory dirty = bytes.concat(clean);
            dirty[dirtyBytes[i]] = 0x01;
            (bool ok,) = address(settlement).call(dirty);
            vm.assertFalse(ok, "a payer, payee or token with bits beyond its type");
        }
        _assertNothingMoved();
        (bool cleanOk,) = address(settlement).call(clean);
        vm.assertTrue(cleanOk, "the same bytes without them settle");
    }

    /// @dev An address recovered from nonsense is zero; a proposer of zero would have consented to everything.
    function test_a_batch_of_the_zero_address_is_nobodys_whatever_its_signature_recovers_to() public {
        Batch memory batch = _batch();
        batch.proposer = address(0);
        Signature[] memory signatures = _bothSignNet(batch);
        Signature memory recoversToZero = Signature(bytes32(0), bytes32(uint256(1)));
        vm.prank(hongKongBank.key);
        vm.expectPartialRevert(IPvPSettlement.SettlementProposalMissing.selector);
        settlement.settleBatch(batch, recoversToZero, signatures);
        vm.prank(hongKongBank.key);
        vm.expectPartialRevert(IPvPSettlement.SettlementProposalMissing.selector);
        settlement.settleBatch(batch, _none(), signatures);
        _assertNothingMoved();
    }

    // ----- PREIMAGES --------------------------------------------------------------------------------------------

    function test_a_longer_preimage_with_the_right_beginning_claims_nothing_more() public {
        Leg[] memory legs = _pvp();
        LockTerms memory terms = _terms();
        // Somebody locks under the hash of 33 bytes: no ledger pays for a preimage that another could not carry.
        terms.hashlock = sha256(abi.encodePacked(PREIMAGE, bytes1(0)));
        _lockBoth(legs, terms);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementPreimageWrong.selector, _id(legs)));
        settlement.claim(INSTRUCTIONS, legs, terms, PREIMAGE);
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, terms, 0);
        settlement.refund(INSTRUCTIONS, legs, terms, 1);
        _assertNothingMoved();
    }

    // ----- TOKENS THAT LIE --------------------------------------------------------------------------------------

    function test_a_token_that_answers_false_and_moves_nothing_costs_only_who_signed_for_it() public {
        HostileToken liar = new HostileToken();
        Leg[] memory legs = _pvp();
        legs[0].token = address(liar);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, _bothSignGross(legs, DEADLINE_S));
        _assertAccount(thb, thaiBank, OPENING - 4500, 0);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertAccount(hkd, thaiBank, OPENING, 0);
    }

    function test_an_account_without_code_is_no_token() public {
        Leg[] memory legs = _pvp();
        legs[0].token = address(0xE0A);
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        vm.expectRevert();
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertNothingMoved();
    }

    // ----- COLLUSION --------------------------------------------------------------------------------------------

    function test_issuer_and_bank_together_turn_issued_tokens_into_nothing_of_another_currency() public {
        vm.prank(HKD_ISSUER);
        hkd.issue(hongKongBank.bic, type(uint112).max - 4 * OPENING, keccak256("nothing behind it"));
        Leg[] memory legs = _pvp();
        legs[0].amount = type(uint112).max - 4 * OPENING;
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertAccount(thb, thaiBank, OPENING, 0);
    }

    function test_an_issuer_that_issues_all_it_can_makes_no_locked_credit_overflow() public {
        Leg[] memory legs = _pvp();
        _lockBoth(legs, _terms());
        vm.prank(THB_ISSUER);
        thb.issue(thaiBank.bic, type(uint112).max - 4 * OPENING, keccak256("as much as the word holds"));
        uint256 all = type(uint112).max - 4 * OPENING;
        vm.prank(thaiBank.key);
        thb.transfer(hongKongBank.key, all);
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertAccount(thb, hongKongBank, OPENING + all + 4500, 0);
    }

    function test_a_held_payment_blocks_no_batch_that_leaves_it_out() public {
        Leg[] memory legs = _pvp();
        legs[0].amount = OPENING;
        _lock(hongKongBank, legs, _terms());
        Batch memory batch = _batch();
        for (uint256 i = 0; i < 4; ++i) {
            batch.positions[i] = -batch.positions[i];
        }
        _settleBatch(batch);
        _assertAccount(hkd, hongKongBank, OPENING + 1000, OPENING);
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _rotate(Bank memory bank) private returns (address newKey) {
        newKey = vm.addr(0x2E3);
        vm.prank(bank.key);
        registry.proposeKey(newKey);
        address issuer = registry.issuerOf(registry.countryOf(bank.bic));
        vm.prank(issuer);
        registry.confirmKey(bank.bic, newKey);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Batch, Leg, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Consent by transaction, for contract wallets.
contract ApproveTest is CorridorTest {
    function test_an_approved_digest_settles_like_a_signature() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        bytes32 digest = _grossDigest(thaiBank, legs, DEADLINE_S);
        vm.expectEmit();
        emit IPvPSettlement.ConsentApproved(thaiBank.key, digest);
        vm.prank(thaiBank.key);
        settlement.approve(digest);
        vm.assertTrue(settlement.approved(thaiBank.key, digest), "approved");
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
        _assertPvpDone();
    }

    function test_an_approval_from_another_key_is_no_consent() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        bytes32 digest = _grossDigest(thaiBank, legs, DEADLINE_S);
        vm.prank(hongKongBank.key);
        settlement.approve(digest);
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, thaiBank.bic, digest));
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_revoking_consents_kills_an_approval() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        bytes32 digest = _grossDigest(thaiBank, legs, DEADLINE_S);
        vm.prank(thaiBank.key);
        settlement.approve(digest);
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        vm.expectPartialRevert(IPvPSettlement.SettlementConsentMissing.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_an_approval_ends_with_the_deadline_it_names() public {
        Leg[] memory legs = _pvp();
        Signature[] memory signatures = _bothSignGross(legs, DEADLINE_S);
        signatures[1] = _none();
        bytes32 digest = _grossDigest(thaiBank, legs, DEADLINE_S);
        vm.prank(thaiBank.key);
        settlement.approve(digest);
        vm.warp(DEADLINE_S);
        vm.expectPartialRevert(IPvPSettlement.SettlementDeadlineRefused.selector);
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_a_whole_batch_can_be_approved_beforehand() public {
        Batch memory batch = _batch();
        bytes32[3] memory digests = [
            typed.proposalDigest(_domain(), typed.batchId(batch)),
            _netDigest(hongKongBank, batch),
            _netDigest(thaiBank, batch)
        ];
        address[3] memory keys = [operator, hongKongBank.key, thaiBank.key];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(keys[i]);
            settlement.approve(digests[i]);
        }
        vm.prank(thaiBank.key);
        settlement.settleBatch(batch, _none(), new Signature[](2));
        _assertPvpDone();
    }

    function test_an_approval_taken_back_counts_no_more() public {
        Leg[] memory legs = _pvp();
        bytes32 digest = _grossDigest(hongKongBank, legs, DEADLINE_S);
        vm.prank(hongKongBank.key);
        settlement.approve(digest);
        vm.expectEmit();
        emit IPvPSettlement.ConsentUnapproved(hongKongBank.key, digest);
        vm.prank(hongKongBank.key);
        settlement.unapprove(digest);
        vm.assertFalse(settlement.approved(hongKongBank.key, digest), "approved");
        Signature[] memory signatures = new Signature[](2);
        signatures[1] = _signGross(thaiBank, legs, DEADLINE_S);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, hongKongBank.bic, digest)
        );
        settlement.settle(INSTRUCTIONS, legs, DEADLINE_S, signatures);
    }

    function test_only_an_approval_of_ones_own_is_taken_back() public {
        bytes32 digest = keccak256("a digest");
        vm.prank(hongKongBank.key);
        settlement.approve(digest);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementConsentNotApproved.selector, thaiBank.key, digest)
        );
        vm.prank(thaiBank.key);
        settlement.unapprove(digest);
        vm.assertTrue(settlement.approved(hongKongBank.key, digest), "still approved");
    }
}

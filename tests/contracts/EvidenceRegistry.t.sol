// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EvidenceRegistry} from "../../contracts/EvidenceRegistry.sol";
import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice A document's hash is anchored once, by an active participant, and verified by anyone.
contract EvidenceRegistryTest is CorridorTest {
    bytes32 private constant INVOICE = keccak256("an invoice with a number nobody can guess");
    bytes4 private constant COMMERCIAL_INVOICE = "CINV";

    EvidenceRegistry private evidence;

    function setUp() public override {
        super.setUp();
        evidence = new EvidenceRegistry(registry);
    }

    function test_a_participant_anchors_a_hash_with_type_and_time() public {
        vm.expectEmit();
        emit EvidenceRegistry.EvidenceAnchored(INVOICE, hongKongBank.bic, COMMERCIAL_INVOICE);
        _anchor(hongKongBank, INVOICE, COMMERCIAL_INVOICE);
        EvidenceRegistry.Evidence memory found = evidence.evidenceOf(INVOICE);
        vm.assertEq(bytes32(found.participant), bytes32(hongKongBank.bic), "participant");
        vm.assertEq(bytes32(found.documentType), bytes32(COMMERCIAL_INVOICE), "type");
        vm.assertEq(found.anchoredAt, NOW_S, "time");
    }

    function test_the_same_document_is_refused_the_second_time_and_the_first_is_named() public {
        _anchor(hongKongBank, INVOICE, COMMERCIAL_INVOICE);
        vm.warp(NOW_S + 5);
        bytes memory refusal =
            abi.encodeWithSelector(EvidenceRegistry.EvidenceDuplicate.selector, INVOICE, hongKongBank.bic, NOW_S);
        vm.expectRevert(refusal);
        _anchor(thaiBank, INVOICE, COMMERCIAL_INVOICE);
        vm.expectRevert(refusal);
        _anchor(hongKongBank, INVOICE, "BOLD");
    }

    function test_verification_answers_for_hash_participant_and_type_together() public {
        _anchor(hongKongBank, INVOICE, COMMERCIAL_INVOICE);
        vm.assertTrue(evidence.verify(INVOICE, hongKongBank.bic, COMMERCIAL_INVOICE), "anchored");
        vm.assertFalse(evidence.verify(INVOICE, thaiBank.bic, COMMERCIAL_INVOICE), "another participant");
        vm.assertFalse(evidence.verify(INVOICE, hongKongBank.bic, "BOLD"), "another type");
        vm.assertFalse(evidence.verify(keccak256("another document"), hongKongBank.bic, COMMERCIAL_INVOICE), "hash");
        vm.assertFalse(evidence.verify(keccak256("another document"), 0, 0), "nothing is no evidence");
    }

    function test_only_an_active_participant_anchors() public {
        address[3] memory callers = [STRANGER, HKD_ISSUER, operator];
        for (uint256 i = 0; i < 3; ++i) {
            _expectNotActive(callers[i]);
            vm.prank(callers[i]);
            evidence.anchor(INVOICE, COMMERCIAL_INVOICE);
        }
        _suspend(hongKongBank);
        _expectNotActive(hongKongBank.key);
        _anchor(hongKongBank, INVOICE, COMMERCIAL_INVOICE);
    }

    function test_an_empty_hash_or_type_is_refused() public {
        vm.expectRevert(EvidenceRegistry.EvidenceEmpty.selector);
        _anchor(hongKongBank, 0, COMMERCIAL_INVOICE);
        vm.expectRevert(EvidenceRegistry.EvidenceEmpty.selector);
        _anchor(hongKongBank, INVOICE, 0);
    }

    function test_without_a_register_it_is_not_deployed() public {
        vm.expectRevert(EvidenceRegistry.EvidenceDeploymentInvalid.selector);
        new EvidenceRegistry(IParticipantRegistry(STRANGER));
        vm.assertEq(address(evidence.registry()), address(registry), "register");
    }

    function _anchor(Bank memory bank, bytes32 documentHash, bytes4 documentType) private {
        vm.prank(bank.key);
        evidence.anchor(documentHash, documentType);
    }

    function _expectNotActive(address key) private {
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, key));
    }
}

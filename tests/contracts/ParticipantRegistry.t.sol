// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Party, SigningKey} from "../../contracts/IParticipantRegistry.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Who is admitted, by whom, under which key.
contract ParticipantRegistryTest is CorridorTest {
    bytes11 private constant NEW_BIC = "HKBCHKHHXXX";
    bytes20 private constant NEW_LEI = "HKBC0000000000000005";
    address private constant NEW_KEY = address(0xA5);

    // ----- ADMIT ------------------------------------------------------------------------------------------------

    function test_an_issuer_admits_a_bank_of_its_country() public {
        vm.expectEmit();
        emit IParticipantRegistry.ParticipantAdmitted(NEW_BIC, NEW_LEI, NEW_KEY);
        vm.prank(HKD_ISSUER);
        registry.admit(NEW_BIC, NEW_LEI, NEW_KEY);
        IParticipantRegistry.Participant memory record = registry.participant(NEW_BIC);
        vm.assertEq(record.key, NEW_KEY, "key");
        vm.assertEq(bytes32(record.lei), bytes32(NEW_LEI), "LEI");
        vm.assertEq(bytes32(record.country), bytes32("HK"), "country");
        vm.assertEq(uint256(record.status), uint256(IParticipantRegistry.Status.Active), "status");
        vm.assertEq(record.epoch, 0, "epoch");
    }

    function test_nobody_else_admits() public {
        address[5] memory callers = [THB_ISSUER, operator, hongKongBank.key, address(this), STRANGER];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IParticipantRegistry.ParticipantNotItsIssuer.selector, callers[i], NEW_BIC)
            );
            vm.prank(callers[i]);
            registry.admit(NEW_BIC, NEW_LEI, NEW_KEY);
        }
    }

    function test_a_bic_of_no_jurisdiction_is_admitted_by_nobody() public {
        bytes11 foreign = "SGBCSGSGXXX";
        vm.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.ParticipantNotItsIssuer.selector, HKD_ISSUER, foreign)
        );
        vm.prank(HKD_ISSUER);
        registry.admit(foreign, NEW_LEI, NEW_KEY);
    }

    function test_bic_lei_and_key_are_each_taken_once() public {
        _expectAdmitRefused(
            hongKongBank.bic,
            NEW_LEI,
            NEW_KEY,
            abi.encodeWithSelector(IParticipantRegistry.ParticipantBicTaken.selector, hongKongBank.bic)
        );
        bytes20 lei = registry.participant(thaiBank.bic).lei;
        _expectAdmitRefused(
            NEW_BIC,
            lei,
            NEW_KEY,
            abi.encodeWithSelector(IParticipantRegistry.ParticipantLeiTaken.selector, lei, thaiBank.bic)
        );
        _expectAdmitRefused(
            NEW_BIC,
            NEW_LEI,
            thaiBank.key,
            abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyTaken.selector, thaiBank.key, thaiBank.bic)
        );
    }

    function test_the_zero_address_is_no_key() public {
        _expectAdmitRefused(
            NEW_BIC,
            NEW_LEI,
            address(0),
            abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyTaken.selector, address(0), bytes11(0))
        );
    }

    function test_a_malformed_bic_is_refused() public {
        bytes11[5] memory malformed = [bytes11("HKBCHKHH"), "hkBCHKHHXXX", "HKBCHKHHXX ", "HKB-HKHHXXX", "HKBCHKHH[XX"];
        for (uint256 i = 0; i < malformed.length; ++i) {
            _expectAdmitRefused(
                malformed[i],
                NEW_LEI,
                NEW_KEY,
                abi.encodeWithSelector(IParticipantRegistry.ParticipantBicMalformed.selector, malformed[i])
            );
        }
        vm.prank(HKD_ISSUER);
        registry.admit("90BZHK09AZ9", NEW_LEI, NEW_KEY);
        vm.assertEq(bytes32(registry.participantOf(NEW_KEY)), bytes32("90BZHK09AZ9"), "digits are allowed");
    }

    function test_a_malformed_lei_is_refused() public {
        bytes20[4] memory malformed =
            [bytes20("HKBC000000000000000"), "hkBC0000000000000005", "HKBC00000000000000A5", "HKBC000000000000005A"];
        for (uint256 i = 0; i < malformed.length; ++i) {
            _expectAdmitRefused(
                NEW_BIC,
                malformed[i],
                NEW_KEY,
                abi.encodeWithSelector(IParticipantRegistry.ParticipantLeiMalformed.selector, malformed[i])
            );
        }
    }

    // ----- SUSPEND AND REINSTATE --------------------------------------------------------------------------------

    function test_an_issuer_suspends_and_reinstates_a_bank_of_its_country() public {
        vm.expectEmit();
        emit IParticipantRegistry.ParticipantSuspended(thaiBank.bic);
        vm.prank(THB_ISSUER);
        registry.suspend(thaiBank.bic);
        vm.expectRevert(_notActive(thaiBank));
        registry.activeKeyOf(thaiBank.bic);
        vm.expectEmit();
        emit IParticipantRegistry.ParticipantReinstated(thaiBank.bic);
        vm.prank(THB_ISSUER);
        registry.reinstate(thaiBank.bic);
        vm.assertEq(registry.activeKeyOf(thaiBank.bic), thaiBank.key, "key");
    }

    function test_nobody_else_suspends_or_reinstates() public {
        address[4] memory callers = [HKD_ISSUER, operator, thaiBank.key, STRANGER];
        for (uint256 i = 0; i < callers.length; ++i) {
            bytes memory refusal =
                abi.encodeWithSelector(IParticipantRegistry.ParticipantNotItsIssuer.selector, callers[i], thaiBank.bic);
            vm.expectRevert(refusal);
            vm.prank(callers[i]);
            registry.suspend(thaiBank.bic);
            vm.expectRevert(refusal);
            vm.prank(callers[i]);
            registry.reinstate(thaiBank.bic);
        }
    }

    function test_only_an_active_bank_is_suspended_and_only_a_suspended_one_reinstated() public {
        _expectStatusRefused(registry.reinstate, thaiBank.bic, IParticipantRegistry.Status.Active);
        _expectStatusRefused(registry.suspend, "THZZTHBKXXX", IParticipantRegistry.Status.None);
        _suspend(thaiBank);
        _expectStatusRefused(registry.suspend, thaiBank.bic, IParticipantRegistry.Status.Suspended);
    }

    function test_status_reads_the_same_by_identity_and_by_key() public {
        _suspend(thaiBank);
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, thaiBank.key));
        registry.activeParticipantOf(thaiBank.key);
        vm.assertEq(bytes32(registry.participantOf(thaiBank.key)), bytes32(thaiBank.bic), "still its key");
        vm.assertEq(registry.currentKeyOf(thaiBank.bic), thaiBank.key, "still its key");
    }

    // ----- REVOKE -----------------------------------------------------------------------------------------------

    function test_a_participant_revokes_its_own_consents_only() public {
        vm.expectEmit();
        emit IParticipantRegistry.ConsentsRevoked(thaiBank.bic, 1);
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        vm.assertEq(registry.participant(thaiBank.bic).epoch, 1, "epoch");
        vm.assertEq(registry.participant(hongKongBank.bic).epoch, 0, "another's epoch");
    }

    function test_a_suspended_participant_may_revoke_and_stays_suspended() public {
        _suspend(thaiBank);
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        IParticipantRegistry.Participant memory record = registry.participant(thaiBank.bic);
        vm.assertEq(record.epoch, 1, "epoch");
        vm.assertEq(uint256(record.status), uint256(IParticipantRegistry.Status.Suspended), "status");
    }

    function test_suspending_and_reinstating_keeps_the_epoch() public {
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        _suspend(thaiBank);
        vm.prank(THB_ISSUER);
        registry.reinstate(thaiBank.bic);
        vm.assertEq(registry.participant(thaiBank.bic).epoch, 1, "epoch");
    }

    function test_who_is_no_participant_has_nothing_to_revoke() public {
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyUnknown.selector, STRANGER));
        vm.prank(STRANGER);
        registry.revokeConsents();
    }

    // ----- VIEWS ------------------------------------------------------------------------------------------------

    function test_active_keys_answer_in_order_with_epochs_and_name_who_is_not_active() public {
        vm.prank(thaiBank.key);
        registry.revokeConsents();
        bytes11[] memory asked = new bytes11[](3);
        (asked[0], asked[1], asked[2]) = (thaiBank.bic, hongKongBank.bic, thaiBank.bic);
        SigningKey[] memory keys = registry.activeKeys(asked);
        vm.assertEq(keys[0].keyOf(), thaiBank.key, "first key");
        vm.assertEq(keys[1].keyOf(), hongKongBank.key, "second key");
        vm.assertEq(keys[2].keyOf(), thaiBank.key, "repeated key");
        vm.assertEq(keys[0].epochOf(), 1, "first epoch");
        vm.assertEq(keys[1].epochOf(), 0, "second epoch");
        asked[1] = NEW_BIC;
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantNotActive.selector, NEW_BIC));
        registry.activeKeys(asked);
    }

    function test_a_pair_of_identities_is_answered_with_keys_and_epochs_or_whatever_the_status() public {
        (SigningKey payerKey, SigningKey payeeKey) = registry.activeKeyPair(hongKongBank.bic, thaiBank.bic);
        vm.assertEq(payerKey.keyOf(), hongKongBank.key, "payer");
        vm.assertEq(payeeKey.keyOf(), thaiBank.key, "payee");
        _suspend(thaiBank);
        vm.expectRevert(_notActive(thaiBank));
        registry.activeKeyPair(hongKongBank.bic, thaiBank.bic);
        (Party payer, Party payee) = registry.currentPair(hongKongBank.bic, thaiBank.bic);
        vm.assertEq(bytes32(payer.identityOf()), bytes32(hongKongBank.bic), "payer's identity");
        vm.assertEq(payee.addressOf(), thaiBank.key, "payee's key");
    }

    function test_records_are_read_in_pages() public {
        vm.assertEq(registry.participants(0, 500).length, 4, "all");
        IParticipantRegistry.Participant[] memory page = registry.participants(1, 2);
        vm.assertEq(page.length, 2, "a page");
        vm.assertEq(bytes32(page[0].bic), bytes32(secondHongKongBank.bic), "in the order of admission");
        vm.assertEq(registry.participants(3, 2).length, 1, "the last");
        vm.assertEq(registry.participants(4, 2).length, 0, "beyond the last");
        vm.assertEq(registry.participants(type(uint256).max, 2).length, 0, "far beyond");
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantPageRefused.selector, 501));
        registry.participants(0, 501);
    }

    function test_a_pair_is_answered_only_if_both_are_active() public {
        (bytes11 payer, bytes11 payee) = registry.activeParticipants(hongKongBank.key, thaiBank.key);
        vm.assertEq(bytes32(payer), bytes32(hongKongBank.bic), "payer");
        vm.assertEq(bytes32(payee), bytes32(thaiBank.bic), "payee");
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, STRANGER));
        registry.activeParticipants(hongKongBank.key, STRANGER);
    }

    function test_participants_jurisdictions_and_issuers_can_be_listed() public view {
        vm.assertEq(registry.participantCount(), 4, "count");
        vm.assertEq(bytes32(registry.participantAt(2)), bytes32(thaiBank.bic), "third participant");
        vm.assertEq(registry.issuerOf("HK"), HKD_ISSUER, "issuer of a country");
        vm.assertEq(bytes32(registry.countryOfIssuer(THB_ISSUER)), bytes32("TH"), "country of an issuer");
        vm.assertEq(registry.jurisdictions().length, 2, "jurisdictions");
        bytes20 lei = registry.participant(thaiBank.bic).lei;
        vm.assertEq(bytes32(registry.participantByLei(lei)), bytes32(thaiBank.bic), "holder of an LEI");
        vm.assertEq(registry.operator(), operator, "operator");
    }

    // ----- DEPLOYMENT -------------------------------------------------------------------------------------------

    function test_jurisdictions_are_unique_complete_and_well_formed() public {
        _expectDeploymentRefused(operator, "HK", "HK", HKD_ISSUER, THB_ISSUER);
        _expectDeploymentRefused(operator, "HK", "TH", HKD_ISSUER, HKD_ISSUER);
        _expectDeploymentRefused(operator, "HK", "TH", HKD_ISSUER, address(0));
        _expectDeploymentRefused(operator, "HK", "th", HKD_ISSUER, THB_ISSUER);
        _expectDeploymentRefused(operator, "HK", "T1", HKD_ISSUER, THB_ISSUER);
        _expectDeploymentRefused(address(0), "HK", "TH", HKD_ISSUER, THB_ISSUER);
        this.deployRegistry(operator, "HK", "TH", HKD_ISSUER, THB_ISSUER);
    }

    /// @dev External, so that the deployment's refusal can be expected.
    function deployRegistry(address operator_, bytes2 one, bytes2 other, address issuer, address otherIssuer) external {
        bytes2[] memory countries = new bytes2[](2);
        address[] memory issuers = new address[](2);
        (countries[0], countries[1], issuers[0], issuers[1]) = (one, other, issuer, otherIssuer);
        bytes memory creation = vm.getCode("ParticipantRegistry.sol:ParticipantRegistry");
        creation = abi.encodePacked(creation, abi.encode(operator_, countries, issuers));
        address deployed;
        // The language has no other way to create a contract from bytes.
        assembly {
            deployed := create(0, add(creation, 0x20), mload(creation))
        }
        require(deployed != address(0), "refused");
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _expectDeploymentRefused(address operator_, bytes2 one, bytes2 other, address issuer, address otherIssuer)
        private
    {
        bool deployed = true;
        try this.deployRegistry(operator_, one, other, issuer, otherIssuer) {}
        catch {
            deployed = false;
        }
        vm.assertFalse(deployed, "deployment");
    }

    function _expectAdmitRefused(bytes11 bic, bytes20 lei, address key, bytes memory error) private {
        vm.expectRevert(error);
        vm.prank(HKD_ISSUER);
        registry.admit(bic, lei, key);
    }

    function _expectStatusRefused(function(bytes11) external change, bytes11 bic, IParticipantRegistry.Status status)
        private
    {
        vm.expectRevert(abi.encodeWithSelector(IParticipantRegistry.ParticipantStatusRefused.selector, bic, status));
        vm.prank(THB_ISSUER);
        change(bic);
    }

    function _list(bytes11 bic) private pure returns (bytes11[] memory list) {
        list = new bytes11[](1);
        list[0] = bic;
    }
}

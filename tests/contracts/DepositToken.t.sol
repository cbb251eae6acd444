// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {IParticipantRegistry, Party} from "../../contracts/IParticipantRegistry.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Issuing, redeeming, transferring, freezing and pausing; and who may not settle.
contract DepositTokenTest is CorridorTest {
    bytes32 private constant REFERENCE = keccak256("a movement in the issuer's books");

    // ----- ISSUE ------------------------------------------------------------------------------------------------

    function test_the_issuer_issues_to_a_domestic_bank_under_a_reference() public {
        uint256 supply = hkd.totalSupply();
        vm.expectEmit();
        emit IERC20.Transfer(address(0), hongKongBank.key, 500);
        vm.expectEmit();
        emit IDepositToken.Issued(hongKongBank.bic, 500, REFERENCE);
        vm.prank(HKD_ISSUER);
        hkd.issue(hongKongBank.bic, 500, REFERENCE);
        _assertAccount(hkd, hongKongBank, OPENING + 500, 0);
        vm.assertEq(hkd.totalSupply(), supply + 500, "supply");
        vm.assertTrue(hkd.referenceUsed(REFERENCE), "reference used");
    }

    function test_nobody_else_issues() public {
        address[4] memory callers = [THB_ISSUER, operator, hongKongBank.key, address(settlement)];
        for (uint256 i = 0; i < callers.length; ++i) {
            _expectNotIssuer(callers[i]);
            hkd.issue(hongKongBank.bic, 500, REFERENCE);
        }
    }

    function test_a_reserve_reference_is_used_once_for_issuing_or_redeeming() public {
        vm.prank(HKD_ISSUER);
        hkd.issue(hongKongBank.bic, 500, REFERENCE);
        bytes memory refusal =
            abi.encodeWithSelector(IDepositToken.DepositTokenReferenceRefused.selector, hkd, REFERENCE);
        _expectIssueRefused(hongKongBank.bic, 500, REFERENCE, refusal);
        vm.prank(hongKongBank.key);
        uint256 number = hkd.requestRedemption(500);
        vm.expectRevert(refusal);
        vm.prank(HKD_ISSUER);
        hkd.fulfilRedemption(number, REFERENCE);
    }

    function test_a_reserve_reference_of_zero_is_refused() public {
        _expectIssueRefused(
            hongKongBank.bic,
            500,
            0,
            abi.encodeWithSelector(IDepositToken.DepositTokenReferenceRefused.selector, hkd, bytes32(0))
        );
    }

    function test_each_currency_has_its_own_references() public {
        vm.prank(HKD_ISSUER);
        hkd.issue(hongKongBank.bic, 500, REFERENCE);
        vm.prank(THB_ISSUER);
        thb.issue(thaiBank.bic, 500, REFERENCE);
        _assertAccount(thb, thaiBank, OPENING + 500, 0);
    }

    function test_a_foreign_bank_is_not_issued_to() public {
        _expectIssueRefused(
            thaiBank.bic,
            500,
            REFERENCE,
            abi.encodeWithSelector(IDepositToken.DepositTokenNotDomestic.selector, hkd, thaiBank.bic)
        );
    }

    function test_a_suspended_or_unlisted_bank_is_not_issued_to() public {
        bytes11 unlisted = "HKBZHKHHXXX";
        _expectIssueRefused(
            unlisted,
            500,
            REFERENCE,
            abi.encodeWithSelector(IParticipantRegistry.ParticipantNotActive.selector, unlisted)
        );
        _suspend(hongKongBank);
        _expectIssueRefused(hongKongBank.bic, 500, REFERENCE, _notActive(hongKongBank));
    }

    function test_an_amount_of_zero_or_beyond_the_word_is_not_issued() public {
        uint256 most = type(uint112).max - hkd.issuedTotal();
        uint256[3] memory refused = [uint256(0), most + 1, type(uint256).max - hkd.issuedTotal()];
        for (uint256 i = 0; i < 3; ++i) {
            _expectIssueRefused(
                hongKongBank.bic,
                refused[i],
                REFERENCE,
                abi.encodeWithSelector(IDepositToken.DepositTokenAmountRefused.selector, hkd, refused[i])
            );
        }
        vm.prank(HKD_ISSUER);
        hkd.issue(hongKongBank.bic, most, REFERENCE);
        vm.assertEq(hkd.totalSupply(), type(uint112).max, "supply");
    }

    // ----- TRANSFER ---------------------------------------------------------------------------------------------

    function test_a_participant_transfers_to_another() public {
        vm.expectEmit();
        emit IERC20.Transfer(hongKongBank.key, thaiBank.key, 500);
        vm.prank(hongKongBank.key);
        vm.assertTrue(hkd.transfer(thaiBank.key, 500), "answer");
        vm.assertEq(hkd.balanceOf(hongKongBank.key), OPENING - 500, "payer");
        vm.assertEq(hkd.balanceOf(thaiBank.key), OPENING + 500, "payee");
    }

    function test_a_transfer_to_oneself_changes_nothing() public {
        vm.prank(hongKongBank.key);
        hkd.transfer(hongKongBank.key, OPENING);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
    }

    function test_nobody_unlisted_or_suspended_receives_or_pays() public {
        _expectTransferRefused(hongKongBank, STRANGER, 1, _keyNotActive(STRANGER));
        _expectTransferRefused(hongKongBank, address(0), 1, _keyNotActive(address(0)));
        _expectTransferRefused(hongKongBank, address(settlement), 1, _keyNotActive(address(settlement)));
        _suspend(thaiBank);
        _expectTransferRefused(hongKongBank, thaiBank.key, 1, _keyNotActive(thaiBank.key));
        _expectTransferRefused(thaiBank, hongKongBank.key, 1, _keyNotActive(thaiBank.key));
    }

    function test_nobody_frozen_receives_or_pays_by_transfer() public {
        _freeze(hkd, thaiBank);
        _expectTransferRefused(hongKongBank, thaiBank.key, 1, _frozen(hkd, thaiBank));
        _expectTransferRefused(thaiBank, hongKongBank.key, 1, _frozen(hkd, thaiBank));
    }

    function test_nothing_is_transferred_during_a_pause() public {
        _pause(hkd);
        _expectTransferRefused(hongKongBank, thaiBank.key, 1, _paused(hkd));
        vm.prank(thaiBank.key);
        thb.transfer(hongKongBank.key, 1);
        _assertAccount(thb, hongKongBank, OPENING + 1, 0);
    }

    function test_a_transfer_uses_what_is_available() public {
        _lock(hongKongBank, _pvp(), _terms());
        _expectTransferRefused(
            hongKongBank, thaiBank.key, OPENING - 999, _insufficient(hkd, hongKongBank, OPENING - 1000, OPENING - 999)
        );
        vm.prank(hongKongBank.key);
        hkd.transfer(thaiBank.key, OPENING - 1000);
        _assertAccount(hkd, hongKongBank, 1000, 1000);
    }

    function test_an_allowance_is_used_up_and_an_unlimited_one_is_not() public {
        vm.prank(hongKongBank.key);
        hkd.approve(STRANGER, 500);
        vm.prank(STRANGER);
        hkd.transferFrom(hongKongBank.key, thaiBank.key, 300);
        vm.assertEq(hkd.allowance(hongKongBank.key, STRANGER), 200, "allowance left");
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, STRANGER, 200, 201));
        vm.prank(STRANGER);
        hkd.transferFrom(hongKongBank.key, thaiBank.key, 201);
        vm.prank(hongKongBank.key);
        hkd.approve(STRANGER, type(uint256).max);
        vm.prank(STRANGER);
        hkd.transferFrom(hongKongBank.key, thaiBank.key, 300);
        vm.assertEq(hkd.allowance(hongKongBank.key, STRANGER), type(uint256).max, "unlimited allowance");
    }

    function test_the_zero_address_is_no_spender() public {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, address(0)));
        vm.prank(hongKongBank.key);
        hkd.approve(address(0), 1);
    }

    // ----- PERMIT -----------------------------------------------------------------------------------------------

    function test_a_permit_gives_an_allowance_once() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(hongKongBank.secret, _permitDigest(NOW_S));
        hkd.permit(hongKongBank.key, STRANGER, 500, NOW_S, v, r, s);
        vm.assertEq(hkd.allowance(hongKongBank.key, STRANGER), 500, "allowance");
        vm.assertEq(hkd.nonces(hongKongBank.key), 1, "nonce");
        vm.expectPartialRevert(IDepositToken.ERC2612InvalidSigner.selector);
        hkd.permit(hongKongBank.key, STRANGER, 500, NOW_S, v, r, s);
    }

    function test_a_permit_is_valid_until_its_deadline_inclusively_as_erc_2612_says() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(hongKongBank.secret, _permitDigest(NOW_S));
        vm.warp(NOW_S + 1);
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.ERC2612ExpiredSignature.selector, NOW_S));
        hkd.permit(hongKongBank.key, STRANGER, 500, NOW_S, v, r, s);
    }

    function test_a_permit_signed_by_another_is_refused() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(thaiBank.secret, _permitDigest(NOW_S));
        vm.expectRevert(
            abi.encodeWithSelector(IDepositToken.ERC2612InvalidSigner.selector, thaiBank.key, hongKongBank.key)
        );
        hkd.permit(hongKongBank.key, STRANGER, 500, NOW_S, v, r, s);
    }

    // ----- FREEZE AND PAUSE -------------------------------------------------------------------------------------

    function test_the_issuer_freezes_and_unfreezes_any_participant_in_its_currency() public {
        vm.expectEmit();
        emit IDepositToken.ParticipantFrozen(thaiBank.bic);
        _freeze(hkd, thaiBank);
        (,, bool frozen) = hkd.accountOf(thaiBank.bic);
        vm.assertTrue(frozen, "frozen");
        vm.expectRevert(_frozen(hkd, thaiBank));
        vm.prank(HKD_ISSUER);
        hkd.freeze(thaiBank.bic);
        vm.expectEmit();
        emit IDepositToken.ParticipantUnfrozen(thaiBank.bic);
        vm.prank(HKD_ISSUER);
        hkd.unfreeze(thaiBank.bic);
        vm.prank(thaiBank.key);
        hkd.transfer(hongKongBank.key, 1);
        _assertAccount(hkd, thaiBank, OPENING - 1, 0);
    }

    function test_who_is_not_frozen_is_not_unfrozen_and_who_was_never_admitted_is_not_frozen() public {
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenNotFrozen.selector, hkd, thaiBank.bic));
        vm.prank(HKD_ISSUER);
        hkd.unfreeze(thaiBank.bic);
        bytes11 unlisted = "HKBZHKHHXXX";
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenUnknownParticipant.selector, hkd, unlisted));
        vm.prank(HKD_ISSUER);
        hkd.freeze(unlisted);
    }

    function test_the_issuer_pauses_and_unpauses_its_currency() public {
        vm.expectEmit();
        emit IDepositToken.Paused();
        _pause(hkd);
        vm.assertTrue(hkd.paused(), "paused");
        vm.expectRevert(_paused(hkd));
        vm.prank(HKD_ISSUER);
        hkd.pause();
        vm.expectEmit();
        emit IDepositToken.Unpaused();
        vm.prank(HKD_ISSUER);
        hkd.unpause();
        vm.assertFalse(hkd.paused(), "paused");
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenNotPaused.selector, hkd));
        vm.prank(HKD_ISSUER);
        hkd.unpause();
    }

    function test_nobody_else_freezes_or_pauses() public {
        address[4] memory callers = [THB_ISSUER, operator, hongKongBank.key, address(settlement)];
        for (uint256 i = 0; i < callers.length; ++i) {
            _expectNotIssuer(callers[i]);
            hkd.freeze(thaiBank.bic);
            _expectNotIssuer(callers[i]);
            hkd.unfreeze(thaiBank.bic);
            _expectNotIssuer(callers[i]);
            hkd.pause();
            _expectNotIssuer(callers[i]);
            hkd.unpause();
        }
    }

    function test_an_issuer_may_issue_while_its_currency_is_paused_and_to_a_frozen_bank() public {
        _pause(hkd);
        _freeze(hkd, hongKongBank);
        vm.prank(HKD_ISSUER);
        hkd.issue(hongKongBank.bic, 500, REFERENCE);
        _assertAccount(hkd, hongKongBank, OPENING + 500, 0);
    }

    // ----- SETTLEMENT ENTRY POINTS ------------------------------------------------------------------------------

    function test_only_the_settlement_contract_moves_holds_releases_and_claims() public {
        address[4] memory callers = [HKD_ISSUER, operator, hongKongBank.key, STRANGER];
        bytes[5] memory calls = [
            abi.encodeCall(hkd.moveGross, (_party(hongKongBank), _party(thaiBank), 1)),
            abi.encodeCall(hkd.settleNet, (new Party[](0), new int256[](0))),
            abi.encodeCall(hkd.makeHold, (hongKongBank.bic, thaiBank.bic, 1)),
            abi.encodeCall(hkd.release, (hongKongBank.bic, 0)),
            abi.encodeCall(hkd.settleHold, (_party(hongKongBank), _party(thaiBank), 0))
        ];
        for (uint256 i = 0; i < callers.length; ++i) {
            for (uint256 j = 0; j < calls.length; ++j) {
                vm.prank(callers[i]);
                (bool done, bytes memory answer) = address(hkd).call(calls[j]);
                vm.assertFalse(done, "refused");
                bytes memory refusal =
                    abi.encodeWithSelector(IDepositToken.DepositTokenNotSettlement.selector, hkd, callers[i]);
                vm.assertEq(keccak256(answer), keccak256(refusal), "reason");
            }
        }
    }

    function test_the_token_itself_refuses_positions_that_do_not_balance() public {
        Party[] memory parties = new Party[](1);
        int256[] memory positions = new int256[](1);
        (parties[0], positions[0]) = (_party(hongKongBank), 1);
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenUnbalanced.selector, hkd, 1));
        vm.prank(address(settlement));
        hkd.settleNet(parties, positions);
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenLengthMismatch.selector, hkd));
        vm.prank(address(settlement));
        hkd.settleNet(parties, new int256[](2));
    }

    function test_even_the_settlement_contract_cannot_pay_somebody_who_was_never_admitted() public {
        Bank memory unlisted = Bank("HKBZHKHHXXX", 0, STRANGER);
        bytes memory refusal =
            abi.encodeWithSelector(IDepositToken.DepositTokenUnknownParticipant.selector, hkd, unlisted.bic);
        vm.expectRevert(refusal);
        vm.prank(address(settlement));
        hkd.moveGross(_party(hongKongBank), _party(unlisted), 1);
        Party[] memory parties = new Party[](2);
        int256[] memory positions = new int256[](2);
        (parties[0], positions[0]) = (_party(hongKongBank), -1);
        (parties[1], positions[1]) = (_party(unlisted), 1);
        vm.expectRevert(refusal);
        vm.prank(address(settlement));
        hkd.settleNet(parties, positions);
    }

    function test_no_position_however_large_wraps_around() public {
        Party[] memory parties = new Party[](1);
        int256[] memory positions = new int256[](1);
        (parties[0], positions[0]) = (_party(hongKongBank), type(int256).min);
        vm.expectRevert(_insufficient(hkd, hongKongBank, OPENING, 1 << 255));
        vm.prank(address(settlement));
        hkd.settleNet(parties, positions);
        positions[0] = type(int256).max;
        vm.expectRevert(
            abi.encodeWithSelector(IDepositToken.DepositTokenAmountRefused.selector, hkd, uint256(type(int256).max))
        );
        vm.prank(address(settlement));
        hkd.settleNet(parties, positions);
        positions[0] = int256(uint256(type(uint112).max) - OPENING + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositToken.DepositTokenAmountRefused.selector, hkd, uint256(positions[0]))
        );
        vm.prank(address(settlement));
        hkd.settleNet(parties, positions);
    }

    function test_no_more_is_released_or_claimed_than_is_held() public {
        bytes memory refusal =
            abi.encodeWithSelector(IDepositToken.DepositTokenInsufficientHeld.selector, hkd, hongKongBank.bic, 0, 1);
        vm.expectRevert(refusal);
        vm.prank(address(settlement));
        hkd.release(hongKongBank.bic, 1);
        vm.expectRevert(refusal);
        vm.prank(address(settlement));
        hkd.settleHold(_party(hongKongBank), _party(thaiBank), 1);
    }

    // ----- DESCRIPTION AND DEPLOYMENT ---------------------------------------------------------------------------

    function test_a_token_describes_itself() public view {
        vm.assertEq(hkd.symbol(), "HKD", "symbol");
        vm.assertEq(hkd.name(), "HKD deposit token", "name");
        vm.assertEq(hkd.decimals(), 2, "decimals");
        vm.assertEq(bytes32(hkd.currency()), bytes32("HKD"), "currency");
        vm.assertEq(bytes32(hkd.country()), bytes32("HK"), "country");
        vm.assertEq(hkd.issuer(), HKD_ISSUER, "issuer");
        vm.assertEq(hkd.settlement(), address(settlement), "settlement contract");
        vm.assertEq(address(hkd.registry()), address(registry), "register");
        vm.assertEq(hkd.balanceOf(STRANGER), 0, "balance of a stranger");
    }

    function test_a_token_of_no_issuer_of_the_corridor_is_not_deployed() public {
        vm.assertFalse(_deploys(STRANGER, address(settlement)), "unknown issuer");
        vm.assertFalse(_deploys(HKD_ISSUER, STRANGER), "no settlement contract");
        vm.assertTrue(_deploys(HKD_ISSUER, address(settlement)), "deployed");
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _deploys(address issuer, address settlement_) private returns (bool) {
        bytes memory creation = abi.encodePacked(
            vm.getCode("DepositToken.sol:DepositToken"),
            abi.encode("HKD deposit token", "HKD", 2, bytes3("HKD"), issuer, registry, settlement_)
        );
        address deployed;
        // The language has no other way to create a contract from bytes.
        assembly {
            deployed := create(0, add(creation, 0x20), mload(creation))
        }
        return deployed != address(0);
    }

    function _party(Bank memory bank) private pure returns (Party) {
        return Party.wrap(uint256(bytes32(bank.bic)) | uint160(bank.key));
    }

    function _permitDigest(uint256 deadline) private view returns (bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, hongKongBank.key, STRANGER, 500, 0, deadline));
        return keccak256(abi.encodePacked(hex"1901", hkd.DOMAIN_SEPARATOR(), structHash));
    }

    function _expectNotIssuer(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenNotIssuer.selector, hkd, caller));
        vm.prank(caller);
    }

    function _expectIssueRefused(bytes11 bic, uint256 amount, bytes32 reserveReference, bytes memory error) private {
        vm.expectRevert(error);
        vm.prank(HKD_ISSUER);
        hkd.issue(bic, amount, reserveReference);
    }

    function _expectTransferRefused(Bank memory payer, address payee, uint256 amount, bytes memory error) private {
        vm.expectRevert(error);
        vm.prank(payer.key);
        hkd.transfer(payee, amount);
    }

    function _keyNotActive(address key) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, key);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice A domestic bank asks to redeem; its issuer fulfils or refuses; after a day without an answer it withdraws.
contract RedemptionTest is CorridorTest {
    bytes32 private constant REFERENCE = keccak256("a movement in the issuer's books");
    uint256 private constant WITHDRAWABLE_S = NOW_S + 1 days;

    // ----- ASK --------------------------------------------------------------------------------------------------

    function test_a_request_holds_its_amount_under_a_number() public {
        vm.expectEmit();
        emit IDepositToken.RedemptionRequested(1, hongKongBank.bic, 500);
        vm.assertEq(_request(500), 1, "first number");
        vm.assertEq(_request(200), 2, "second number");
        vm.assertEq(hkd.redemptionCount(), 2, "count");
        _assertAccount(hkd, hongKongBank, OPENING, 700);
        IDepositToken.Redemption memory request = hkd.redemption(1);
        vm.assertEq(bytes32(request.participant), bytes32(hongKongBank.bic), "participant");
        vm.assertEq(request.amount, 500, "amount");
        vm.assertEq(request.requestedAt, NOW_S, "time");
        _assertEnded(1, IDepositToken.RedemptionState.Requested);
    }

    function test_a_held_amount_is_neither_transferred_nor_asked_for_again() public {
        _request(OPENING);
        _expectRequestRefused(hongKongBank, 1, _insufficient(hkd, hongKongBank, 0, 1));
        vm.expectRevert(_insufficient(hkd, hongKongBank, 0, 1));
        vm.prank(hongKongBank.key);
        hkd.transfer(thaiBank.key, 1);
    }

    function test_a_locked_amount_is_not_asked_for() public {
        _lock(hongKongBank, _pvp(), _terms());
        _expectRequestRefused(hongKongBank, OPENING, _insufficient(hkd, hongKongBank, OPENING - 1000, OPENING));
    }

    function test_a_foreign_bank_asks_for_nothing() public {
        _expectRequestRefused(
            thaiBank, 1, abi.encodeWithSelector(IDepositToken.DepositTokenNotDomestic.selector, hkd, thaiBank.bic)
        );
    }

    function test_an_amount_of_zero_is_refused() public {
        _expectRequestRefused(
            hongKongBank, 0, abi.encodeWithSelector(IDepositToken.DepositTokenAmountRefused.selector, hkd, 0)
        );
    }

    function test_an_amount_beyond_the_word_is_refused() public {
        uint256 amount = uint256(1 << 112) + 1;
        _expectRequestRefused(hongKongBank, amount, _insufficient(hkd, hongKongBank, OPENING, amount));
    }

    function test_who_is_frozen_suspended_or_paused_asks_for_nothing() public {
        _freeze(hkd, hongKongBank);
        _expectRequestRefused(hongKongBank, 1, _frozen(hkd, hongKongBank));
        _suspend(secondHongKongBank);
        _expectRequestRefused(
            secondHongKongBank,
            1,
            abi.encodeWithSelector(IParticipantRegistry.ParticipantKeyNotActive.selector, secondHongKongBank.key)
        );
        _pause(hkd);
        _expectRequestRefused(hongKongBank, 1, _paused(hkd));
    }

    // ----- FULFIL -----------------------------------------------------------------------------------------------

    function test_the_issuer_fulfils_under_a_reference_and_the_supply_falls() public {
        _request(500);
        vm.expectEmit();
        emit IERC20.Transfer(hongKongBank.key, address(0), 500);
        vm.expectEmit();
        emit IDepositToken.Redeemed(1, hongKongBank.bic, 500, REFERENCE);
        _fulfil(1);
        _assertAccount(hkd, hongKongBank, OPENING - 500, 0);
        vm.assertEq(hkd.totalSupply(), 4 * OPENING - 500, "supply");
        vm.assertEq(hkd.redeemedTotal(), 500, "redeemed");
        _assertEnded(1, IDepositToken.RedemptionState.Fulfilled);
    }

    function test_a_reference_is_used_once_and_never_zero() public {
        _request(500);
        _request(500);
        _fulfil(1);
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenReferenceRefused.selector, hkd, REFERENCE));
        _fulfil(2);
        vm.expectRevert(abi.encodeWithSelector(IDepositToken.DepositTokenReferenceRefused.selector, hkd, bytes32(0)));
        vm.prank(HKD_ISSUER);
        hkd.fulfilRedemption(2, 0);
    }

    function test_the_key_of_the_event_is_the_current_one() public {
        _request(500);
        address newKey = address(0x4E11);
        vm.prank(hongKongBank.key);
        registry.proposeKey(newKey);
        vm.prank(HKD_ISSUER);
        registry.confirmKey(hongKongBank.bic, newKey);
        vm.expectEmit();
        emit IERC20.Transfer(newKey, address(0), 500);
        _fulfil(1);
    }

    // ----- REFUSE AND WITHDRAW ----------------------------------------------------------------------------------

    function test_a_refused_amount_is_available_again() public {
        _request(500);
        vm.expectEmit();
        emit IDepositToken.RedemptionRefused(1, hongKongBank.bic, 500);
        vm.prank(HKD_ISSUER);
        hkd.refuseRedemption(1);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertEnded(1, IDepositToken.RedemptionState.Refused);
    }

    function test_the_bank_withdraws_from_the_end_of_the_answering_time_on() public {
        _request(500);
        vm.warp(WITHDRAWABLE_S - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDepositToken.DepositTokenRedemptionTooEarly.selector, hkd, 1, WITHDRAWABLE_S, WITHDRAWABLE_S - 1
            )
        );
        _withdraw(hongKongBank.key, 1);
        vm.warp(WITHDRAWABLE_S);
        vm.expectEmit();
        emit IDepositToken.RedemptionWithdrawn(1, hongKongBank.bic, 500);
        _withdraw(hongKongBank.key, 1);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertEnded(1, IDepositToken.RedemptionState.Withdrawn);
    }

    function test_the_issuer_may_still_fulfil_after_the_answering_time() public {
        _request(500);
        vm.warp(WITHDRAWABLE_S + 1);
        _fulfil(1);
        _assertEnded(1, IDepositToken.RedemptionState.Fulfilled);
    }

    function test_nobody_withdraws_for_another() public {
        _request(500);
        vm.warp(WITHDRAWABLE_S);
        address[3] memory callers = [secondHongKongBank.key, HKD_ISSUER, STRANGER];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IDepositToken.DepositTokenRedemptionNotYours.selector, hkd, 1, hongKongBank.bic)
            );
            _withdraw(callers[i], 1);
        }
    }

    function test_neither_freeze_suspension_nor_pause_traps_a_request() public {
        _request(100);
        _request(200);
        _request(300);
        _freeze(hkd, hongKongBank);
        _suspend(hongKongBank);
        _pause(hkd);
        _fulfil(1);
        vm.prank(HKD_ISSUER);
        hkd.refuseRedemption(2);
        vm.warp(WITHDRAWABLE_S);
        _withdraw(hongKongBank.key, 3);
        _assertAccount(hkd, hongKongBank, OPENING - 100, 0);
    }

    function test_a_request_ends_once() public {
        _request(100);
        _request(100);
        _request(100);
        _fulfil(1);
        vm.prank(HKD_ISSUER);
        hkd.refuseRedemption(2);
        vm.warp(WITHDRAWABLE_S);
        _withdraw(hongKongBank.key, 3);
        for (uint256 number = 0; number <= 4; ++number) {
            bytes memory refusal = abi.encodeWithSelector(
                IDepositToken.DepositTokenRedemptionNotOpen.selector, hkd, number, hkd.redemption(number).state
            );
            vm.expectRevert(refusal);
            vm.prank(HKD_ISSUER);
            hkd.fulfilRedemption(number, keccak256("another reference"));
            vm.expectRevert(refusal);
            vm.prank(HKD_ISSUER);
            hkd.refuseRedemption(number);
            vm.expectRevert(refusal);
            _withdraw(hongKongBank.key, number);
        }
        _assertAccount(hkd, hongKongBank, OPENING - 100, 0);
    }

    function test_nobody_else_answers() public {
        _request(500);
        address[4] memory callers = [THB_ISSUER, operator, hongKongBank.key, address(settlement)];
        for (uint256 i = 0; i < 4; ++i) {
            bytes memory refusal = abi.encodeWithSelector(IDepositToken.DepositTokenNotIssuer.selector, hkd, callers[i]);
            vm.expectRevert(refusal);
            vm.prank(callers[i]);
            hkd.fulfilRedemption(1, REFERENCE);
            vm.expectRevert(refusal);
            vm.prank(callers[i]);
            hkd.refuseRedemption(1);
        }
    }

    function test_the_accounts_of_many_are_read_at_once() public {
        _request(500);
        _freeze(hkd, thaiBank);
        bytes11[] memory asked = new bytes11[](2);
        (asked[0], asked[1]) = (hongKongBank.bic, thaiBank.bic);
        (uint256[] memory balances, uint256[] memory held, bool[] memory frozen) = hkd.accountsOf(asked);
        vm.assertEq(balances[0], OPENING, "balance");
        vm.assertEq(held[0], 500, "held");
        vm.assertFalse(frozen[0], "not frozen");
        vm.assertEq(held[1], 0, "nothing held");
        vm.assertTrue(frozen[1], "frozen");
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _request(uint256 amount) private returns (uint256) {
        vm.prank(hongKongBank.key);
        return hkd.requestRedemption(amount);
    }

    function _fulfil(uint256 number) private {
        vm.prank(HKD_ISSUER);
        hkd.fulfilRedemption(number, REFERENCE);
    }

    function _withdraw(address caller, uint256 number) private {
        vm.prank(caller);
        hkd.withdrawRedemption(number);
    }

    function _assertEnded(uint256 number, IDepositToken.RedemptionState state) private view {
        vm.assertEq(uint256(hkd.redemption(number).state), uint256(state), "state of the request");
    }

    function _expectRequestRefused(Bank memory bank, uint256 amount, bytes memory error) private {
        vm.expectRevert(error);
        vm.prank(bank.key);
        hkd.requestRedemption(amount);
    }
}

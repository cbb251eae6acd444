// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, Leg, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice The largest inputs that the contract takes: they settle, and no loop is cut short.
contract BoundsTest is CorridorTest {
    uint256 private constant MOST_ENTRIES = 2048;
    uint256 private constant MOST_TOKENS = 16;
    bytes32 private constant ROOT = keccak256("root");

    function test_a_batch_of_2048_participants_settles_and_its_last_entry_counts() public {
        Bank[] memory banks = _admitMany(MOST_ENTRIES);
        vm.prank(HKD_ISSUER);
        hkd.issue(banks[0].bic, 1000, keccak256("reserves"));
        Batch memory batch = _batchOf(banks);
        batch.positions[0] = -1000;
        batch.positions[MOST_ENTRIES - 1] = 1000;
        Signature[] memory signatures = new Signature[](MOST_ENTRIES);
        bytes32 id = typed.batchId(batch);
        for (uint256 i = 0; i < MOST_ENTRIES; ++i) {
            signatures[i] = _sign(banks[i].secret, typed.netDigest(_domain(), banks[i].bic, 0, id));
        }
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
        vm.assertEq(settlement.batchOf(operator, 1), id, "batch of the round");
        _assertAccount(hkd, banks[0], 0, 0);
        _assertAccount(hkd, banks[MOST_ENTRIES - 1], 1000, 0);
    }

    function test_a_batch_of_sixteen_tokens_settles_and_its_last_token_counts() public {
        Batch memory batch = Batch(
            operator, 1, DEADLINE_S, new address[](MOST_TOKENS), new bytes11[](2), new bytes32[](2), new int256[](32)
        );
        (batch.participants[0], batch.participants[1]) = (hongKongBank.bic, thaiBank.bic);
        (batch.entryRoots[0], batch.entryRoots[1]) = (ROOT, ROOT);
        for (uint256 j = 0; j < MOST_TOKENS; ++j) {
            batch.tokens[j] = address(_deployToken("HKD", HKD_ISSUER, registry, settlement));
            _insertLast(batch.tokens, j);
        }
        address last = batch.tokens[MOST_TOKENS - 1];
        vm.prank(HKD_ISSUER);
        (bool issued,) = last.call(abi.encodeCall(hkd.issue, (hongKongBank.bic, 1000, keccak256("reserves"))));
        vm.assertTrue(issued, "issued");
        (batch.positions[MOST_TOKENS - 1], batch.positions[2 * MOST_TOKENS - 1]) = (-1000, 1000);
        _settleBatch(batch);
        vm.assertEq(hkd.balanceOf(thaiBank.key), OPENING, "no other token moved");
        (, bytes memory balance) = last.call(abi.encodeCall(hkd.accountOf, (thaiBank.bic)));
        (uint256 received,,) = abi.decode(balance, (uint256, uint256, bool));
        vm.assertEq(received, 1000, "balance in the last token");
    }

    function test_sixteen_legs_are_locked_claimed_and_refunded_to_the_last() public {
        Leg[] memory legs = new Leg[](16);
        Bank[] memory banks = _admitMany(16);
        for (uint256 i = 0; i < 16; ++i) {
            legs[i] = _leg(hongKongBank, banks[i], hkd, i + 1);
        }
        // The payees' BICs ascend, and all begin with A: below the payer's.
        _lock(hongKongBank, legs, _terms());
        vm.assertEq(uint256(settlement.obligation(_id(legs)).lockedMask), 0xFFFF, "all sixteen bits");
        settlement.claim(INSTRUCTIONS, legs, _terms(), PREIMAGE);
        _assertAccount(hkd, banks[15], 16, 0);
        _assertAccount(hkd, hongKongBank, OPENING - 136, 0);
        legs[15].amount = 17;
        _lock(hongKongBank, legs, _terms());
        vm.warp(TIMELOCK_S);
        settlement.refund(INSTRUCTIONS, legs, _terms(), 15);
        _assertAccount(hkd, hongKongBank, OPENING - 136, 120);
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    /// @dev Hong Kong banks whose BICs ascend: AAAAHKHHXXX, AAABHKHHXXX and so on.
    function _admitMany(uint256 count) private returns (Bank[] memory banks) {
        banks = new Bank[](count);
        for (uint256 i = 0; i < count; ++i) {
            bytes memory bic = "AAAAHKHHXXX";
            (bic[1], bic[2], bic[3]) = (_letter(i / 676), _letter(i / 26 % 26), _letter(i % 26));
            bytes memory lei = "MANY0000000000000000";
            for (uint256 digit = 0; digit < 4; ++digit) {
                lei[19 - digit] = bytes1(uint8(48 + i / 10 ** digit % 10));
            }
            banks[i] = _admit(bytes11(bic), bytes20(lei), 0xB000 + i);
        }
    }

    function _letter(uint256 number) private pure returns (bytes1) {
        return bytes1(uint8(65 + number));
    }

    function _batchOf(Bank[] memory banks) private view returns (Batch memory batch) {
        uint256 count = banks.length;
        batch = Batch(
            operator, 1, DEADLINE_S, new address[](1), new bytes11[](count), new bytes32[](count), new int256[](count)
        );
        batch.tokens[0] = address(hkd);
        for (uint256 i = 0; i < count; ++i) {
            (batch.participants[i], batch.entryRoots[i]) = (banks[i].bic, ROOT);
        }
    }

    /// @dev Moves the last of the first `last + 1` addresses to its place among the others, which ascend.
    function _insertLast(address[] memory list, uint256 last) private pure {
        for (uint256 i = last; i > 0 && list[i] < list[i - 1]; --i) {
            (list[i], list[i - 1]) = (list[i - 1], list[i]);
        }
    }
}

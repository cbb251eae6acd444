// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Party} from "../../../contracts/IParticipantRegistry.sol";
import {Batch, Signature} from "../../../contracts/SettlementTypes.sol";
import {prover} from "./Prover.sol";
import {ProofWorld} from "./ProofWorld.sol";

/// @notice Net settlement for all positions, balances, signatures and submitters: it balances, nobody is overdrawn,
/// one batch settles per round.
contract NetProof is ProofWorld {
    function check_positions_move_exactly_or_not_at_all_and_change_no_supply(
        uint256 issued,
        int256 position,
        int256 other,
        address submitter,
        Signature calldata first,
        Signature calldata second,
        Signature calldata proposal
    ) external {
        _open(issued, 1);
        Batch memory batch = _batch(1, position, other, keccak256("root"));
        prover.prank(submitter);
        try settlement.settleBatch(batch, proposal, _two(first, second)) {
            assert(position == -other && position <= 0 && position >= -int256(issued));
            assert(submitter == OPERATOR || submitter == HONG_KONG_KEY || submitter == THAI_KEY);
            _assertBalances(hkd, issued - uint256(other), uint256(other));
        } catch {
            _assertBalances(hkd, issued, 0);
        }
        assert(hkd.totalSupply() == issued);
    }

    function check_a_round_takes_one_batch_whatever_else_was_signed(
        uint64 round,
        int256 position,
        int256 laterPosition,
        bytes32 laterRoot,
        uint256 wait
    ) external {
        _open(1000, 1);
        if (!_settleSigned(_batch(round, -position, position, keccak256("root")))) return;
        prover.assume(wait < 600);
        prover.warp(NOW_S + wait);
        assert(!_settleSigned(_batch(round, -laterPosition, laterPosition, laterRoot)));
    }

    /// @dev The token by itself, whatever the settlement contract passes: a party twice and positions of any size.
    function check_the_token_lets_no_list_overdraw_or_create(uint256 issued, int256 first, int256 second, int256 third)
        external
    {
        _open(issued, 1);
        _settleNet(first, second, third);
        assert(_balance(hkd, HONG_KONG_BANK) + _balance(hkd, THAI_BANK) == issued);
        assert(hkd.totalSupply() == issued);
        _assertCovered(hkd);
    }

    function witness_a_batch_does_settle(int256 position) external {
        _open(1000, 1);
        prover.assume(position > 0);
        assert(!_settleSigned(_batch(7, -position, position, keccak256("root"))));
    }

    function witness_a_list_does_move(int256 first, int256 second, int256 third) external {
        _open(1000, 1);
        assert(!_settleNet(first, second, third));
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _batch(uint64 round, int256 position, int256 other, bytes32 root)
        private
        view
        returns (Batch memory batch)
    {
        batch = Batch(
            OPERATOR, round, uint64(NOW_S + 600), new address[](1), new bytes11[](2), new bytes32[](2), new int256[](2)
        );
        batch.tokens[0] = address(hkd);
        (batch.participants[0], batch.participants[1]) = (HONG_KONG_BANK, THAI_BANK);
        (batch.entryRoots[0], batch.entryRoots[1]) = (root, keccak256("other root"));
        (batch.positions[0], batch.positions[1]) = (position, other);
    }

    /// @dev The operator and both banks consent to whatever the batch is, by their own transactions.
    function _settleSigned(Batch memory batch) private returns (bool) {
        prover.prank(OPERATOR);
        try settlement.settleBatch(batch, _none(), _two(_anything(1), _anything(2))) {
            return true;
        } catch {
            return false;
        }
    }

    function _settleNet(int256 first, int256 second, int256 third) private returns (bool) {
        Party[] memory parties = new Party[](3);
        int256[] memory positions = new int256[](3);
        (positions[0], positions[1], positions[2]) = (first, second, third);
        (parties[0], parties[1], parties[2]) = (_party(HONG_KONG_BANK), _party(THAI_BANK), _party(HONG_KONG_BANK));
        prover.prank(address(settlement));
        try hkd.settleNet(parties, positions) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev A signature of which nothing is known: it may be the participant's.
    function _anything(uint256 number) private pure returns (Signature memory) {
        return Signature(bytes32(number), bytes32(number));
    }

    function _two(Signature memory first, Signature memory second)
        private
        pure
        returns (Signature[] memory signatures)
    {
        signatures = new Signature[](2);
        (signatures[0], signatures[1]) = (first, second);
    }

    function _party(bytes11 bic) private view returns (Party) {
        return Party.wrap(uint256(bytes32(bic)) | uint160(registry.currentKeyOf(bic)));
    }
}

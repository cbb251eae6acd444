// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Leg, Signature} from "../../../contracts/SettlementTypes.sol";
import {prover} from "./Prover.sol";
import {ProofWorld} from "./ProofWorld.sol";

/// @notice Gross settlement of a PvP for all amounts, balances, signatures and deadlines: all of it or nothing, no
/// supply changes, no overdraft, once.
contract SettleProof is ProofWorld {
    function check_a_pvp_settles_whole_or_not_at_all_and_changes_no_supply(
        uint256 hkdIssued,
        uint256 thbIssued,
        uint256 hkdAmount,
        uint256 thbAmount,
        Signature calldata signature
    ) external {
        _open(hkdIssued, thbIssued);
        Signature[] memory signatures = new Signature[](2);
        signatures[1] = signature;
        if (_settle(_pvp(hkdAmount, thbAmount), uint64(NOW_S + 600), signatures)) {
            assert(hkdAmount <= hkdIssued && thbAmount <= thbIssued);
            _assertBalances(hkd, hkdIssued - hkdAmount, hkdAmount);
            _assertBalances(thb, thbAmount, thbIssued - thbAmount);
        } else {
            _assertBalances(hkd, hkdIssued, 0);
            _assertBalances(thb, 0, thbIssued);
        }
        assert(hkd.totalSupply() == hkdIssued && thb.totalSupply() == thbIssued);
    }

    function check_an_obligation_settles_once(
        uint256 amount,
        uint256 issued,
        uint64 deadline,
        uint64 later,
        uint256 wait
    ) external {
        _open(issued, 1);
        Signature[] memory signatures = new Signature[](1);
        if (!_settle(_payment(amount), deadline, signatures)) return;
        prover.assume(wait < 1 << 64);
        prover.warp(NOW_S + wait);
        assert(!_settle(_payment(amount), later, signatures));
    }

    function check_a_consent_counts_before_its_deadline_and_for_fifteen_minutes_at_most(uint64 deadline, uint256 amount)
        external
    {
        _open(1000, 1);
        bool settled = _settle(_payment(amount), deadline, new Signature[](1));
        bool inTime = NOW_S < deadline && deadline <= NOW_S + 900;
        assert(settled == (inTime && amount > 0 && amount <= 1000));
    }

    /// @dev Nobody but the payer is the caller, and there is no signature.
    function check_nobody_settles_without_a_consent(address caller, uint256 amount) external {
        _open(1000, 1);
        prover.assume(caller != HONG_KONG_KEY);
        prover.prank(caller);
        try settlement.settle(INSTRUCTIONS, _payment(amount), uint64(NOW_S + 600), new Signature[](1)) {
            assert(false);
        } catch {}
    }

    function witness_a_pvp_does_settle(uint256 hkdAmount, uint256 thbAmount, Signature calldata signature) external {
        _open(1000, 1000);
        Signature[] memory signatures = new Signature[](2);
        signatures[1] = signature;
        assert(!_settle(_pvp(hkdAmount, thbAmount), uint64(NOW_S + 600), signatures));
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _payment(uint256 amount) private view returns (Leg[] memory legs) {
        legs = new Leg[](1);
        legs[0] = Leg(HONG_KONG_BANK, THAI_BANK, THIS_CHAIN, address(hkd), amount);
    }

    function _settle(Leg[] memory legs, uint64 deadline, Signature[] memory signatures) private returns (bool) {
        prover.prank(HONG_KONG_KEY);
        try settlement.settle(INSTRUCTIONS, legs, deadline, signatures) {
            return true;
        } catch {
            return false;
        }
    }
}

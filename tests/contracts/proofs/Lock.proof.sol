// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Leg, LockTerms} from "../../../contracts/SettlementTypes.sol";
import {prover} from "./Prover.sol";
import {ProofWorld} from "./ProofWorld.sol";

/// @notice Lock, claim and refund for all amounts, timelocks and moments: disjoint windows, the order of two ledgers'
/// timelocks, once, and that nothing but time decides between claim and refund.
contract LockProof is ProofWorld {
    uint256 private constant OTHER_CHAIN = 77;
    address private constant OTHER_SETTLEMENT = address(0x5E77);
    bytes32 private constant PREIMAGE = keccak256("preimage");

    function check_a_claim_succeeds_exactly_before_the_timelock(uint64 timelock, uint256 amount, uint256 moment)
        external
    {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, amount, moment);
        bool claimed = _claim(legs, terms, PREIMAGE);
        assert(claimed == (moment < timelock));
        _assertHeld(claimed ? 0 : amount);
        _assertBalances(hkd, claimed ? 1000 - amount : 1000, claimed ? amount : 0);
    }

    function check_a_refund_succeeds_exactly_from_the_timelock_on(uint64 timelock, uint256 amount, uint256 moment)
        external
    {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, amount, moment);
        bool refunded = _refund(legs, terms, 0);
        assert(refunded == (moment >= timelock));
        _assertHeld(refunded ? 0 : amount);
        _assertBalances(hkd, 1000, 0);
    }

    function check_after_a_claim_there_is_neither_claim_nor_refund(
        uint64 timelock,
        uint256 moment,
        uint256 later,
        uint256 leg
    ) external {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, 400, moment);
        if (!_claim(legs, terms, PREIMAGE)) return;
        prover.assume(later >= moment);
        prover.warp(later);
        assert(!_claim(legs, terms, PREIMAGE));
        assert(!_refund(legs, terms, leg));
        _assertBalances(hkd, 600, 400);
    }

    function check_after_a_refund_there_is_neither_claim_nor_refund(
        uint64 timelock,
        uint256 moment,
        uint256 later,
        uint256 leg
    ) external {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, 400, moment);
        if (!_refund(legs, terms, 0)) return;
        prover.assume(later >= moment);
        prover.warp(later);
        assert(!_claim(legs, terms, PREIMAGE));
        assert(!_refund(legs, terms, leg));
        _assertBalances(hkd, 1000, 0);
    }

    function check_nothing_an_authority_does_stops_claim_or_refund(uint64 timelock, uint256 moment, uint8 deeds)
        external
    {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, 400, moment);
        _obstruct(deeds);
        if (moment < timelock) assert(_claim(legs, terms, PREIMAGE));
        else assert(_refund(legs, terms, 0));
    }

    function check_only_the_preimage_claims(uint64 timelock, uint256 moment, bytes32 preimage) external {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, 400, moment);
        if (_claim(legs, terms, preimage)) assert(sha256(abi.encode(preimage)) == terms.hashlock);
    }

    function check_a_lock_leaves_ten_minutes_and_at_most_seven_days(uint64 timelock, uint256 amount) external {
        _open(1000, 1);
        bool locked = _tryLock(_pvp(amount, 1), LockTerms(1, _hashlock(), timelock, 0, address(0), 0));
        bool inWindow = timelock >= NOW_S + 600 && timelock <= NOW_S + 7 days;
        assert(locked == (inWindow && amount > 0 && amount <= 1000));
    }

    function check_two_ledgers_timelocks_are_apart_by_the_margin(uint64 timelock, uint64 other) external {
        _open(1000, 1);
        Leg[] memory legs = _pvp(400, 1);
        legs[1].chainId = OTHER_CHAIN;
        bool locked = _tryLock(legs, LockTerms(1, _hashlock(), timelock, OTHER_CHAIN, OTHER_SETTLEMENT, other));
        bool inWindow = timelock >= NOW_S + 600 && timelock <= NOW_S + 7 days;
        bool apart = uint256(timelock) >= uint256(other) + 1800 || uint256(other) >= uint256(timelock) + 1800;
        assert(locked == (inWindow && apart));
    }

    function check_a_leg_is_locked_once(uint64 timelock, uint64 again, uint32 attempt, bytes32 hashlock) external {
        (Leg[] memory legs,) = _locked(timelock, 400, NOW_S + 1);
        assert(!_tryLock(legs, LockTerms(attempt, hashlock, again, 0, address(0), 0)));
        _assertHeld(400);
    }

    function witness_a_lock_is_claimed(uint64 timelock, uint256 amount, uint256 moment) external {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, amount, moment);
        assert(!_claim(legs, terms, PREIMAGE));
    }

    function witness_a_lock_is_refunded(uint64 timelock, uint256 amount, uint256 moment) external {
        (Leg[] memory legs, LockTerms memory terms) = _locked(timelock, amount, moment);
        assert(!_refund(legs, terms, 0));
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _hashlock() private pure returns (bytes32) {
        return sha256(abi.encode(PREIMAGE));
    }

    /// @dev One leg of any amount, locked until any time; then the clock shows any later moment.
    function _locked(uint64 timelock, uint256 amount, uint256 moment)
        private
        returns (Leg[] memory legs, LockTerms memory terms)
    {
        _open(1000, 1);
        legs = new Leg[](1);
        legs[0] = Leg(HONG_KONG_BANK, THAI_BANK, THIS_CHAIN, address(hkd), amount);
        terms = LockTerms(1, _hashlock(), timelock, 0, address(0), 0);
        prover.assume(_tryLock(legs, terms));
        prover.assume(moment >= NOW_S && moment < 1 << 64);
        prover.warp(moment);
    }

    function _tryLock(Leg[] memory legs, LockTerms memory terms) private returns (bool) {
        prover.prank(HONG_KONG_KEY);
        try settlement.lock(INSTRUCTIONS, legs, terms, HONG_KONG_BANK, uint64(block.timestamp + 600), _none()) {
            return true;
        } catch {
            return false;
        }
    }

    function _claim(Leg[] memory legs, LockTerms memory terms, bytes32 preimage) private returns (bool) {
        try settlement.claim(INSTRUCTIONS, legs, terms, preimage) {
            return true;
        } catch {
            return false;
        }
    }

    function _refund(Leg[] memory legs, LockTerms memory terms, uint256 leg) private returns (bool) {
        try settlement.refund(INSTRUCTIONS, legs, terms, leg) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev Any combination of what may be done to the two banks and their currency.
    function _obstruct(uint8 deeds) private {
        if (deeds & 1 != 0) {
            prover.prank(HKD_ISSUER);
            registry.suspend(HONG_KONG_BANK);
        }
        if (deeds & 2 != 0) {
            prover.prank(OPERATOR);
            registry.suspendForADay(THAI_BANK);
        }
        if (deeds & 4 != 0) {
            prover.prank(HKD_ISSUER);
            hkd.freeze(HONG_KONG_BANK);
        }
        if (deeds & 8 != 0) {
            prover.prank(HKD_ISSUER);
            hkd.freeze(THAI_BANK);
        }
        if (deeds & 16 != 0) {
            prover.prank(HKD_ISSUER);
            hkd.pause();
        }
        if (deeds & 32 != 0) {
            prover.prank(HONG_KONG_KEY);
            registry.revokeConsents();
        }
    }

    function _assertHeld(uint256 amount) private view {
        (, uint256 held,) = hkd.accountOf(HONG_KONG_BANK);
        assert(held == amount);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Leg, LockTerms} from "./SettlementTypes.sol";

/// @title LegRules
/// @notice What an obligation's legs and the terms of a lock must look like.
///
/// Assumes
/// - For two ledgers, each participant's agent has seen that the other ledger carries the mirrored terms and legs.
///
/// Guarantees
/// - Legs are in one canonical order, so that an obligation has one id and no leg twice.
/// - An obligation across two ledgers has one lead ledger, whose timelock is later by the margin, and one lead payer.
library LegRules {
    /// @dev One bit per leg in the obligation's word; a payment with two FX providers has four legs.
    uint256 internal constant MAX_LEGS = 16;
    /// @dev Ten minutes: the other payers must be able to lock and claim before the first gives up.
    uint256 internal constant MIN_LOCK_WINDOW_S = 600;
    /// @dev Seven days: a long weekend at both ends; more would immobilise money for nothing.
    uint256 internal constant MAX_LOCK_WINDOW_S = 7 days;
    /// @dev Half an hour: the longest outage planned for, finality and clock skew of two ledgers.
    uint256 internal constant SAFETY_MARGIN_S = 1800;

    /// @notice An obligation has between 1 and MAX_LEGS legs.
    error SettlementLegCountRefused(uint256 count);
    /// @notice Legs must ascend strictly by payer, payee, chain id and token.
    error SettlementLegOrderRefused(uint256 legIndex);
    /// @notice A leg pays its own payer, or nothing.
    error SettlementLegRefused(uint256 legIndex);
    /// @notice A leg lies on a ledger that this call cannot reach.
    error SettlementLegElsewhere(uint256 legIndex, uint256 chainId);
    /// @notice The timelock leaves too little or too much time from now.
    error SettlementTimelockRefused(uint256 timelock, uint256 earliest, uint256 latest);
    /// @notice The terms name the other ledger incompletely, wrongly or needlessly.
    error SettlementOtherLedgerRefused(uint256 otherChainId);
    /// @notice The two timelocks are closer than SAFETY_MARGIN_S.
    error SettlementMarginRefused(uint256 timelock, uint256 otherTimelock);
    /// @notice The legs on the lead ledger have more than one payer.
    error SettlementLeadPayerRefused(uint256 legIndex);

    /// @notice Refuses legs that are not in canonical form. Returns which of them lie on this ledger: bit i for leg i.
    function requireCanonical(Leg[] calldata legs) internal view returns (uint256 local) {
        uint256 count = legs.length;
        if (count == 0 || count > MAX_LEGS) revert SettlementLegCountRefused(count);
        bytes11 previous = 0;
        for (uint256 i = 0; i < count; ++i) {
            Leg calldata leg = legs[i];
            (bytes11 payer, bytes11 payee) = (leg.payer, leg.payee);
            if (payer == payee || leg.amount == 0) revert SettlementLegRefused(i);
            // The payer decides the order in most obligations; only where it doesn't, the other fields are compared.
            if (payer <= previous && i > 0 && !_precedes(legs[i - 1], leg)) revert SettlementLegOrderRefused(i);
            previous = payer;
            if (leg.chainId == block.chainid) local |= 1 << i;
        }
    }

    /// @notice Refuses legs on any other ledger.
    /// @param local As `requireCanonical` returned it.
    function requireLocal(Leg[] calldata legs, uint256 local) internal pure {
        if (local == (1 << legs.length) - 1) return;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (local & (1 << i) == 0) revert SettlementLegElsewhere(i, legs[i].chainId);
        }
    }

    /// @notice Refuses terms under which these legs may not be locked now on this ledger.
    /// @param local As `requireCanonical` returned it.
    function requireLockable(Leg[] calldata legs, LockTerms calldata terms, uint256 local) internal view {
        uint256 earliest = block.timestamp + MIN_LOCK_WINDOW_S;
        uint256 latest = block.timestamp + MAX_LOCK_WINDOW_S;
        uint256 timelock = terms.timelock;
        if (timelock < earliest || timelock > latest) {
            revert SettlementTimelockRefused(timelock, earliest, latest);
        }
        if (terms.otherChainId == 0) {
            if (terms.otherSettlement != address(0) || terms.otherTimelock != 0) {
                revert SettlementOtherLedgerRefused(0);
            }
            requireLocal(legs, local);
        } else {
            _requireTwoLedgers(legs, terms);
        }
    }

    function _requireTwoLedgers(Leg[] calldata legs, LockTerms calldata terms) private view {
        if (terms.otherChainId == block.chainid || terms.otherSettlement == address(0)) {
            revert SettlementOtherLedgerRefused(terms.otherChainId);
        }
        uint256 lead = terms.timelock > terms.otherTimelock ? block.chainid : terms.otherChainId;
        uint256 later = lead == block.chainid ? terms.timelock : terms.otherTimelock;
        uint256 earlier = lead == block.chainid ? terms.otherTimelock : terms.timelock;
        if (later < earlier + SAFETY_MARGIN_S) revert SettlementMarginRefused(terms.timelock, terms.otherTimelock);
        bytes11 leadPayer;
        bool crosses = false;
        for (uint256 i = 0; i < legs.length; ++i) {
            uint256 chainId = legs[i].chainId;
            if (chainId == terms.otherChainId) crosses = true;
            else if (chainId != block.chainid) revert SettlementLegElsewhere(i, chainId);
            if (chainId != lead) continue;
            if (leadPayer == 0) leadPayer = legs[i].payer;
            else if (legs[i].payer != leadPayer) revert SettlementLeadPayerRefused(i);
        }
        if (!crosses) revert SettlementOtherLedgerRefused(terms.otherChainId);
    }

    function _precedes(Leg calldata a, Leg calldata b) private pure returns (bool) {
        if (a.payer != b.payer) return a.payer < b.payer;
        if (a.payee != b.payee) return a.payee < b.payee;
        if (a.chainId != b.chainId) return a.chainId < b.chainId;
        return a.token < b.token;
    }
}

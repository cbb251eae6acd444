// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../../contracts/IDepositToken.sol";
import {IPvPSettlement} from "../../../contracts/IPvPSettlement.sol";
import {Authorities} from "./Authorities.sol";

/// @notice All actors together, and what the invariants ask of their books.
contract Handler is Authorities {
    uint256 private constant RECENT = 8;

    /// @notice What Foundry may call: one action each.
    function actions() external pure returns (bytes4[] memory selectors) {
        selectors = new bytes4[](25);
        selectors[0] = this.settleGross.selector;
        selectors[1] = this.settleApproved.selector;
        selectors[2] = this.stealGross.selector;
        selectors[3] = this.settleNet.selector;
        selectors[4] = this.stealNet.selector;
        selectors[5] = this.settleNetWrongly.selector;
        selectors[6] = this.transfer.selector;
        selectors[7] = this.stealDirectly.selector;
        selectors[8] = this.repeat.selector;
        selectors[9] = this.lockHere.selector;
        selectors[10] = this.lockAgain.selector;
        selectors[11] = this.lockAcross.selector;
        selectors[12] = this.stealByLock.selector;
        selectors[13] = this.claim.selector;
        selectors[14] = this.claimWithoutPreimage.selector;
        selectors[15] = this.refund.selector;
        selectors[16] = this.wait_.selector;
        selectors[17] = this.issue.selector;
        selectors[18] = this.requestRedemption.selector;
        selectors[19] = this.answerRedemption.selector;
        selectors[20] = this.stop.selector;
        selectors[21] = this.letGo.selector;
        selectors[22] = this.rotate.selector;
        selectors[23] = this.useRetiredKey.selector;
        selectors[24] = this.claimHalf.selector;
    }

    /// @notice Actions that end much of what is open: seldom enough to get their own list.
    function rareActions() external pure returns (bytes4[] memory selectors) {
        selectors = new bytes4[](2);
        selectors[0] = this.revoke.selector;
        selectors[1] = this.recover.selector;
    }

    /// @notice The tokens of both ledgers.
    function tokens() public view returns (IDepositToken[4] memory) {
        return [_ledgers[0].hkd, _ledgers[0].thb, _ledgers[1].hkd, _ledgers[1].thb];
    }

    /// @notice Whether each balance is what its owner agreed to.
    function balancesAreAgreed() external view returns (bool) {
        for (uint256 i = 0; i < 4; ++i) {
            IDepositToken token = tokens()[i];
            for (uint256 j = 0; j < BANKS; ++j) {
                (uint256 actual,,) = token.accountOf(_banks[0][j].bic);
                if (actual != balance[address(token)][_banks[0][j].bic]) return false;
            }
        }
        return true;
    }

    /// @notice Whether each held amount is what open locks and requests hold, and no more than the balance.
    function heldIsCovered() external view returns (bool) {
        for (uint256 i = 0; i < 4; ++i) {
            IDepositToken token = tokens()[i];
            for (uint256 j = 0; j < BANKS; ++j) {
                (uint256 all, uint256 part,) = token.accountOf(_banks[0][j].bic);
                if (part > all || part != held[address(token)][_banks[0][j].bic]) return false;
            }
        }
        return true;
    }

    /// @notice Whether nothing is held any more.
    function nothingIsHeld() external view returns (bool) {
        for (uint256 i = 0; i < 4; ++i) {
            for (uint256 j = 0; j < BANKS; ++j) {
                (, uint256 part,) = tokens()[i].accountOf(_banks[0][j].bic);
                if (part != 0) return false;
            }
        }
        return true;
    }

    /// @notice The sum of all balances in a token.
    function sumOfBalances(IDepositToken token) external view returns (uint256 sum) {
        for (uint256 j = 0; j < BANKS; ++j) {
            (uint256 all,,) = token.accountOf(_banks[0][j].bic);
            sum += all;
        }
    }

    /// @notice Whether the contracts and the actors agree on the state of the most recent locks.
    function statesAreAgreed() external view returns (bool) {
        uint256 first = _locks.length > RECENT ? _locks.length - RECENT : 0;
        for (uint256 i = first; i < _locks.length; ++i) {
            Lock storage lock_ = _locks[i];
            IPvPSettlement.ObligationRecord memory record = _ledgers[lock_.ledger].settlement.obligation(lock_.id);
            if (record.state != stateOf[lock_.ledger][lock_.id]) return false;
            bool current = record.attempt == lock_.terms.attempt;
            if (current && record.state == IPvPSettlement.State.Locked && record.lockedMask != lock_.mask) {
                return false;
            }
            if (record.state != IPvPSettlement.State.Locked && record.lockedMask != 0) return false;
        }
        return true;
    }
}

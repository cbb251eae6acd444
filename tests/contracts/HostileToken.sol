// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Party} from "../../contracts/IParticipantRegistry.sol";
import {ISettlementToken} from "../../contracts/ISettlementToken.sol";

/// @notice A token that calls back whatever it was told to, whenever it is called.
contract HostileToken is ISettlementToken {
    address private _target;
    bytes private _call;
    bool public fired;
    bool public succeeded;

    /// @notice What to call at the next opportunity, once.
    function arm(address target, bytes calldata call_) external {
        (_target, _call, fired) = (target, call_, false);
    }

    function moveGross(Party, Party, uint256) external {
        _fire();
    }

    function settleNet(Party[] calldata, int256[] calldata) external {
        _fire();
    }

    function makeHold(bytes11, bytes11, uint256) external {
        _fire();
    }

    function release(bytes11, uint256) external {
        _fire();
    }

    function settleHold(Party, Party, uint256) external {
        _fire();
    }

    function _fire() private {
        if (fired || _target == address(0)) return;
        fired = true;
        (succeeded,) = _target.call(_call);
    }
}

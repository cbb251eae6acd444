// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice What is fixed when the settlement contract is deployed, for ever.
contract DeploymentTest is CorridorTest {
    function test_without_a_register_it_is_not_deployed() public {
        bytes memory code = vm.getCode("PvPSettlement.sol:PvPSettlement");
        bytes memory creation = bytes.concat(code, abi.encode(address(0x0E0A)));
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(creation, 0x20), mload(creation))
        }
        vm.assertEq(deployed, address(0), "deployed without a register");
    }

    function test_its_register_and_its_bounds_are_as_documented() public view {
        vm.assertEq(address(settlement.registry()), address(registry), "register");
        vm.assertEq(settlement.MAX_CONSENT_S(), 900, "a consent lives for fifteen minutes");
        vm.assertEq(settlement.MAX_ENTRIES(), 2048, "participants of a batch");
        vm.assertEq(settlement.MAX_TOKENS(), 16, "tokens of a batch");
        vm.assertEq(settlement.MAX_LEGS(), 16, "legs of an obligation");
        vm.assertEq(settlement.MIN_LOCK_WINDOW_S(), 600, "shortest lock");
        vm.assertEq(settlement.MAX_LOCK_WINDOW_S(), 7 days, "longest lock");
        vm.assertEq(settlement.SAFETY_MARGIN_S(), 1800, "between lead and follow");
    }
}

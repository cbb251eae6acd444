// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice What halmos offers to the proofs. Arguments of a `check_` function stand for every value at once.
interface Prover {
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
}

Prover constant prover = Prover(address(uint160(uint256(keccak256("hevm cheat code")))));

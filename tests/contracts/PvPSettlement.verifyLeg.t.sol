// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, LegProof} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice Proving from a leg's fields that it was discharged in a settled batch.
///
/// Three legs lie between the two banks: the third leaf is promoted. The Hong Kong bank has a second counterparty.
contract VerifyLegTest is CorridorTest {
    bytes32[] private leaves;
    bytes32 private pairRoot;
    bytes32 private pair;
    bytes32 private otherPair;
    uint256 private constant LEGS = 3;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < LEGS; ++i) {
            leaves.push(typed.legLeaf(_fields(i)));
        }
        // Ascending, as the tree wants them.
        for (uint256 i = 0; i < LEGS; ++i) {
            for (uint256 j = i + 1; j < LEGS; ++j) {
                if (leaves[j] < leaves[i]) (leaves[i], leaves[j]) = (leaves[j], leaves[i]);
            }
        }
        pairRoot = _node(_node(leaves[0], leaves[1]), leaves[2]);
        pair = typed.pairLeaf(hongKongBank.bic, thaiBank.bic, pairRoot);
        otherPair = typed.pairLeaf(hongKongBank.bic, secondHongKongBank.bic, keccak256("their pair root"));
    }

    function test_every_leg_of_a_settled_batch_is_proven() public {
        Batch memory batch = _settled();
        for (uint256 i = 0; i < LEGS; ++i) {
            vm.assertTrue(settlement.verifyLeg(batch, _proof(i)), "proven");
        }
    }

    function test_the_pair_leaf_does_not_depend_on_who_pays() public view {
        bytes32 reversed = typed.pairLeaf(thaiBank.bic, hongKongBank.bic, pairRoot);
        vm.assertEq(reversed, pair, "pair leaf");
    }

    function test_nothing_is_proven_before_the_batch_settles() public view {
        vm.assertFalse(settlement.verifyLeg(_unsettled(), _proof(0)), "not settled");
    }

    function test_nothing_is_proven_by_another_batch_of_the_round() public {
        Batch memory batch = _settled();
        batch.positions[0] += 1;
        vm.assertFalse(settlement.verifyLeg(batch, _proof(0)), "another batch");
    }

    function test_no_field_of_a_leg_can_be_changed() public {
        Batch memory batch = _settled();
        for (uint256 field = 0; field < 7; ++field) {
            LegProof memory proof = _proof(0);
            if (field == 0) proof.obligationId = keccak256("another");
            if (field == 1) proof.legIndex = 1;
            if (field == 2) proof.legCount = 3;
            if (field == 3) (proof.payer, proof.payee) = (proof.payee, proof.payer);
            if (field == 4) proof.token = address(thb);
            if (field == 5) proof.amount += 1;
            if (field == 6) proof.payee = secondHongKongBank.bic;
            vm.assertFalse(settlement.verifyLeg(batch, proof), "a changed field");
        }
    }

    function test_a_leg_index_beyond_the_count_proves_nothing() public {
        leaves[0] = typed.legLeaf(_beyond());
        (pairRoot, otherPair) = (leaves[0], 0);
        pair = typed.pairLeaf(hongKongBank.bic, thaiBank.bic, pairRoot);
        Batch memory batch = _unsettled();
        batch.entryRoots[0] = pair;
        _settleBatch(batch);
        vm.assertFalse(settlement.verifyLeg(batch, _beyond()), "leg 2 of 2, counted from 0");
    }

    function test_a_leaf_under_the_payers_root_only_proves_nothing() public {
        Batch memory batch = _unsettled();
        batch.entryRoots[1] = keccak256("the payee signed something else");
        _settleBatch(batch);
        vm.assertFalse(settlement.verifyLeg(batch, _proof(0)), "payee's root");
    }

    function test_a_leaf_under_the_payees_root_only_proves_nothing() public {
        Batch memory batch = _unsettled();
        batch.entryRoots[0] = keccak256("the payer signed something else");
        _settleBatch(batch);
        vm.assertFalse(settlement.verifyLeg(batch, _proof(0)), "payer's root");
    }

    function test_a_root_of_zero_proves_nothing() public {
        Batch memory batch = _unsettled();
        batch.entryRoots[1] = 0;
        _settleBatch(batch);
        vm.assertFalse(settlement.verifyLeg(batch, _proof(0)), "zero root");
    }

    function test_who_has_no_entry_is_party_to_no_leg() public {
        Batch memory batch = _settled();
        LegProof memory proof = _proof(0);
        proof.payee = secondThaiBank.bic;
        vm.assertFalse(settlement.verifyLeg(batch, proof), "no entry");
    }

    function test_a_duplicated_last_leaf_proves_nothing() public {
        Batch memory batch = _settled();
        LegProof memory proof = _proof(_indexOf(leaves[2]));
        proof.pairProof = new bytes32[](2);
        (proof.pairProof[0], proof.pairProof[1]) = (leaves[2], _node(leaves[0], leaves[1]));
        vm.assertFalse(settlement.verifyLeg(batch, proof), "the last leaf is promoted, not doubled");
    }

    function test_each_proof_is_read_up_to_32_nodes_and_proves_nothing_beyond() public {
        Batch memory batch = _unsettled();
        LegProof memory proof = _proof(_indexOf(leaves[2]));
        for (uint256 which = 0; which < 3; ++which) {
            for (uint256 length = 32; length <= 33; ++length) {
                (LegProof memory longer, Batch memory other) = _lengthened(proof, which, length);
                other.round = batch.round++;
                _settleBatch(other);
                vm.assertEq(settlement.verifyLeg(other, longer) ? 32 : 33, length, "nodes");
            }
        }
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _fields(uint256 i) private view returns (LegProof memory proof) {
        proof.obligationId = keccak256(abi.encode("obligation", i));
        proof.legCount = 2;
        (proof.payer, proof.payee) = (hongKongBank.bic, thaiBank.bic);
        (proof.token, proof.amount) = (address(hkd), 100 + i);
    }

    function _beyond() private view returns (LegProof memory proof) {
        proof = _fields(0);
        proof.legIndex = 2;
    }

    function _proof(uint256 i) private view returns (LegProof memory proof) {
        proof = _fields(i);
        bytes32 leaf = typed.legLeaf(proof);
        if (leaf == leaves[2]) {
            proof.pairProof = new bytes32[](1);
            proof.pairProof[0] = _node(leaves[0], leaves[1]);
        } else {
            proof.pairProof = new bytes32[](2);
            proof.pairProof[0] = leaf == leaves[0] ? leaves[1] : leaves[0];
            proof.pairProof[1] = leaves[2];
        }
        proof.payerProof = new bytes32[](1);
        proof.payerProof[0] = otherPair;
    }

    /// @dev One of the three proofs with zeros for nodes, and a batch with the roots that they lead to.
    function _lengthened(LegProof memory proof, uint256 which, uint256 length)
        private
        view
        returns (LegProof memory longer, Batch memory batch)
    {
        longer = abi.decode(abi.encode(proof), (LegProof));
        batch = _unsettled();
        bytes32[] memory nodes = new bytes32[](length);
        if (which == 0) {
            longer.pairProof = nodes;
            bytes32 reached = typed.pairLeaf(hongKongBank.bic, thaiBank.bic, _folded(leaves[2], length));
            batch.entryRoots[0] = _node(reached, otherPair);
            batch.entryRoots[1] = reached;
        }
        if (which == 1) (longer.payerProof, batch.entryRoots[0]) = (nodes, _folded(pair, length));
        if (which == 2) (longer.payeeProof, batch.entryRoots[1]) = (nodes, _folded(pair, length));
    }

    function _folded(bytes32 root, uint256 zeros) private pure returns (bytes32) {
        for (uint256 i = 0; i < zeros; ++i) {
            root = _node(root, 0);
        }
        return root;
    }

    function _indexOf(bytes32 leaf) private view returns (uint256 i) {
        while (typed.legLeaf(_fields(i)) != leaf) ++i;
    }

    function _unsettled() private view returns (Batch memory batch) {
        batch = _batch();
        batch.entryRoots[0] = _node(pair, otherPair);
        batch.entryRoots[1] = pair;
    }

    function _settled() private returns (Batch memory batch) {
        batch = _unsettled();
        _settleBatch(batch);
    }

    function _node(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }
}

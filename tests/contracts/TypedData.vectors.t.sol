// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Batch, Leg, LegProof, LockTerms, Signature} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {TypedDataHarness} from "./TypedDataHarness.sol";
import {vm} from "./Vm.sol";

/// @notice Solidity and Python agree on every id, digest, signature, leaf and proof of tests/vectors/typed_data.json.
contract TypedDataVectorsTest is CorridorTest {
    string private json;
    TypedDataHarness.Domain private domain;
    string[2] private obligations = ["pvp", "transfer"];

    function setUp() public override {
        super.setUp();
        json = vm.readFile("tests/vectors/typed_data.json");
        domain = TypedDataHarness.Domain(vm.parseJsonUint(json, ".chain_id"), vm.parseJsonAddress(json, ".settlement"));
    }

    // ----- IDS --------------------------------------------------------------------------------------------------

    function test_the_domain_separator_is_the_same() public view {
        vm.assertEq(typed.domainSeparator(domain), vm.parseJsonBytes32(json, ".domain_separator"), "domain");
    }

    function test_instruction_and_leg_hashes_are_the_same() public view {
        for (uint256 i = 0; i < obligations.length; ++i) {
            string memory path = string.concat(".obligations.", obligations[i]);
            bytes32[] memory hashes = vm.parseJsonBytes32Array(json, string.concat(path, ".instruction_hashes"));
            for (uint256 j = 0; j < hashes.length; ++j) {
                vm.assertEq(_instruction(_at(string.concat(path, ".instructions"), j)), hashes[j], "instruction");
            }
            bytes32 all = vm.parseJsonBytes32(json, string.concat(path, ".instructions_hash"));
            vm.assertEq(typed.instructionsHash(hashes), all, "instructions");
            Leg[] memory legs = _legs(path);
            hashes = vm.parseJsonBytes32Array(json, string.concat(path, ".leg_hashes"));
            for (uint256 j = 0; j < legs.length; ++j) {
                vm.assertEq(typed.legHash(legs[j]), hashes[j], "leg");
            }
        }
    }

    function test_obligation_ids_are_the_same() public view {
        for (uint256 i = 0; i < obligations.length; ++i) {
            string memory path = string.concat(".obligations.", obligations[i]);
            bytes32 instructions = vm.parseJsonBytes32(json, string.concat(path, ".instructions_hash"));
            bytes32 id = vm.parseJsonBytes32(json, string.concat(path, ".id"));
            vm.assertEq(typed.obligationId(instructions, _legs(path)), id, obligations[i]);
        }
    }

    function test_the_hash_of_lock_terms_is_the_same() public view {
        vm.assertEq(typed.termsHash(_vectorTerms()), vm.parseJsonBytes32(json, ".terms.hash"), "terms");
    }

    function test_the_batch_id_is_the_same() public view {
        vm.assertEq(typed.batchId(_vectorBatch()), vm.parseJsonBytes32(json, ".batch.id"), "batch");
    }

    // ----- CONSENTS ---------------------------------------------------------------------------------------------

    function test_digests_of_all_consents_are_the_same() public view {
        (bytes11 participant, uint32 epoch, uint64 deadline, bytes32 id) = _consent();
        bytes32 batch = vm.parseJsonBytes32(json, ".batch.id");
        vm.assertEq(
            typed.grossDigest(domain, participant, epoch, deadline, id),
            vm.parseJsonBytes32(json, ".digests.gross"),
            "gross"
        );
        vm.assertEq(
            typed.lockDigest(domain, participant, epoch, deadline, id, _vectorTerms()),
            vm.parseJsonBytes32(json, ".digests.lock"),
            "lock"
        );
        vm.assertEq(
            typed.netDigest(domain, participant, epoch, batch), vm.parseJsonBytes32(json, ".digests.net"), "net"
        );
        vm.assertEq(typed.proposalDigest(domain, batch), vm.parseJsonBytes32(json, ".digests.proposal"), "proposal");
    }

    function test_signatures_are_the_same_compact_signatures() public view {
        string[4] memory kinds = ["gross", "lock", "net", "proposal"];
        string memory participant = vm.parseJsonString(json, ".consent.participant");
        for (uint256 i = 0; i < 4; ++i) {
            string memory signer = i == 3 ? "operator" : participant;
            uint256 secret = uint256(vm.parseJsonBytes32(json, string.concat(".keys.", signer)));
            bytes32 digest = vm.parseJsonBytes32(json, string.concat(".digests.", kinds[i]));
            Signature memory actual = _sign(secret, digest);
            Signature memory expected = _signature(kinds[i]);
            vm.assertEq(actual.r, expected.r, kinds[i]);
            vm.assertEq(actual.vs, expected.vs, kinds[i]);
            vm.assertEq(vm.addr(secret), vm.parseJsonAddress(json, string.concat(".addresses.", signer)), signer);
        }
    }

    // ----- LEAVES AND PROOFS ------------------------------------------------------------------------------------

    function test_leaves_are_the_same() public view {
        for (uint256 i = 0; _exists(_at(".leg_proofs", i)); ++i) {
            string memory path = _at(".leg_proofs", i);
            LegProof memory proof = _legProof(path);
            vm.assertEq(typed.legLeaf(proof), vm.parseJsonBytes32(json, string.concat(path, ".leaf")), "leg leaf");
            bytes32 root = vm.parseJsonBytes32(json, string.concat(path, ".pair_root"));
            bytes32 leaf = vm.parseJsonBytes32(json, string.concat(path, ".pair_leaf"));
            vm.assertEq(typed.pairLeaf(proof.payer, proof.payee, root), leaf, "pair leaf");
        }
    }

    function test_the_contract_settles_the_batch_with_python_signatures_and_proves_each_leg() public {
        _deployAtVectorAddress();
        Batch memory batch = _vectorBatch();
        vm.warp(batch.deadline - 1);
        Signature[] memory signatures = new Signature[](batch.participants.length);
        bytes32 consenting = bytes32(bytes(vm.parseJsonString(json, ".consent.participant")));
        bytes32 id = vm.parseJsonBytes32(json, ".batch.id");
        for (uint256 i = 0; i < signatures.length; ++i) {
            if (batch.participants[i] == bytes11(consenting)) {
                signatures[i] = _signature("net");
                continue;
            }
            string memory bic = string(abi.encodePacked(batch.participants[i]));
            uint256 secret = uint256(vm.parseJsonBytes32(json, string.concat(".keys.", bic)));
            signatures[i] = _sign(secret, typed.netDigest(domain, batch.participants[i], 0, id));
        }
        address submitter = vm.parseJsonAddress(json, string.concat(".addresses.", _text(batch.participants[0])));
        vm.prank(submitter);
        settlement.settleBatch(batch, _signature("proposal"), signatures);
        vm.assertEq(settlement.batchOf(batch.proposer, batch.round), id, "batch of the round");
        uint256 proven = 0;
        while (_exists(_at(".leg_proofs", proven))) {
            vm.assertTrue(settlement.verifyLeg(batch, _legProof(_at(".leg_proofs", proven++))), "leg proven");
        }
        vm.assertTrue(proven > 0, "the file has proofs");
    }

    function test_the_contract_settles_the_obligation_with_a_python_signature() public {
        _deployAtVectorAddress();
        (bytes11 participant, uint32 epoch, uint64 deadline, bytes32 id) = _consent();
        vm.warp(deadline - 1);
        Leg[] memory legs = _legs(".obligations.pvp");
        bytes32 instructions = vm.parseJsonBytes32(json, ".obligations.pvp.instructions_hash");
        Signature[] memory signatures = new Signature[](legs.length);
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].payer == participant) {
                signatures[i] = _signature("gross");
                continue;
            }
            uint256 secret = uint256(vm.parseJsonBytes32(json, string.concat(".keys.", _text(legs[i].payer))));
            signatures[i] = _sign(secret, typed.grossDigest(domain, legs[i].payer, 0, deadline, id));
        }
        vm.assertTrue(epoch > 0, "the file's epoch tells it from a default");
        settlement.settle(instructions, legs, deadline, signatures);
        _assertState(id, IPvPSettlement.State.Settled);
    }

    // ----- DEPLOYMENT AT THE FILE'S ADDRESSES -------------------------------------------------------------------

    /// @dev The file's keys are admitted in a register of their own; its tokens accept everything.
    function _deployAtVectorAddress() private {
        vm.chainId(domain.chainId);
        registry = _deployRegistry();
        bytes memory creation = abi.encodePacked(vm.getCode("PvPSettlement.sol:PvPSettlement"), abi.encode(registry));
        vm.etch(domain.settlement, creation);
        (bool deployed, bytes memory runtime) = domain.settlement.call("");
        vm.assertTrue(deployed, "deployed");
        vm.etch(domain.settlement, runtime);
        settlement = IPvPSettlement(domain.settlement);
        Batch memory batch = _vectorBatch();
        for (uint256 j = 0; j < batch.tokens.length; ++j) {
            vm.etch(batch.tokens[j], hex"00");
        }
        (bytes11 consenting, uint32 epoch,,) = _consent();
        for (uint256 i = 0; i < batch.participants.length; ++i) {
            bytes11 bic = batch.participants[i];
            uint256 secret = uint256(vm.parseJsonBytes32(json, string.concat(".keys.", _text(bic))));
            _admit(bic, bytes20(abi.encodePacked("LEI0000000000000000", vm.toString(i))), secret);
            for (uint256 e = 0; bic == consenting && e < epoch; ++e) {
                vm.prank(vm.addr(secret));
                registry.revokeConsents();
            }
        }
    }

    // ----- READING THE FILE -------------------------------------------------------------------------------------

    function _at(string memory path, uint256 index) private pure returns (string memory) {
        return string.concat(path, "[", vm.toString(index), "]");
    }

    function _exists(string memory path) private view returns (bool) {
        return vm.keyExistsJson(json, path);
    }

    function _text(bytes11 bic) private pure returns (string memory) {
        return string(abi.encodePacked(bic));
    }

    function _bic(string memory path) private view returns (bytes11) {
        return bytes11(bytes(vm.parseJsonString(json, path)));
    }

    function _signature(string memory kind) private view returns (Signature memory) {
        string memory path = string.concat(".signatures.", kind);
        return Signature(
            vm.parseJsonBytes32(json, string.concat(path, ".r")), vm.parseJsonBytes32(json, string.concat(path, ".vs"))
        );
    }

    function _instruction(string memory path) private view returns (bytes32) {
        string memory uetr = vm.replace(vm.parseJsonString(json, string.concat(path, ".uetr")), "-", "");
        return typed.instructionHash(
            _bic(string.concat(path, ".payer")),
            bytes16(vm.parseBytes(string.concat("0x", uetr))),
            vm.parseJsonBytes32(json, string.concat(path, ".content_hash"))
        );
    }

    function _leg(string memory path) private view returns (Leg memory) {
        return Leg(
            _bic(string.concat(path, ".payer")),
            _bic(string.concat(path, ".payee")),
            vm.parseJsonUint(json, string.concat(path, ".chain_id")),
            vm.parseJsonAddress(json, string.concat(path, ".token")),
            vm.parseJsonUint(json, string.concat(path, ".amount_minor"))
        );
    }

    function _legs(string memory obligation) private view returns (Leg[] memory legs) {
        string memory path = string.concat(obligation, ".legs");
        uint256 count = 0;
        while (_exists(_at(path, count))) ++count;
        legs = new Leg[](count);
        for (uint256 i = 0; i < count; ++i) {
            legs[i] = _leg(_at(path, i));
        }
    }

    function _legProof(string memory path) private view returns (LegProof memory proof) {
        string memory bound = string.concat(path, ".bound");
        Leg memory leg = _leg(string.concat(bound, ".leg"));
        proof.obligationId = vm.parseJsonBytes32(json, string.concat(bound, ".obligation_id"));
        proof.legIndex = vm.parseJsonUint(json, string.concat(bound, ".index"));
        proof.legCount = vm.parseJsonUint(json, string.concat(bound, ".count"));
        (proof.payer, proof.payee, proof.token, proof.amount) = (leg.payer, leg.payee, leg.token, leg.amount);
        proof.pairProof = vm.parseJsonBytes32Array(json, string.concat(path, ".leg_proof"));
        proof.payerProof = vm.parseJsonBytes32Array(json, string.concat(path, ".payer_proof"));
        proof.payeeProof = vm.parseJsonBytes32Array(json, string.concat(path, ".payee_proof"));
    }

    function _vectorTerms() private view returns (LockTerms memory) {
        return LockTerms(
            uint32(vm.parseJsonUint(json, ".terms.attempt")),
            vm.parseJsonBytes32(json, ".terms.hashlock"),
            uint64(vm.parseJsonUint(json, ".terms.timelock_s")),
            vm.parseJsonUint(json, ".terms.other_chain_id"),
            vm.parseJsonAddress(json, ".terms.other_settlement"),
            uint64(vm.parseJsonUint(json, ".terms.other_timelock_s"))
        );
    }

    function _vectorBatch() private view returns (Batch memory batch) {
        batch.proposer = vm.parseJsonAddress(json, ".batch.proposer");
        batch.round = uint64(vm.parseJsonUint(json, ".batch.round"));
        batch.deadline = uint64(vm.parseJsonUint(json, ".batch.deadline_s"));
        batch.tokens = vm.parseJsonAddressArray(json, ".batch.tokens");
        batch.entryRoots = vm.parseJsonBytes32Array(json, ".batch.entry_roots");
        batch.positions = vm.parseJsonIntArray(json, ".batch.positions");
        string[] memory bics = vm.parseJsonStringArray(json, ".batch.participants");
        batch.participants = new bytes11[](bics.length);
        for (uint256 i = 0; i < bics.length; ++i) {
            batch.participants[i] = bytes11(bytes(bics[i]));
        }
    }

    function _consent() private view returns (bytes11 participant, uint32 epoch, uint64 deadline, bytes32 id) {
        participant = _bic(".consent.participant");
        epoch = uint32(vm.parseJsonUint(json, ".consent.epoch"));
        deadline = uint64(vm.parseJsonUint(json, ".consent.deadline_s"));
        string memory obligation = vm.parseJsonString(json, ".consent.obligation");
        id = vm.parseJsonBytes32(json, string.concat(".obligations.", obligation, ".id"));
    }
}

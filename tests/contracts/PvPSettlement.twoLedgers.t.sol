// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms} from "../../contracts/SettlementTypes.sol";
import {CorridorTest} from "./CorridorTest.sol";
import {vm} from "./Vm.sol";

/// @notice A PvP whose HKD leg lies on this ledger (lead) and whose THB leg lies on another (follow), by two banks
/// alone. Both ledgers live in one machine here and are told apart by their chain id.
contract TwoLedgersTest is CorridorTest {
    IPvPSettlement private leadSettlement;
    IPvPSettlement private followSettlement;
    IDepositToken private followThb;
    uint64 private constant FOLLOW_TIMELOCK_S = TIMELOCK_S - 1800;

    function setUp() public override {
        super.setUp();
        leadSettlement = settlement;
        IParticipantRegistry leadRegistry = registry;
        vm.chainId(OTHER_CHAIN);
        registry = _deployRegistry();
        followSettlement = _deploySettlement(registry);
        followThb = _deployToken("THB", THB_ISSUER, registry, followSettlement);
        _admit(hongKongBank.bic, "HKBA0000000000000001", hongKongBank.secret);
        _admit(thaiBank.bic, "THBA0000000000000003", thaiBank.secret);
        _open(followThb, THB_ISSUER, thaiBank, hongKongBank);
        (registry, settlement) = (leadRegistry, leadSettlement);
        vm.chainId(THIS_CHAIN);
    }

    function test_one_preimage_discharges_both_legs() public {
        _lockOnBoth();
        _onFollow();
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _assertAccount(followThb, hongKongBank, OPENING + 4500, 0);
        _onLead();
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
    }

    function test_the_obligation_has_one_id_on_both_ledgers() public {
        _lockOnBoth();
        bytes32 id = _id(_across());
        vm.assertEq(uint256(leadSettlement.obligation(id).state), uint256(IPvPSettlement.State.Locked), "lead");
        vm.assertEq(uint256(followSettlement.obligation(id).state), uint256(IPvPSettlement.State.Locked), "follow");
    }

    function test_the_follow_payee_that_claims_at_its_last_second_leaves_the_margin_to_the_lead_payee() public {
        _lockOnBoth();
        _onFollow();
        vm.warp(FOLLOW_TIMELOCK_S - 1);
        settlement.claim(INSTRUCTIONS, _across(), _followTerms(), PREIMAGE);
        _onLead();
        vm.warp(TIMELOCK_S - 1);
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
    }

    function test_both_legs_are_refunded_if_the_preimage_stays_secret() public {
        _lockOnBoth();
        vm.warp(TIMELOCK_S);
        _onFollow();
        settlement.refund(INSTRUCTIONS, _across(), _followTerms(), 1);
        _onLead();
        settlement.refund(INSTRUCTIONS, _across(), _leadTerms(), 0);
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertAccount(followThb, thaiBank, OPENING, 0);
    }

    function test_a_lead_payer_that_waits_until_the_follow_leg_is_refunded_loses_by_it_alone() public {
        _lockOnBoth();
        vm.warp(FOLLOW_TIMELOCK_S);
        _onFollow();
        settlement.refund(INSTRUCTIONS, _across(), _followTerms(), 1);
        _onLead();
        vm.prank(hongKongBank.key);
        settlement.claim(INSTRUCTIONS, _across(), _leadTerms(), PREIMAGE);
        _assertAccount(hkd, hongKongBank, OPENING - 1000, 0);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
        _assertAccount(followThb, thaiBank, OPENING, 0);
    }

    function test_a_consent_for_one_ledger_locks_nothing_on_the_other() public {
        bytes32 digest = _lockDigest(thaiBank, _across(), _followTerms(), DEADLINE_S);
        _onFollow();
        bytes32 required = _lockDigest(thaiBank, _across(), _followTerms(), DEADLINE_S);
        vm.expectRevert(
            abi.encodeWithSelector(IPvPSettlement.SettlementConsentMissing.selector, thaiBank.bic, required)
        );
        settlement.lock(
            INSTRUCTIONS, _across(), _followTerms(), thaiBank.bic, DEADLINE_S, _sign(thaiBank.secret, digest)
        );
    }

    function test_a_leg_is_refunded_only_on_its_own_ledger() public {
        _lockOnBoth();
        vm.warp(TIMELOCK_S);
        bytes32 id = _id(_across());
        vm.expectRevert(abi.encodeWithSelector(IPvPSettlement.SettlementLegNotLocked.selector, id, 1));
        settlement.refund(INSTRUCTIONS, _across(), _leadTerms(), 1);
    }

    // ----- HELPERS ----------------------------------------------------------------------------------------------

    function _across() private view returns (Leg[] memory legs) {
        legs = _pvp();
        (legs[1].chainId, legs[1].token) = (OTHER_CHAIN, address(followThb));
    }

    function _leadTerms() private view returns (LockTerms memory) {
        return LockTerms(1, HASHLOCK, TIMELOCK_S, OTHER_CHAIN, address(followSettlement), FOLLOW_TIMELOCK_S);
    }

    function _followTerms() private view returns (LockTerms memory) {
        return LockTerms(1, HASHLOCK, FOLLOW_TIMELOCK_S, THIS_CHAIN, address(leadSettlement), TIMELOCK_S);
    }

    function _lockOnBoth() private {
        _lock(hongKongBank, _across(), _leadTerms());
        _onFollow();
        _lock(thaiBank, _across(), _followTerms());
        _onLead();
    }

    function _onLead() private {
        vm.chainId(THIS_CHAIN);
        settlement = leadSettlement;
    }

    function _onFollow() private {
        vm.chainId(OTHER_CHAIN);
        settlement = followSettlement;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {DepositToken} from "../../../contracts/DepositToken.sol";
import {ParticipantRegistry} from "../../../contracts/ParticipantRegistry.sol";
import {PvPSettlement} from "../../../contracts/PvPSettlement.sol";
import {Leg, Signature} from "../../../contracts/SettlementTypes.sol";
import {prover} from "./Prover.sol";

/// @notice The corridor as it is deployed: two issuers, two tokens, a Hong Kong and a Thai bank. Balances are given as
/// arguments, so that a proof holds for all of them.
abstract contract ProofWorld {
    uint256 internal constant NOW_S = 1_790_000_000;
    uint256 internal constant THIS_CHAIN = 31337;
    address internal constant OPERATOR = address(0x0909);
    address internal constant HKD_ISSUER = address(0x1001);
    address internal constant THB_ISSUER = address(0x1002);
    address internal constant HONG_KONG_KEY = address(0xA1);
    address internal constant THAI_KEY = address(0xB1);
    bytes11 internal constant HONG_KONG_BANK = "HKBAHKHHXXX";
    bytes11 internal constant THAI_BANK = "THBATHBKXXX";
    bytes32 internal constant INSTRUCTIONS = keccak256("instructions");

    ParticipantRegistry internal registry;
    PvPSettlement internal settlement;
    DepositToken internal hkd;
    DepositToken internal thb;

    function setUp() public {
        prover.warp(NOW_S);
        prover.chainId(THIS_CHAIN);
        bytes2[] memory countries = new bytes2[](2);
        address[] memory issuers = new address[](2);
        (countries[0], countries[1]) = (bytes2("HK"), bytes2("TH"));
        (issuers[0], issuers[1]) = (HKD_ISSUER, THB_ISSUER);
        registry = new ParticipantRegistry(OPERATOR, countries, issuers);
        settlement = new PvPSettlement(registry);
        hkd = new DepositToken("HKD", "HKD", 2, "HKD", HKD_ISSUER, registry, address(settlement));
        thb = new DepositToken("THB", "THB", 2, "THB", THB_ISSUER, registry, address(settlement));
        prover.prank(HKD_ISSUER);
        registry.admit(HONG_KONG_BANK, "HKBA0000000000000001", HONG_KONG_KEY);
        prover.prank(THB_ISSUER);
        registry.admit(THAI_BANK, "THBA0000000000000003", THAI_KEY);
    }

    /// @dev Each bank owns what its issuer issued to it, and nothing of the other currency.
    function _open(uint256 hkdIssued, uint256 thbIssued) internal {
        prover.prank(HKD_ISSUER);
        hkd.issue(HONG_KONG_BANK, hkdIssued, keccak256("reserves in Hong Kong"));
        prover.prank(THB_ISSUER);
        thb.issue(THAI_BANK, thbIssued, keccak256("reserves in Thailand"));
    }

    function _pvp(uint256 hkdAmount, uint256 thbAmount) internal view returns (Leg[] memory legs) {
        legs = new Leg[](2);
        legs[0] = Leg(HONG_KONG_BANK, THAI_BANK, THIS_CHAIN, address(hkd), hkdAmount);
        legs[1] = Leg(THAI_BANK, HONG_KONG_BANK, THIS_CHAIN, address(thb), thbAmount);
    }

    function _balance(DepositToken token, bytes11 participant) internal view returns (uint256 balance) {
        (balance,,) = token.accountOf(participant);
    }

    function _assertBalances(DepositToken token, uint256 hongKong, uint256 thai) internal view {
        assert(_balance(token, HONG_KONG_BANK) == hongKong && _balance(token, THAI_BANK) == thai);
        _assertCovered(token);
    }

    function _assertCovered(DepositToken token) internal view {
        (uint256 balance, uint256 held,) = token.accountOf(HONG_KONG_BANK);
        assert(held <= balance);
        (balance, held,) = token.accountOf(THAI_BANK);
        assert(held <= balance);
    }

    function _none() internal pure returns (Signature memory) {
        return Signature(0, 0);
    }
}

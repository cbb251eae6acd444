// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../contracts/IDepositToken.sol";
import {IParticipantRegistry} from "../../contracts/IParticipantRegistry.sol";
import {IPvPSettlement} from "../../contracts/IPvPSettlement.sol";
import {Batch, Leg, LockTerms, Signature} from "../../contracts/SettlementTypes.sol";
import {TypedDataHarness} from "./TypedDataHarness.sol";
import {vm} from "./Vm.sol";

/// @notice A corridor of two currencies and four banks on one ledger, and what banks do to consent.
abstract contract CorridorTest {
    struct Bank {
        bytes11 bic;
        uint256 secret;
        address key;
    }

    uint64 internal constant NOW_S = 1_800_000_000;
    uint64 internal constant DEADLINE_S = NOW_S + 600;
    uint64 internal constant TIMELOCK_S = NOW_S + 3600;
    uint256 internal constant THIS_CHAIN = 31_337;
    uint256 internal constant OTHER_CHAIN = 7;
    address internal constant OTHER_SETTLEMENT = address(0x7777);
    uint256 internal constant OPENING = 1_000_000;
    bytes32 internal constant INSTRUCTIONS = keccak256("the instructions behind the obligation");
    bytes32 internal constant PREIMAGE = keccak256("the lead payer's preimage");
    bytes32 internal immutable HASHLOCK = sha256(abi.encode(PREIMAGE));

    address internal constant HKD_ISSUER = address(0xC1);
    address internal constant THB_ISSUER = address(0xC2);
    address internal constant STRANGER = address(0xBAD);
    uint256 internal constant OPERATOR_SECRET = 0x0F;

    address internal operator;
    IParticipantRegistry internal registry;
    IPvPSettlement internal settlement;
    IDepositToken internal hkd;
    IDepositToken internal thb;
    TypedDataHarness internal typed;

    // Their BICs ascend in this order.
    Bank internal hongKongBank;
    Bank internal secondHongKongBank;
    Bank internal thaiBank;
    Bank internal secondThaiBank;

    function setUp() public virtual {
        vm.warp(NOW_S);
        vm.chainId(THIS_CHAIN);
        operator = vm.addr(OPERATOR_SECRET);
        typed = TypedDataHarness(vm.deployCode("TypedDataHarness.sol:TypedDataHarness", ""));
        registry = _deployRegistry();
        settlement = _deploySettlement(registry);
        hkd = _deployToken("HKD", HKD_ISSUER, registry, settlement);
        thb = _deployToken("THB", THB_ISSUER, registry, settlement);
        hongKongBank = _admit("HKBAHKHHXXX", "HKBA0000000000000001", 0xA1);
        secondHongKongBank = _admit("HKBBHKHHXXX", "HKBB0000000000000002", 0xA2);
        thaiBank = _admit("THBATHBKXXX", "THBA0000000000000003", 0xB1);
        secondThaiBank = _admit("THBBTHBKXXX", "THBB0000000000000004", 0xB2);
        _open(hkd, HKD_ISSUER, hongKongBank, thaiBank);
        _open(hkd, HKD_ISSUER, secondHongKongBank, secondThaiBank);
        _open(thb, THB_ISSUER, thaiBank, hongKongBank);
        _open(thb, THB_ISSUER, secondThaiBank, secondHongKongBank);
    }

    // ----- DEPLOYMENT -------------------------------------------------------------------------------------------

    function _deployRegistry() internal returns (IParticipantRegistry) {
        bytes2[] memory countries = new bytes2[](2);
        address[] memory issuers = new address[](2);
        (countries[0], countries[1]) = (bytes2("HK"), bytes2("TH"));
        (issuers[0], issuers[1]) = (HKD_ISSUER, THB_ISSUER);
        bytes memory arguments = abi.encode(vm.addr(OPERATOR_SECRET), countries, issuers);
        return IParticipantRegistry(vm.deployCode("ParticipantRegistry.sol:ParticipantRegistry", arguments));
    }

    function _deploySettlement(IParticipantRegistry registry_) internal returns (IPvPSettlement) {
        return IPvPSettlement(vm.deployCode("PvPSettlement.sol:PvPSettlement", abi.encode(registry_)));
    }

    function _deployToken(bytes3 code, address issuer, IParticipantRegistry registry_, IPvPSettlement settlement_)
        internal
        returns (IDepositToken)
    {
        string memory symbol = string(abi.encodePacked(code));
        bytes memory arguments =
            abi.encode(string.concat(symbol, " deposit token"), symbol, 2, code, issuer, registry_, settlement_);
        return IDepositToken(vm.deployCode("DepositToken.sol:DepositToken", arguments));
    }

    function _admit(bytes11 bic, bytes20 lei, uint256 secret) internal returns (Bank memory bank) {
        bank = Bank(bic, secret, vm.addr(secret));
        vm.prank(registry.countryOf(bic) == "HK" ? HKD_ISSUER : THB_ISSUER);
        registry.admit(bic, lei, bank.key);
    }

    /// @dev Both banks open with the same balance; the foreign one got its share from the domestic one.
    function _open(IDepositToken token, address issuer, Bank memory domestic, Bank memory foreign) internal {
        vm.prank(issuer);
        token.issue(domestic.bic, 2 * OPENING, keccak256(abi.encode("opening", token, domestic.bic)));
        vm.prank(domestic.key);
        token.transfer(foreign.key, OPENING);
    }

    // ----- OBLIGATIONS ------------------------------------------------------------------------------------------

    function _leg(Bank memory payer, Bank memory payee, IDepositToken token, uint256 amount)
        internal
        pure
        returns (Leg memory)
    {
        return Leg(payer.bic, payee.bic, THIS_CHAIN, address(token), amount);
    }

    /// @dev The Hong Kong bank pays 1,000 HKD minor units, the Thai bank 4,500 THB minor units.
    function _pvp() internal view returns (Leg[] memory legs) {
        legs = new Leg[](2);
        legs[0] = _leg(hongKongBank, thaiBank, hkd, 1000);
        legs[1] = _leg(thaiBank, hongKongBank, thb, 4500);
    }

    function _one(Leg memory leg) internal pure returns (Leg[] memory legs) {
        legs = new Leg[](1);
        legs[0] = leg;
    }

    function _id(Leg[] memory legs) internal view returns (bytes32) {
        return typed.obligationId(INSTRUCTIONS, legs);
    }

    function _terms() internal view returns (LockTerms memory) {
        return LockTerms(1, HASHLOCK, TIMELOCK_S, 0, address(0), 0);
    }

    // ----- CONSENTS ---------------------------------------------------------------------------------------------

    function _domain() internal view returns (TypedDataHarness.Domain memory) {
        return TypedDataHarness.Domain(block.chainid, address(settlement));
    }

    function _epoch(Bank memory bank) internal view returns (uint32) {
        return registry.participant(bank.bic).epoch;
    }

    function _sign(uint256 secret, bytes32 digest) internal pure returns (Signature memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(secret, digest);
        return Signature(r, vs);
    }

    function _none() internal pure returns (Signature memory) {
        return Signature(0, 0);
    }

    function _grossDigest(Bank memory bank, Leg[] memory legs, uint64 deadline) internal view returns (bytes32) {
        return typed.grossDigest(_domain(), bank.bic, _epoch(bank), deadline, _id(legs));
    }

    function _signGross(Bank memory bank, Leg[] memory legs, uint64 deadline) internal view returns (Signature memory) {
        return _sign(bank.secret, _grossDigest(bank, legs, deadline));
    }

    function _bothSignGross(Leg[] memory legs, uint64 deadline) internal view returns (Signature[] memory signatures) {
        signatures = new Signature[](2);
        signatures[0] = _signGross(hongKongBank, legs, deadline);
        signatures[1] = _signGross(thaiBank, legs, deadline);
    }

    function _lockDigest(Bank memory bank, Leg[] memory legs, LockTerms memory terms, uint64 deadline)
        internal
        view
        returns (bytes32)
    {
        return typed.lockDigest(_domain(), bank.bic, _epoch(bank), deadline, _id(legs), terms);
    }

    function _signLock(Bank memory bank, Leg[] memory legs, LockTerms memory terms)
        internal
        view
        returns (Signature memory)
    {
        return _sign(bank.secret, _lockDigest(bank, legs, terms, uint64(block.timestamp + 600)));
    }

    /// @dev The bank locks its legs with a signature and a deadline ten minutes ahead.
    function _lock(Bank memory bank, Leg[] memory legs, LockTerms memory terms) internal {
        Signature memory signature = _signLock(bank, legs, terms);
        settlement.lock(INSTRUCTIONS, legs, terms, bank.bic, uint64(block.timestamp + 600), signature);
    }

    /// @dev Both banks of the PvP lock their legs.
    function _lockBoth(Leg[] memory legs, LockTerms memory terms) internal {
        _lock(hongKongBank, legs, terms);
        _lock(thaiBank, legs, terms);
    }

    // ----- BATCHES ----------------------------------------------------------------------------------------------

    /// @dev Two banks, two tokens: the Hong Kong bank pays HKD and receives THB.
    function _batch() internal view returns (Batch memory batch) {
        batch = Batch(operator, 1, DEADLINE_S, new address[](2), new bytes11[](2), new bytes32[](2), new int256[](4));
        (batch.tokens[0], batch.tokens[1]) = _sortedTokens();
        (batch.participants[0], batch.participants[1]) = (hongKongBank.bic, thaiBank.bic);
        (batch.entryRoots[0], batch.entryRoots[1]) = (keccak256("root"), keccak256("other root"));
        uint256 hkdColumn = batch.tokens[0] == address(hkd) ? 0 : 1;
        batch.positions[hkdColumn] = -1000;
        batch.positions[1 - hkdColumn] = 4500;
        batch.positions[2 + hkdColumn] = 1000;
        batch.positions[3 - hkdColumn] = -4500;
    }

    function _sortedTokens() internal view returns (address lower, address higher) {
        (lower, higher) = (address(hkd), address(thb));
        if (lower > higher) (lower, higher) = (higher, lower);
    }

    function _netDigest(Bank memory bank, Batch memory batch) internal view returns (bytes32) {
        return typed.netDigest(_domain(), bank.bic, _epoch(bank), typed.batchId(batch));
    }

    function _signNet(Bank memory bank, Batch memory batch) internal view returns (Signature memory) {
        return _sign(bank.secret, _netDigest(bank, batch));
    }

    function _bothSignNet(Batch memory batch) internal view returns (Signature[] memory signatures) {
        signatures = new Signature[](2);
        signatures[0] = _signNet(hongKongBank, batch);
        signatures[1] = _signNet(thaiBank, batch);
    }

    function _proposal(Batch memory batch) internal view returns (Signature memory) {
        return _sign(OPERATOR_SECRET, typed.proposalDigest(_domain(), typed.batchId(batch)));
    }

    /// @dev The operator submits the batch with everybody's consent.
    function _settleBatch(Batch memory batch) internal {
        Signature[] memory signatures = _bothSignNet(batch);
        vm.prank(operator);
        settlement.settleBatch(batch, _none(), signatures);
    }

    // ----- WHAT MUST HOLD ---------------------------------------------------------------------------------------

    function _assertAccount(IDepositToken token, Bank memory bank, uint256 balance, uint256 held) internal view {
        (uint256 actualBalance, uint256 actualHeld,) = token.accountOf(bank.bic);
        vm.assertEq(actualBalance, balance, "balance");
        vm.assertEq(actualHeld, held, "held amount");
    }

    function _assertState(bytes32 id, IPvPSettlement.State state) internal view {
        vm.assertEq(uint256(settlement.obligation(id).state), uint256(state), "state of the obligation");
    }

    /// @dev Nothing moved: every bank still has its opening balances.
    function _assertNothingMoved() internal view {
        _assertAccount(hkd, hongKongBank, OPENING, 0);
        _assertAccount(thb, hongKongBank, OPENING, 0);
        _assertAccount(hkd, thaiBank, OPENING, 0);
        _assertAccount(thb, thaiBank, OPENING, 0);
    }

    function _assertPvpDone() internal view {
        _assertAccount(hkd, hongKongBank, OPENING - 1000, 0);
        _assertAccount(thb, hongKongBank, OPENING + 4500, 0);
        _assertAccount(hkd, thaiBank, OPENING + 1000, 0);
        _assertAccount(thb, thaiBank, OPENING - 4500, 0);
    }

    // ----- WHAT ISSUERS DO --------------------------------------------------------------------------------------

    function _suspend(Bank memory bank) internal {
        address issuer = registry.issuerOf(registry.countryOf(bank.bic));
        vm.prank(issuer);
        registry.suspend(bank.bic);
    }

    function _freeze(IDepositToken token, Bank memory bank) internal {
        address issuer = token.issuer();
        vm.prank(issuer);
        token.freeze(bank.bic);
    }

    function _pause(IDepositToken token) internal {
        address issuer = token.issuer();
        vm.prank(issuer);
        token.pause();
    }

    function _notActive(Bank memory bank) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IParticipantRegistry.ParticipantNotActive.selector, bank.bic);
    }

    function _frozen(IDepositToken token, Bank memory bank) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IDepositToken.DepositTokenFrozen.selector, token, bank.bic);
    }

    function _paused(IDepositToken token) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IDepositToken.DepositTokenPaused.selector, token);
    }

    function _insufficient(IDepositToken token, Bank memory bank, uint256 available, uint256 required)
        internal
        pure
        returns (bytes memory)
    {
        bytes4 selector = IDepositToken.DepositTokenInsufficientAvailable.selector;
        return abi.encodeWithSelector(selector, token, bank.bic, available, required);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../../contracts/IDepositToken.sol";
import {IParticipantRegistry} from "../../../contracts/IParticipantRegistry.sol";
import {IPvPSettlement} from "../../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms} from "../../../contracts/SettlementTypes.sol";
import {CorridorTest} from "../CorridorTest.sol";
import {HostileToken} from "../HostileToken.sol";
import {vm} from "../Vm.sol";

/// @notice Two ledgers in one machine, five banks on each, and books kept apart from the contracts.
///
/// The books (`balance`, `held`, `issued`, `redeemed`, `locks`) follow what the actors agreed to, never what a contract
/// answers. Whatever moves without such an agreement makes books and contracts differ.
///
/// An honest action that the contracts refuse reverts, so that Foundry's table shows how often each action succeeds. A
/// thief's action never reverts: if it succeeds it is counted as a violation.
abstract contract World is CorridorTest {
    /// @dev A call that took effect once and must never take effect again.
    struct Effect {
        uint256 ledger;
        address target;
        address sender;
        bytes data;
    }

    /// @dev An obligation locked on one ledger. `legs` is abi-encoded; `full` has a bit for every leg on this ledger.
    struct Lock {
        uint256 ledger;
        bytes32 id;
        bytes legs;
        LockTerms terms;
        uint16 mask;
        uint16 full;
        IPvPSettlement.State state;
    }

    struct Ledger {
        IParticipantRegistry registry;
        IPvPSettlement settlement;
        IDepositToken hkd;
        IDepositToken thb;
    }

    uint256 internal constant BANKS = 5;
    /// @dev The last bank steals where it can. Its issuer, its operator and all other banks may collude with it.
    uint256 internal constant THIEF = 4;
    uint256 internal constant MAX_EFFECTS = 64;

    uint256 public nowS;
    uint256 internal _here;
    Ledger[2] internal _ledgers;
    Bank[BANKS][2] internal _banks;
    HostileToken internal hostile;

    mapping(address token => mapping(bytes11 participant => uint256)) public balance;
    mapping(address token => mapping(bytes11 participant => uint256)) public held;
    mapping(address token => uint256) public issued;
    mapping(address token => uint256) public redeemed;
    mapping(uint256 ledger => mapping(bytes32 id => IPvPSettlement.State)) public stateOf;
    mapping(bytes32 rule => uint256) public violations;
    /// @notice How often an action took effect or, a thief's, was tried: what never happens proves nothing.
    mapping(bytes4 action => uint256) public acted;
    Lock[] internal _locks;
    Effect[] internal _effects;
    uint256 internal _counter;

    /// @dev What the hostile token was told to call: a claim of this lock (plus one), or a repetition if zero.
    uint256 internal _armedLock;

    function setUp() public override {
        super.setUp();
        nowS = NOW_S;
        hostile = new HostileToken();
        _ledgers[0] = Ledger(registry, settlement, hkd, thb);
        _banks[0][0] = hongKongBank;
        _banks[0][1] = secondHongKongBank;
        _banks[0][2] = thaiBank;
        _banks[0][3] = secondThaiBank;
        _banks[0][THIEF] = _admit("THCTTHBKXXX", "THCT0000000000000005", 0xBAD5);
        _openThief();
        _book();

        vm.chainId(OTHER_CHAIN);
        _here = 1;
        registry = _deployRegistry();
        settlement = _deploySettlement(registry);
        hkd = _deployToken("HKD", HKD_ISSUER, registry, settlement);
        thb = _deployToken("THB", THB_ISSUER, registry, settlement);
        _ledgers[1] = Ledger(registry, settlement, hkd, thb);
        _banks[1][0] = _admit("HKBAHKHHXXX", "HKBA0000000000000001", 0xA1);
        _banks[1][1] = _admit("HKBBHKHHXXX", "HKBB0000000000000002", 0xA2);
        _banks[1][2] = _admit("THBATHBKXXX", "THBA0000000000000003", 0xB1);
        _banks[1][3] = _admit("THBBTHBKXXX", "THBB0000000000000004", 0xB2);
        _banks[1][THIEF] = _admit("THCTTHBKXXX", "THCT0000000000000005", 0xBAD5);
        _open(hkd, HKD_ISSUER, hongKongBank, thaiBank);
        _open(hkd, HKD_ISSUER, secondHongKongBank, secondThaiBank);
        _open(thb, THB_ISSUER, thaiBank, hongKongBank);
        _open(thb, THB_ISSUER, secondThaiBank, secondHongKongBank);
        _openThief();
        _book();
        _on(0);
    }

    function _openThief() private {
        Bank memory thief = _banks[_here][THIEF];
        vm.prank(THB_ISSUER);
        thb.issue(thief.bic, OPENING, keccak256("opening of the thief"));
    }

    /// @dev The opening balances, as `_open` and `_openThief` left them.
    function _book() private {
        for (uint256 i = 0; i < BANKS; ++i) {
            balance[address(hkd)][_banks[_here][i].bic] = i == THIEF ? 0 : OPENING;
            balance[address(thb)][_banks[_here][i].bic] = OPENING;
        }
        (issued[address(hkd)], issued[address(thb)]) = (4 * OPENING, 5 * OPENING);
    }

    // ----- TIME AND PLACE ---------------------------------------------------------------------------------------

    /// @dev Every action begins here: time and chain id are Foundry's, and the next call may not remember them.
    function _on(uint256 ledger) internal {
        _here = ledger;
        Ledger memory there = _ledgers[ledger];
        (registry, settlement, hkd, thb) = (there.registry, there.settlement, there.hkd, there.thb);
        vm.chainId(ledger == 0 ? THIS_CHAIN : OTHER_CHAIN);
        vm.warp(nowS);
    }

    function _pass(uint256 seconds_) internal {
        nowS += seconds_;
        vm.warp(nowS);
    }

    function _chainOf(uint256 ledger) internal pure returns (uint256) {
        return ledger == 0 ? THIS_CHAIN : OTHER_CHAIN;
    }

    function _bank(uint256 index) internal view returns (Bank memory) {
        return _banks[_here][index];
    }

    function _token(uint256 index) internal view returns (IDepositToken) {
        return index % 2 == 0 ? hkd : thb;
    }

    function _indexOf(bytes11 bic) internal view returns (uint256 index) {
        while (_banks[0][index].bic != bic) ++index;
    }

    function _bankOf(bytes11 bic) internal view returns (Bank memory) {
        return _banks[_here][_indexOf(bic)];
    }

    /// @dev The next number of a sequence that begins with the seed.
    function _mix(uint256 seed, uint256 salt) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, salt)));
    }

    function _fresh() internal returns (bytes32) {
        return keccak256(abi.encode("fresh", ++_counter));
    }

    // ----- EFFECTS ----------------------------------------------------------------------------------------------

    /// @dev Calls; what took effect is kept, to be tried again.
    function _do(address target, address sender, bytes memory data) internal returns (bool ok) {
        vm.prank(sender);
        (ok,) = target.call(data);
        if (!ok) return false;
        ++acted[msg.sig];
        Effect memory effect = Effect(_here, target, sender, data);
        if (_effects.length < MAX_EFFECTS) _effects.push(effect);
        else _effects[_mix(nowS, _counter++) % MAX_EFFECTS] = effect;
        _settleHostile();
    }

    /// @dev An honest action: if it is refused, nothing happened.
    function _must(address target, address sender, bytes memory data) internal {
        require(_do(target, sender, data), "refused");
    }

    /// @dev An action that must be refused.
    function _mustFail(bytes32 rule, address target, address sender, bytes memory data) internal {
        ++acted[msg.sig];
        vm.prank(sender);
        (bool ok,) = target.call(data);
        if (ok) ++violations[rule];
    }

    function _violated(bytes32 rule, bool condition) internal {
        if (condition) ++violations[rule];
    }

    // ----- BOOKS ------------------------------------------------------------------------------------------------

    function _isOurs(address token) internal view returns (bool) {
        return token != address(hostile);
    }

    // Books wrap around below zero: a checked subtraction would undo the very call that went wrong.

    function _bookLeg(Leg memory leg) internal {
        if (_isOurs(leg.token)) _bookMove(leg.token, leg.payer, leg.payee, leg.amount);
    }

    function _bookMove(address token, bytes11 payer, bytes11 payee, uint256 amount) internal {
        unchecked {
            balance[token][payer] -= amount;
            balance[token][payee] += amount;
        }
    }

    function _bookHold(Leg memory leg) internal {
        if (_isOurs(leg.token)) held[leg.token][leg.payer] += leg.amount;
    }

    function _bookRelease(Leg memory leg) internal {
        if (_isOurs(leg.token)) _bookRelease(leg.token, leg.payer, leg.amount);
    }

    function _bookRelease(address token, bytes11 payer, uint256 amount) internal {
        unchecked {
            held[token][payer] -= amount;
        }
    }

    /// @dev An obligation is settled at once only if it is neither locked nor discharged.
    function _bookSettled(Leg[] memory legs) internal {
        bytes32 id = _id(legs);
        IPvPSettlement.State before = stateOf[_here][id];
        _violated("Once", before != IPvPSettlement.State.None && before != IPvPSettlement.State.Refunded);
        stateOf[_here][id] = IPvPSettlement.State.Settled;
        for (uint256 i = 0; i < legs.length; ++i) {
            _bookLeg(legs[i]);
        }
    }

    // ----- LEGS -------------------------------------------------------------------------------------------------

    /// @dev Up to four canonical legs; mostly small, sometimes a payer's whole balance or more than it has.
    function _legs(uint256 seed) internal view returns (Leg[] memory legs) {
        legs = new Leg[](1 + seed % 4);
        uint256 count = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            count = _insert(legs, count, _randomLeg(_mix(seed, i)));
        }
        // Duplicates were left out.
        assembly ("memory-safe") {
            mstore(legs, count)
        }
    }

    function _randomLeg(uint256 seed) private view returns (Leg memory) {
        uint256 payer = seed % BANKS;
        uint256 payee = (payer + 1 + (seed >> 8) % (BANKS - 1)) % BANKS;
        address token = _here == 0 && (seed >> 16) % 8 == 0 ? address(hostile) : address(_token(seed >> 24));
        uint256 amount = 1 + (seed >> 32) % 5000;
        if ((seed >> 64) % 16 == 0) amount = balance[token][_bank(payer).bic] + (seed >> 72) % 2;
        if (amount == 0) amount = 1;
        return Leg(_bank(payer).bic, _bank(payee).bic, block.chainid, token, amount);
    }

    function _insert(Leg[] memory legs, uint256 count, Leg memory leg) private pure returns (uint256) {
        uint256 at = count;
        while (at > 0 && _key(leg) < _key(legs[at - 1])) --at;
        if (at > 0 && _key(leg) == _key(legs[at - 1])) return count;
        for (uint256 i = count; i > at; --i) {
            legs[i] = legs[i - 1];
        }
        legs[at] = leg;
        return count + 1;
    }

    /// @dev Orders legs as the contract does: payer, payee, token. BICs differ in their first twelve nibbles here.
    function _key(Leg memory leg) private pure returns (uint256) {
        uint256 parties = uint256(uint48(bytes6(leg.payer))) << 48 | uint48(bytes6(leg.payee));
        return parties << 160 | uint160(leg.token);
    }

    /// @dev The distinct payers, in the order of the legs.
    function _payers(Leg[] memory legs) internal pure returns (bytes11[] memory payers) {
        payers = new bytes11[](legs.length);
        uint256 count = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (i == 0 || legs[i].payer != legs[i - 1].payer) payers[count++] = legs[i].payer;
        }
        assembly ("memory-safe") {
            mstore(payers, count)
        }
    }

    // ----- THE HOSTILE TOKEN ------------------------------------------------------------------------------------

    /// @dev Tells the hostile token to repeat an effect, or to claim a lock, in the middle of the next settlement.
    function _arm(uint256 seed) internal {
        if (_here != 0) return;
        (address target, bytes memory data) = (address(0), bytes(""));
        _armedLock = 0;
        if (seed % 2 == 0 && _locks.length > 0) {
            uint256 index = (seed >> 8) % _locks.length;
            Lock memory lock_ = _locks[index];
            if (lock_.ledger == 0) {
                _armedLock = index + 1;
                Leg[] memory legs = abi.decode(lock_.legs, (Leg[]));
                data = abi.encodeCall(settlement.claim, (INSTRUCTIONS, legs, lock_.terms, PREIMAGE));
                target = address(settlement);
            }
        } else if (_effects.length > 0) {
            Effect memory effect = _effects[(seed >> 8) % _effects.length];
            if (effect.ledger == 0) (target, data) = (effect.target, effect.data);
        }
        hostile.arm(target, data);
    }

    /// @dev What the hostile token achieved goes into the books, if it was a claim; a repetition is a violation.
    function _settleHostile() internal {
        if (!hostile.fired() || !hostile.succeeded()) return;
        hostile.arm(address(0), "");
        if (_armedLock == 0) {
            ++violations["Once"];
        } else {
            _bookClaim(_armedLock - 1);
        }
    }

    function _bookClaim(uint256 index) internal {
        Lock storage lock_ = _locks[index];
        _violated("Disjoint windows", nowS >= lock_.terms.timelock);
        _violated("Atomicity", lock_.mask != lock_.full);
        _violated("Once", lock_.state != IPvPSettlement.State.Locked);
        Leg[] memory legs = abi.decode(lock_.legs, (Leg[]));
        for (uint256 i = 0; i < legs.length; ++i) {
            if (lock_.mask & (1 << i) == 0) continue;
            _bookRelease(legs[i]);
            _bookLeg(legs[i]);
        }
        (lock_.state, lock_.mask) = (IPvPSettlement.State.Claimed, 0);
        stateOf[lock_.ledger][lock_.id] = IPvPSettlement.State.Claimed;
    }
}

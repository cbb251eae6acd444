// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../../contracts/IDepositToken.sol";
import {IPvPSettlement} from "../../../contracts/IPvPSettlement.sol";
import {Leg, LockTerms, Signature} from "../../../contracts/SettlementTypes.sol";
import {vm} from "../Vm.sol";
import {Payments} from "./Payments.sol";

/// @notice Lock, claim and refund on one ledger and across two, by honest banks and against everybody's resistance.
abstract contract Locks is Payments {
    uint256 private constant MARGIN_S = 1800;
    uint256 private constant SHORTEST_S = 600;
    uint256 private constant LONGEST_S = 7 days;

    /// @dev How often an obligation has been locked anew, on each ledger.
    mapping(uint256 ledger => mapping(bytes32 id => uint32)) private _attempts;

    // ----- LOCK -------------------------------------------------------------------------------------------------

    /// @notice Some or all payers of an obligation on one ledger lock their legs.
    function lockHere(uint256 seed) external {
        _on(seed % 2);
        Leg[] memory legs = _legs(_mix(seed, 1));
        LockTerms memory terms = _termsFrom(_mix(seed, 2), legs);
        _arm(_mix(seed, 3));
        // A sleeping bank: in one of four obligations only the first payer locks.
        _lockAll(legs, terms, (seed >> 8) % 4 == 0 ? 1 : 4);
    }

    /// @notice A refunded obligation is tried again under its next attempt, or still under the old one.
    function lockAgain(uint256 seed) external {
        if (_locks.length == 0) return;
        Lock memory before = _locks[_mix(seed, 1) % _locks.length];
        if (before.state != IPvPSettlement.State.Refunded || before.terms.otherChainId != 0) return;
        _on(before.ledger);
        Leg[] memory legs = abi.decode(before.legs, (Leg[]));
        _lockAll(legs, _termsFrom(_mix(seed, 2), legs), 4);
    }

    /// @notice A PvP across two ledgers with timelocks of all kinds. The contracts must refuse the wrong ones.
    function lockAcross(uint256 seed) external {
        (uint256 one, uint256 other) = (_mix(seed, 1) % BANKS, _mix(seed, 2) % BANKS);
        if (one == other) return;
        (one, other) = one < other ? (one, other) : (other, one);
        Leg[] memory legs = new Leg[](2);
        uint256 amount = 1 + _mix(seed, 3) % 5000;
        legs[0] = Leg(_banks[0][one].bic, _banks[0][other].bic, THIS_CHAIN, address(_ledgers[0].hkd), amount);
        legs[1] = Leg(_banks[0][other].bic, _banks[0][one].bic, OTHER_CHAIN, address(_ledgers[1].thb), amount * 4);
        uint256 follow = nowS + SHORTEST_S + _mix(seed, 4) % 7200;
        uint256 lead = follow + _mix(seed, 5) % (2 * MARGIN_S + 600);
        if (_mix(seed, 6) % 4 != 0 && lead < follow + MARGIN_S) lead = follow + MARGIN_S;
        if (_mix(seed, 7) % 2 == 0) {
            _lockSide(0, legs, uint64(lead), uint64(follow));
            _lockSide(1, legs, uint64(follow), uint64(lead));
        } else {
            _lockSide(1, legs, uint64(lead), uint64(follow));
            _lockSide(0, legs, uint64(follow), uint64(lead));
        }
    }

    /// @notice The thief locks a victim's leg without the victim's consent to exactly that.
    function stealByLock(uint256 seed) external {
        _on(seed % 2);
        Leg[] memory legs = _legs(_mix(seed, 1));
        Bank memory victim = _bankOf(legs[0].payer);
        if (victim.key == _bank(THIEF).key) return;
        LockTerms memory terms = _termsFrom(_mix(seed, 2), legs);
        LockTerms memory signed = LockTerms(terms.attempt, terms.hashlock, terms.timelock, 0, address(0), 0);
        uint256 kind = _mix(seed, 3) % 5;
        if (kind == 0) signed.timelock += 1;
        if (kind == 1) signed.attempt += 1;
        if (kind == 2) signed.hashlock = sha256("the thief's own preimage");
        Signature memory signature = _signLock(victim, legs, signed);
        if (kind == 3) signature = _none();
        if (kind == 4) signature = _signGross(victim, legs, uint64(nowS + 600));
        uint64 deadline = uint64(nowS + 600);
        bytes memory data =
            abi.encodeCall(settlement.lock, (INSTRUCTIONS, legs, terms, victim.bic, deadline, signature));
        _mustFail("Consent", address(settlement), _bank(THIEF).key, data);
    }

    function _termsFrom(uint256 seed, Leg[] memory legs) private view returns (LockTerms memory) {
        uint256 window = SHORTEST_S + (seed % 8 == 0 ? (seed >> 8) % (LONGEST_S - SHORTEST_S + 1) : (seed >> 8) % 3600);
        uint32 attempt = _attempts[_here][_id(legs)] + 1;
        return LockTerms(attempt, HASHLOCK, uint64(nowS + window), 0, address(0), 0);
    }

    function _lockSide(uint256 ledger, Leg[] memory legs, uint64 timelock, uint64 otherTimelock) private {
        _on(ledger);
        address otherSettlement = address(_ledgers[1 - ledger].settlement);
        uint32 attempt = _attempts[ledger][_id(legs)] + 1;
        LockTerms memory terms =
            LockTerms(attempt, HASHLOCK, timelock, _chainOf(1 - ledger), otherSettlement, otherTimelock);
        _lockAll(legs, terms, 4);
    }

    /// @dev The first `most` payers on this ledger lock; stops at the first that is refused.
    function _lockAll(Leg[] memory legs, LockTerms memory terms, uint256 most) private {
        Lock memory made = Lock(_here, _id(legs), abi.encode(legs), terms, 0, 0, IPvPSettlement.State.Locked);
        bytes11[] memory payers = _payers(legs);
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].chainId == block.chainid) made.full |= uint16(1 << i);
        }
        for (uint256 i = 0; i < payers.length && i < most; ++i) {
            uint16 mask = _maskOf(legs, payers[i]);
            if (mask == 0) continue;
            if (!_lockOne(legs, terms, _bankOf(payers[i]), i % 2 == 0)) break;
            made.mask |= mask;
        }
        require(made.mask != 0, "refused");
        _checkTerms(legs, terms);
        _attempts[_here][made.id] = terms.attempt;
        stateOf[_here][made.id] = IPvPSettlement.State.Locked;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (made.mask & (1 << i) != 0) _bookHold(legs[i]);
        }
        _locks.push(made);
    }

    function _lockOne(Leg[] memory legs, LockTerms memory terms, Bank memory payer, bool bySignature)
        private
        returns (bool)
    {
        Signature memory signature = bySignature ? _signLock(payer, legs, terms) : _none();
        uint64 deadline = uint64(nowS + 600);
        bytes memory data = abi.encodeCall(settlement.lock, (INSTRUCTIONS, legs, terms, payer.bic, deadline, signature));
        return _do(address(settlement), bySignature ? STRANGER : payer.key, data);
    }

    function _maskOf(Leg[] memory legs, bytes11 payer) private view returns (uint16 mask) {
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].payer == payer && legs[i].chainId == block.chainid) mask |= uint16(1 << i);
        }
    }

    /// @dev What the contract let pass is judged by arithmetic of our own.
    function _checkTerms(Leg[] memory legs, LockTerms memory terms) private {
        bool tooShort = terms.timelock < nowS + SHORTEST_S;
        _violated("Disjoint windows", tooShort || terms.timelock > nowS + LONGEST_S);
        if (terms.otherChainId == 0) return;
        uint256 gap = terms.timelock > terms.otherTimelock
            ? terms.timelock - terms.otherTimelock
            : terms.otherTimelock - terms.timelock;
        _violated("Timelock order", gap < MARGIN_S);
        uint256 leadChain = terms.timelock > terms.otherTimelock ? block.chainid : terms.otherChainId;
        bytes11 leadPayer = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].chainId != leadChain) continue;
            _violated("Timelock order", leadPayer != 0 && legs[i].payer != leadPayer);
            leadPayer = legs[i].payer;
        }
    }

    // ----- CLAIM AND REFUND -------------------------------------------------------------------------------------

    /// @notice Somebody who has the preimage claims, at any time; just before, an authority may do its worst.
    function claim(uint256 seed) external {
        if (_locks.length == 0) return;
        uint256 index = _pick(seed);
        Lock memory lock_ = _locks[index];
        _arriveAtTheEdge(_mix(seed, 4), lock_.terms.timelock);
        _on(lock_.ledger);
        Leg[] memory legs = abi.decode(lock_.legs, (Leg[]));
        if (_mix(seed, 1) % 3 == 0) _obstruct(_mix(seed, 2), legs[_mix(seed, 3) % legs.length]);
        bool open = lock_.state == IPvPSettlement.State.Locked && lock_.mask == lock_.full;
        bool expected = open && nowS < lock_.terms.timelock;
        if (_do(address(settlement), STRANGER, _claimData(lock_, legs, PREIMAGE))) {
            _violated("Consent", !expected);
            _bookClaim(index);
        } else {
            _violated("Claimable", expected);
        }
    }

    /// @notice Somebody claims with something that is not the preimage.
    function claimWithoutPreimage(uint256 seed) external {
        if (_locks.length == 0) return;
        Lock memory lock_ = _locks[_pick(seed)];
        _on(lock_.ledger);
        bytes memory data = _claimData(lock_, abi.decode(lock_.legs, (Leg[])), keccak256(abi.encode(seed)));
        _mustFail("Consent", address(settlement), STRANGER, data);
    }

    /// @notice A thief claims an obligation of which one payer sleeps, after that payer has locked as much for another:
    /// what is held for one obligation must not pay another.
    function claimHalf(uint256 seed) external {
        (bool found, Lock memory half) = _openHalf();
        if (!found) {
            _lockHalf(seed);
            (found, half) = _openHalf();
        }
        if (!found) return;
        _on(half.ledger);
        Leg[] memory legs = abi.decode(half.legs, (Leg[]));
        for (uint256 i = 0; i < legs.length; ++i) {
            if (half.full & ~half.mask & (1 << i) == 0) continue;
            Leg[] memory other = _one(legs[i]);
            other[0].amount += 1;
            _lockAll(other, _termsFrom(_mix(seed, 1), other), 1);
        }
        _mustFail("Atomicity", address(settlement), _bank(THIEF).key, _claimData(half, legs, PREIMAGE));
    }

    /// @notice Somebody refunds a leg, at any time; just before, an authority may do its worst.
    function refund(uint256 seed) external {
        if (_locks.length == 0) return;
        uint256 index = _pick(seed);
        _arriveAtTheEdge(_mix(seed, 4), _locks[index].terms.timelock);
        _on(_locks[index].ledger);
        Leg[] memory legs = abi.decode(_locks[index].legs, (Leg[]));
        if (_mix(seed, 1) % 3 == 0) _obstruct(_mix(seed, 2), legs[_mix(seed, 3) % legs.length]);
        for (uint256 i = 0; i < legs.length; ++i) {
            _refundLeg(index, legs, i);
        }
    }

    /// @notice After everything, each locked leg comes free by a stranger's hand.
    function refundEverything() external {
        for (uint256 index = 0; index < _locks.length; ++index) {
            if (_locks[index].state != IPvPSettlement.State.Locked) continue;
            if (nowS < _locks[index].terms.timelock) nowS = _locks[index].terms.timelock;
            _on(_locks[index].ledger);
            Leg[] memory legs = abi.decode(_locks[index].legs, (Leg[]));
            for (uint256 i = 0; i < legs.length; ++i) {
                _refundLeg(index, legs, i);
            }
        }
    }

    function _refundLeg(uint256 index, Leg[] memory legs, uint256 leg) private {
        Lock storage lock_ = _locks[index];
        bool locked = lock_.state == IPvPSettlement.State.Locked && lock_.mask & (1 << leg) != 0;
        bool late = nowS >= lock_.terms.timelock;
        bytes memory data = abi.encodeCall(settlement.refund, (INSTRUCTIONS, legs, lock_.terms, leg));
        if (!_do(address(settlement), STRANGER, data)) {
            _violated("Exit", locked && late);
            return;
        }
        _violated("Disjoint windows", !late);
        _violated("Once", !locked);
        if (!locked) return;
        _bookRelease(legs[leg]);
        lock_.mask ^= uint16(1 << leg);
        if (lock_.mask != 0) return;
        lock_.state = IPvPSettlement.State.Refunded;
        stateOf[lock_.ledger][lock_.id] = IPvPSettlement.State.Refunded;
    }

    /// @dev A small PvP of which one payer locks and the other sleeps.
    function _lockHalf(uint256 seed) private {
        _on(seed % 2);
        uint256 one = _mix(seed, 5) % (BANKS - 1);
        (Bank memory payer, Bank memory sleeper) = (_bank(one), _bank(one + 1));
        Leg[] memory legs = new Leg[](2);
        legs[0] = Leg(payer.bic, sleeper.bic, block.chainid, address(_token(seed >> 8)), 1 + _mix(seed, 6) % 50);
        legs[1] = Leg(sleeper.bic, payer.bic, block.chainid, address(_token(seed >> 16)), 1 + _mix(seed, 7) % 50);
        _lockAll(legs, _termsFrom(_mix(seed, 8), legs), 1);
    }

    /// @dev The latest lock that still waits for a payer, among the last twelve.
    function _openHalf() private view returns (bool found, Lock memory half) {
        for (uint256 back = 1; back <= 12 && back <= _locks.length; ++back) {
            half = _locks[_locks.length - back];
            bool open = half.state == IPvPSettlement.State.Locked && nowS < half.terms.timelock;
            if (open && half.mask != half.full) return (true, half);
        }
    }

    /// @dev One of the last six locks: older ones have mostly ended. Three times of four one that is still open, if any.
    function _pick(uint256 seed) private view returns (uint256 index) {
        uint256 recent = _locks.length < 6 ? _locks.length : 6;
        uint256 first = _mix(seed, 9) % recent;
        for (uint256 i = 0; i < recent; ++i) {
            index = _locks.length - 1 - (first + i) % recent;
            if (_mix(seed, 10) % 4 == 0 || _locks[index].state == IPvPSettlement.State.Locked) return index;
        }
    }

    /// @dev Whoever claims or refunds comes, once in three times, a second before the timelock, in its second or after.
    function _arriveAtTheEdge(uint256 seed, uint256 timelock) private {
        uint256 target = timelock + (seed >> 8) % 3 - 1;
        if (seed % 3 == 0 && target > nowS) _pass(target - nowS);
    }

    function _claimData(Lock memory lock_, Leg[] memory legs, bytes32 preimage) private view returns (bytes memory) {
        return abi.encodeCall(settlement.claim, (INSTRUCTIONS, legs, lock_.terms, preimage));
    }

    /// @dev The issuers suspend, freeze and pause, and a bank revokes its consents, whatever came before.
    function _obstruct(uint256 seed, Leg memory leg) private {
        bytes11 bic = seed % 2 == 0 ? leg.payer : leg.payee;
        address home = registry.issuerOf(registry.countryOf(bic));
        address token = _isOurs(leg.token) ? leg.token : address(hkd);
        address issuer = IDepositToken(token).issuer();
        uint256 kind = (seed >> 8) % 5;
        if (kind == 0) _quietly(home, address(registry), abi.encodeCall(registry.suspend, (bic)));
        if (kind == 1) _quietly(issuer, token, abi.encodeCall(hkd.freeze, (bic)));
        if (kind == 2) _quietly(issuer, token, abi.encodeCall(hkd.pause, ()));
        if (kind == 3) _quietly(_bankOf(bic).key, address(registry), abi.encodeCall(registry.revokeConsents, ()));
        if (kind == 4) _quietly(operator, address(registry), abi.encodeCall(registry.suspendForADay, (bic)));
    }

    function _quietly(address sender, address target, bytes memory data) internal {
        vm.prank(sender);
        // Whether it was possible does not matter: it may have been done before.
        (bool ok,) = target.call(data);
        ok;
    }

    // ----- TIME -------------------------------------------------------------------------------------------------

    /// @notice Time passes: seconds or an hour; or exactly up to, onto or past the timelock of a lock.
    function wait_(uint256 seed) external {
        _on(0);
        uint256 kind = seed % 4;
        if (kind == 0) _pass(1 + (seed >> 8) % 60);
        if (kind == 1) _pass(1 + (seed >> 8) % 3600);
        if (kind < 2 || _locks.length == 0) return;
        uint256 target = _locks[_pick(seed)].terms.timelock + (seed >> 8) % 3 - 1;
        if (target > nowS) _pass(target - nowS);
    }
}

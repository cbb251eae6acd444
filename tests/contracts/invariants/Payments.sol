// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, Leg, LockTerms, Signature} from "../../../contracts/SettlementTypes.sol";
import {TypedDataHarness} from "../TypedDataHarness.sol";
import {vm} from "../Vm.sol";
import {World} from "./World.sol";

/// @notice Gross and net settlement, by banks that agree and by a thief that colludes with all but one of them.
abstract contract Payments is World {
    uint256 private constant SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    uint64 private _round;

    // ----- GROSS ------------------------------------------------------------------------------------------------

    /// @notice All payers agree; anyone submits.
    function settleGross(uint256 seed) external {
        _on(seed % 2);
        Leg[] memory legs = _legs(_mix(seed, 1));
        _arm(_mix(seed, 2));
        uint64 deadline = uint64(nowS + 1 + _mix(seed, 3) % 900);
        bytes memory data =
            abi.encodeCall(settlement.settle, (INSTRUCTIONS, legs, deadline, _grossSignatures(legs, deadline)));
        _must(address(settlement), STRANGER, data);
        _bookSettled(legs);
    }

    /// @notice A payer consents by its own transaction before, because its key signs no typed data.
    function settleApproved(uint256 seed) external {
        _on(seed % 2);
        Leg[] memory legs = _legs(_mix(seed, 1));
        uint64 deadline = uint64(nowS + 600);
        Signature[] memory signatures = _grossSignatures(legs, deadline);
        Bank memory payer = _bankOf(legs[0].payer);
        bytes32 digest = _grossDigest(payer, legs, deadline);
        signatures[0] = _none();
        bytes memory data = abi.encodeCall(settlement.settle, (INSTRUCTIONS, legs, deadline, signatures));
        vm.prank(payer.key);
        settlement.approve(digest);
        if (seed % 4 == 0) {
            vm.prank(payer.key);
            settlement.unapprove(digest);
            _mustFail("Consent", address(settlement), STRANGER, data);
            return;
        }
        _must(address(settlement), STRANGER, data);
        _bookSettled(legs);
    }

    /// @notice All payers but one agree; the thief puts something else in place of that one's consent.
    function stealGross(uint256 seed) external {
        _on(seed % 2);
        Leg[] memory legs = _legs(_mix(seed, 1));
        bytes11[] memory payers = _payers(legs);
        uint256 victim = _mix(seed, 2) % payers.length;
        if (_indexOf(payers[victim]) == THIEF) return;
        uint64 deadline = uint64(nowS + 600);
        Signature[] memory signatures = _grossSignatures(legs, deadline);
        signatures[victim] = _insteadOfGross(_mix(seed, 3), _bankOf(payers[victim]), legs, deadline);
        bytes memory data = abi.encodeCall(settlement.settle, (INSTRUCTIONS, legs, deadline, signatures));
        _mustFail("Consent", address(settlement), _bank(THIEF).key, data);
    }

    function _grossSignatures(Leg[] memory legs, uint64 deadline) private view returns (Signature[] memory signatures) {
        bytes11[] memory payers = _payers(legs);
        signatures = new Signature[](payers.length);
        for (uint256 i = 0; i < payers.length; ++i) {
            signatures[i] = _signGross(_bankOf(payers[i]), legs, deadline);
        }
    }

    function _insteadOfGross(uint256 seed, Bank memory victim, Leg[] memory legs, uint64 deadline)
        private
        view
        returns (Signature memory)
    {
        uint256 kind = seed % 9;
        bytes32 id = _id(legs);
        if (kind == 0) return _none();
        if (kind == 1) return _sign(_bank(THIEF).secret, _grossDigest(victim, legs, deadline));
        if (kind == 2) return _signGross(_bank(THIEF), legs, deadline);
        if (kind == 3) return _signGross(victim, legs, deadline + 1);
        if (kind == 4) return _signLock(victim, legs, _terms());
        if (kind == 5) return _highS(_signGross(victim, legs, deadline));
        TypedDataHarness.Domain memory domain = _domain();
        uint32 epoch = _epoch(victim);
        if (kind == 6) return _sign(victim.secret, typed.grossDigest(domain, victim.bic, epoch + 1, deadline, id));
        if (kind == 7) {
            domain.chainId += 1;
            return _sign(victim.secret, typed.grossDigest(domain, victim.bic, epoch, deadline, id));
        }
        legs[0].amount += 1;
        Signature memory other = _signGross(victim, legs, deadline);
        legs[0].amount -= 1;
        return other;
    }

    /// @dev The other signature that the curve's symmetry makes of a signature. The compact form has no room for its s.
    function _highS(Signature memory signature) private pure returns (Signature memory) {
        uint256 parity = uint256(signature.vs) >> 255;
        uint256 s = SECP256K1_ORDER - (uint256(signature.vs) & (type(uint256).max >> 1));
        return Signature(signature.r, bytes32(s & (type(uint256).max >> 1) | (1 - parity) << 255));
    }

    // ----- NET --------------------------------------------------------------------------------------------------

    /// @notice Everybody with an entry consents, and the operator proposes.
    function settleNet(uint256 seed) external {
        _on(seed % 2);
        Batch memory batch = _randomBatch(_mix(seed, 1));
        Signature[] memory signatures = _netSignatures(batch);
        bool bySigner = seed % 3 == 0;
        Signature memory proposal = bySigner ? _proposal(batch) : _none();
        address sender = bySigner ? _bankOf(batch.participants[0]).key : operator;
        _must(address(settlement), sender, abi.encodeCall(settlement.settleBatch, (batch, proposal, signatures)));
        _bookBatch(batch);
        batch.entryRoots[0] = _fresh();
        bytes memory second = abi.encodeCall(settlement.settleBatch, (batch, _none(), _netSignatures(batch)));
        _mustFail("Once", address(settlement), operator, second);
    }

    /// @notice Operator and all participants but one collude: that one's consent is for something else, or missing.
    function stealNet(uint256 seed) external {
        _on(seed % 2);
        Batch memory batch = _randomBatch(_mix(seed, 1));
        uint256 victim = _mix(seed, 2) % batch.participants.length;
        if (_indexOf(batch.participants[victim]) == THIEF) return;
        Signature[] memory signatures = _netSignatures(batch);
        signatures[victim] = _insteadOfNet(_mix(seed, 3), _bankOf(batch.participants[victim]), batch);
        bytes memory data = abi.encodeCall(settlement.settleBatch, (batch, _none(), signatures));
        _mustFail("Consent", address(settlement), operator, data);
    }

    /// @notice Everybody has consented, but not to submitting this: no proposer, or a currency that doesn't balance.
    function settleNetWrongly(uint256 seed) external {
        _on(seed % 2);
        Batch memory batch = _randomBatch(_mix(seed, 1));
        address sender = operator;
        Signature memory proposal = _none();
        uint256 kind = _mix(seed, 2) % 4;
        if (kind == 0) batch.positions[0] += 1;
        if (kind == 1) (sender, proposal) = (STRANGER, _proposal(batch));
        if (kind == 2) sender = _bankOf(batch.participants[0]).key;
        if (kind == 3) batch.participants[1] = batch.participants[0];
        bytes memory data = abi.encodeCall(settlement.settleBatch, (batch, proposal, _netSignatures(batch)));
        _mustFail(kind == 0 ? bytes32("Conservation") : bytes32("Consent"), address(settlement), sender, data);
    }

    function _randomBatch(uint256 seed) private returns (Batch memory batch) {
        uint256 count = 2 + seed % 4;
        uint256 skip = (seed >> 8) % (BANKS - count + 1);
        batch = Batch(
            operator,
            ++_round,
            uint64(nowS + 1 + (seed >> 16) % 900),
            new address[](2),
            new bytes11[](count),
            new bytes32[](count),
            new int256[](2 * count)
        );
        (batch.tokens[0], batch.tokens[1]) = _sortedTokens();
        for (uint256 i = 0; i < count; ++i) {
            batch.participants[i] = _bank(skip + i).bic;
            batch.entryRoots[i] = _fresh();
        }
        for (uint256 i = 0; i + 1 < count; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                int256 amount = int256(_mix(seed, 2 * i + j) % 4001) - 2000;
                batch.positions[2 * i + j] += amount;
                batch.positions[2 * count - 2 + j] -= amount;
            }
        }
    }

    function _netSignatures(Batch memory batch) private view returns (Signature[] memory signatures) {
        signatures = new Signature[](batch.participants.length);
        for (uint256 i = 0; i < signatures.length; ++i) {
            signatures[i] = _signNet(_bankOf(batch.participants[i]), batch);
        }
    }

    function _insteadOfNet(uint256 seed, Bank memory victim, Batch memory batch)
        private
        view
        returns (Signature memory)
    {
        uint256 kind = seed % 6;
        if (kind == 0) return _none();
        if (kind == 1) return _sign(_bank(THIEF).secret, _netDigest(victim, batch));
        if (kind == 2) return _signNet(_bank(THIEF), batch);
        if (kind == 3) {
            // The victim has signed another batch for the same round.
            bytes32 root = batch.entryRoots[0];
            batch.entryRoots[0] = keccak256("another root");
            Signature memory other = _signNet(victim, batch);
            batch.entryRoots[0] = root;
            return other;
        }
        bytes32 id = typed.batchId(batch);
        if (kind == 4) return _sign(victim.secret, typed.proposalDigest(_domain(), id));
        return _sign(victim.secret, typed.netDigest(_domain(), victim.bic, _epoch(victim) + 1, id));
    }

    function _bookBatch(Batch memory batch) private {
        for (uint256 i = 0; i < batch.positions.length; ++i) {
            address token = batch.tokens[i % 2];
            bytes11 participant = batch.participants[i / 2];
            // Signed and unsigned wrap the same way; below zero the book would show a balance that nobody has.
            unchecked {
                balance[token][participant] += uint256(batch.positions[i]);
            }
        }
    }

    // ----- PLAIN TRANSFERS AND BARE HANDS -----------------------------------------------------------------------

    /// @notice A bank moves its own tokens.
    function transfer(uint256 seed) external {
        _on(seed % 2);
        (uint256 payer, uint256 payee) = (_mix(seed, 1) % BANKS, _mix(seed, 2) % BANKS);
        address token = address(_token(seed >> 8));
        uint256 amount = _mix(seed, 3) % 5000;
        vm.prank(_bank(payer).key);
        (bool ok,) = token.call(abi.encodeWithSignature("transfer(address,uint256)", _bank(payee).key, amount));
        require(ok, "refused");
        ++acted[msg.sig];
        _bookMove(token, _bank(payer).bic, _bank(payee).bic, amount);
    }

    /// @notice The thief, its issuer or the operator reach for a victim's tokens directly.
    function stealDirectly(uint256 seed) external {
        _on(seed % 2);
        Bank memory victim = _bank(_mix(seed, 1) % THIEF);
        Bank memory thief = _bank(THIEF);
        address token = address(_token(seed >> 8));
        address[5] memory senders = [thief.key, operator, HKD_ISSUER, THB_ISSUER, STRANGER];
        address sender = senders[_mix(seed, 2) % 5];
        uint256 from = uint256(bytes32(victim.bic)) | uint160(victim.key);
        uint256 to = uint256(bytes32(thief.bic)) | uint160(thief.key);
        bytes[6] memory calls = [
            abi.encodeWithSignature("transferFrom(address,address,uint256)", victim.key, thief.key, 1),
            abi.encodeWithSignature("moveGross(uint256,uint256,uint256)", from, to, 1),
            abi.encodeWithSignature("settleHold(uint256,uint256,uint256)", from, to, 1),
            abi.encodeWithSignature("makeHold(bytes11,bytes11,uint256)", victim.bic, thief.bic, 1),
            abi.encodeWithSignature("release(bytes11,uint256)", victim.bic, 1),
            abi.encodeWithSignature("issue(bytes11,uint256,bytes32)", thief.bic, 1, keccak256("opening of the thief"))
        ];
        _mustFail("Consent", token, sender, calls[_mix(seed, 3) % 6]);
    }

    /// @notice Whatever took effect once is tried again, where it was or on the other ledger.
    function repeat(uint256 seed) external {
        if (_effects.length == 0) return;
        Effect memory effect = _effects[seed % _effects.length];
        _on(effect.ledger);
        address target = effect.target;
        if (_mix(seed, 1) % 4 == 0 && target == address(settlement)) {
            _on(1 - effect.ledger);
            target = address(settlement);
        }
        _mustFail("Once", target, effect.sender, effect.data);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositToken} from "../../../contracts/IDepositToken.sol";
import {vm} from "../Vm.sol";
import {Locks} from "./Locks.sol";

/// @notice Issuers, the operator and the keys of banks: issue and redeem, stop and let go, rotate and recover.
abstract contract Authorities is Locks {
    /// @dev An open redemption request, as the bank that made it remembers it.
    struct Request {
        uint256 ledger;
        address token;
        uint256 number;
        uint256 bank;
        uint256 amount;
        uint256 requestedAt;
        bool open;
    }

    uint256 private constant DAY_S = 1 days;
    uint256 private constant PUBLIC_DELAY_S = 3 days;

    Request[] internal _requests;

    /// @dev Keys that a bank has given up, on each ledger.
    Bank[] private _retired;
    uint256[] private _retiredOn;

    // ----- ISSUE AND REDEEM -------------------------------------------------------------------------------------

    /// @notice An issuer issues to a bank of its country.
    function issue(uint256 seed) external {
        _on(seed % 2);
        IDepositToken token = _token(seed >> 8);
        Bank memory bank = _bank(_domestic(seed >> 8, seed >> 16));
        uint256 amount = 1 + _mix(seed, 1) % 5000;
        _must(address(token), token.issuer(), abi.encodeCall(token.issue, (bank.bic, amount, _fresh())));
        balance[address(token)][bank.bic] += amount;
        issued[address(token)] += amount;
    }

    /// @notice A domestic bank asks to redeem.
    function requestRedemption(uint256 seed) external {
        _on(seed % 2);
        IDepositToken token = _token(seed >> 8);
        uint256 index = _domestic(seed >> 8, seed >> 16);
        Bank memory bank = _bank(index);
        uint256 amount = 1 + _mix(seed, 1) % 5000;
        vm.prank(bank.key);
        uint256 number = token.requestRedemption(amount);
        ++acted[msg.sig];
        held[address(token)][bank.bic] += amount;
        _requests.push(Request(_here, address(token), number, index, amount, nowS, true));
    }

    /// @notice The issuer fulfils or refuses a request, the bank withdraws it, or a thief tries any of these.
    function answerRedemption(uint256 seed) external {
        if (_requests.length == 0) return;
        Request storage request = _requests[_mix(seed, 1) % _requests.length];
        _on(request.ledger);
        IDepositToken token = IDepositToken(request.token);
        Bank memory bank = _bank(request.bank);
        uint256 kind = seed % 4;
        bytes memory data = kind < 2
            ? abi.encodeCall(token.fulfilRedemption, (request.number, _fresh()))
            : kind == 2
                ? abi.encodeCall(token.refuseRedemption, (request.number))
                : abi.encodeCall(token.withdrawRedemption, (request.number));
        address rightful = kind == 3 ? bank.key : token.issuer();
        _mustFail("Consent", address(token), kind == 3 ? token.issuer() : bank.key, data);
        bool ok = _do(address(token), rightful, data);
        bool early = kind == 3 && nowS < request.requestedAt + DAY_S;
        _violated("Once", ok && !request.open);
        _violated("Consent", ok && early);
        _violated("Exit", !ok && request.open && !early);
        if (!ok || !request.open) return;
        request.open = false;
        _bookRelease(request.token, bank.bic, request.amount);
        if (kind > 1) return;
        unchecked {
            balance[request.token][bank.bic] -= request.amount;
        }
        redeemed[request.token] += request.amount;
    }

    /// @notice After everything, each bank takes its open requests back, whatever its status.
    function withdrawEverything() external {
        nowS += DAY_S;
        for (uint256 i = 0; i < _requests.length; ++i) {
            Request storage request = _requests[i];
            if (!request.open) continue;
            _on(request.ledger);
            Bank memory bank = _bank(request.bank);
            bytes memory data = abi.encodeCall(IDepositToken(request.token).withdrawRedemption, (request.number));
            bool ok = _do(request.token, bank.key, data);
            _violated("Exit", !ok);
            if (!ok) continue;
            request.open = false;
            _bookRelease(request.token, bank.bic, request.amount);
        }
    }

    function _domestic(uint256 token, uint256 seed) private pure returns (uint256) {
        return token % 2 == 0 ? seed % 2 : 2 + seed % 3;
    }

    // ----- STOP AND LET GO --------------------------------------------------------------------------------------

    /// @notice Somebody who may stop a bank or a currency does so.
    function stop(uint256 seed) external {
        _on(seed % 2);
        Bank memory bank = _bank(_mix(seed, 1) % BANKS);
        IDepositToken token = _token(seed >> 8);
        uint256 kind = (seed >> 16) % 4;
        if (kind == 0) _quietly(_home(bank), address(registry), abi.encodeCall(registry.suspend, (bank.bic)));
        if (kind == 1) _quietly(token.issuer(), address(token), abi.encodeCall(token.freeze, (bank.bic)));
        if (kind == 2) _quietly(token.issuer(), address(token), abi.encodeCall(token.pause, ()));
        if (kind == 3) _quietly(operator, address(registry), abi.encodeCall(registry.suspendForADay, (bank.bic)));
    }

    /// @notice Everything that was stopped on a ledger goes on.
    function letGo(uint256 seed) external {
        _on(seed % 2);
        for (uint256 i = 0; i < BANKS; ++i) {
            Bank memory bank = _bank(i);
            _quietly(_home(bank), address(registry), abi.encodeCall(registry.reinstate, (bank.bic)));
            for (uint256 j = 0; j < 2; ++j) {
                IDepositToken token = _token(j);
                _quietly(token.issuer(), address(token), abi.encodeCall(token.unfreeze, (bank.bic)));
                if (i == 0) _quietly(token.issuer(), address(token), abi.encodeCall(token.unpause, ()));
            }
        }
    }

    // ----- KEYS -------------------------------------------------------------------------------------------------

    /// @notice A bank voids all it has signed.
    function revoke(uint256 seed) external {
        _on(seed % 2);
        address key = _bank(_mix(seed, 1) % BANKS).key;
        vm.prank(key);
        registry.revokeConsents();
        ++acted[msg.sig];
    }

    /// @notice A bank changes its key with its issuer's consent. Neither could have done it alone.
    function rotate(uint256 seed) external {
        _on(seed % 2);
        uint256 index = _mix(seed, 1) % BANKS;
        Bank memory old = _bank(index);
        uint256 secret = uint256(_fresh()) >> 8;
        address newKey = vm.addr(secret);
        bytes memory confirm = abi.encodeCall(registry.confirmKey, (old.bic, newKey));
        _mustFail("Consent", address(registry), _home(old), confirm);
        vm.prank(old.key);
        registry.proposeKey(newKey);
        _mustFail("Consent", address(registry), old.key, confirm);
        _mustFail("Consent", address(registry), operator, confirm);
        _must(address(registry), _home(old), confirm);
        _retire(index, secret);
    }

    /// @notice Issuer and operator recover a lost key, together and after the public delay.
    function recover(uint256 seed) external {
        // It takes three days, in which all locks run out: seldom.
        if (_mix(seed, 2) % 8 != 0) return;
        _on(seed % 2);
        uint256 index = _mix(seed, 1) % BANKS;
        Bank memory old = _bank(index);
        uint256 secret = uint256(_fresh()) >> 8;
        address newKey = vm.addr(secret);
        bytes memory execute = abi.encodeCall(registry.executeRecovery, (old.bic));
        vm.prank(_home(old));
        registry.proposeRecovery(old.bic, newKey);
        _mustFail("Consent", address(registry), _home(old), execute);
        _mustFail("Consent", address(registry), _home(old), abi.encodeCall(registry.confirmRecovery, (old.bic, newKey)));
        vm.prank(operator);
        registry.confirmRecovery(old.bic, newKey);
        _pass(PUBLIC_DELAY_S - 1);
        _mustFail("Consent", address(registry), STRANGER, execute);
        if (seed % 4 == 0) {
            vm.prank(operator);
            registry.withdrawRecovery(old.bic);
            _pass(1);
            _mustFail("Consent", address(registry), STRANGER, execute);
            return;
        }
        _pass(1);
        _must(address(registry), STRANGER, execute);
        _retire(index, secret);
    }

    /// @notice A key that was given up does nothing for its former owner, nor can it come back.
    function useRetiredKey(uint256 seed) external {
        if (_retired.length == 0) return;
        uint256 index = seed % _retired.length;
        Bank memory former = _retired[index];
        _on(_retiredOn[index]);
        address token = address(_token(seed >> 8));
        bytes memory move = abi.encodeWithSignature("transfer(address,uint256)", _bank(THIEF).key, 0);
        _mustFail("Consent", token, former.key, move);
        bytes memory again = abi.encodeCall(registry.admit, ("THZZTHBKXXX", "THZZ0000000000000009", former.key));
        _mustFail("Once", address(registry), THB_ISSUER, again);
        vm.prank(_home(former));
        (bool ok,) = address(registry).call(abi.encodeCall(registry.proposeRecovery, (former.bic, former.key)));
        _violated("Once", ok);
    }

    function _retire(uint256 index, uint256 secret) private {
        _retired.push(_bank(index));
        _retiredOn.push(_here);
        (_banks[_here][index].secret, _banks[_here][index].key) = (secret, vm.addr(secret));
    }

    function _home(Bank memory bank) internal view returns (address) {
        return registry.issuerOf(registry.countryOf(bank.bic));
    }
}

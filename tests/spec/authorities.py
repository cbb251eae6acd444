"""What issuers, operator and banks may change in the register and in a token. Errors in the contracts' order."""

from __future__ import annotations

from tests.spec.state import DAY_S, Account, Participant, Request, State, Token, require

RECOVERY_DELAY_S = 3 * DAY_S

# ----- THE REGISTER -------------------------------------------------------------------------------------------------


def _of_its_issuer(state: State, caller: str, bic: str) -> Participant:
    require(state.issuers.get(bic[4:6]) == caller, "ParticipantNotItsIssuer")
    require(bic in state.participants, "ParticipantStatusRefused")
    return state.participants[bic]


def _of_its_key(state: State, caller: str) -> tuple[str, Participant]:
    bic = state.bic_of(caller)
    require(bic, "ParticipantKeyUnknown")
    return bic, state.participants[bic]


def suspend(state: State, caller: str, bic: str) -> None:
    one = _of_its_issuer(state, caller, bic)
    require(not one.suspended, "ParticipantStatusRefused")
    one.suspended, one.stopped_until_s, one.emergency_used = True, 0, False


def reinstate(state: State, caller: str, bic: str) -> None:
    one = _of_its_issuer(state, caller, bic)
    require(one.suspended or state.now_s < one.stopped_until_s, "ParticipantStatusRefused")
    one.suspended, one.stopped_until_s = False, 0


def suspend_for_a_day(state: State, caller: str, bic: str) -> None:
    require(caller == state.operator, "ParticipantNotOperator")
    one = state.participants[bic]
    require(not one.suspended, "ParticipantStatusRefused")
    require(not one.emergency_used, "ParticipantEmergencyUsed")
    one.stopped_until_s, one.emergency_used = state.now_s + DAY_S, True


def revoke_consents(state: State, caller: str) -> None:
    _of_its_key(state, caller)[1].epoch += 1


def propose_key(state: State, caller: str, new_key: str) -> None:
    _, one = _of_its_key(state, caller)
    require(not state.used(new_key), "ParticipantKeyTaken")
    one.proposed_key = new_key


def confirm_key(state: State, caller: str, bic: str, new_key: str) -> None:
    one = _of_its_issuer(state, caller, bic)
    require(one.proposed_key == new_key, "ParticipantKeyNotProposed")
    _rotate(state, one, new_key)


def propose_recovery(state: State, caller: str, bic: str, new_key: str) -> None:
    one = _of_its_issuer(state, caller, bic)
    require(not state.used(new_key), "ParticipantKeyTaken")
    one.recovery_key, one.executable_at_s = new_key, 0


def confirm_recovery(state: State, caller: str, bic: str, new_key: str) -> None:
    require(caller == state.operator, "ParticipantNotOperator")
    one = state.participants[bic]
    require(one.recovery_key == new_key, "ParticipantRecoveryNotProposed")
    require(not one.executable_at_s, "ParticipantRecoveryConfirmed")
    one.executable_at_s = state.now_s + RECOVERY_DELAY_S


def execute_recovery(state: State, caller: str, bic: str) -> None:
    one = state.participants[bic]
    require(one.executable_at_s and state.now_s >= one.executable_at_s, "ParticipantRecoveryTooEarly")
    _rotate(state, one, one.recovery_key)


def object_to_recovery(state: State, caller: str) -> None:
    _, one = _of_its_key(state, caller)
    require(not one.suspended, "ParticipantObjectionRefused")
    _end_recovery(one)


def withdraw_recovery(state: State, caller: str, bic: str) -> None:
    require(caller in (state.operator, state.issuers.get(bic[4:6])), "ParticipantNotItsIssuer")
    _end_recovery(state.participants[bic])


def _end_recovery(one: Participant) -> None:
    require(one.recovery_key, "ParticipantRecoveryNotProposed")
    one.recovery_key, one.executable_at_s = "", 0


def _rotate(state: State, one: Participant, new_key: str) -> None:
    require(not state.used(new_key), "ParticipantKeyTaken")
    state.retired.add(one.key)
    one.key, one.epoch = new_key, one.epoch + 1
    one.proposed_key = one.recovery_key = ""
    one.executable_at_s = 0


# ----- A TOKEN ------------------------------------------------------------------------------------------------------


def spend(token: Token, bic: str, amount: int) -> Account:
    account = token.account(bic)
    require(not account.frozen, "DepositTokenFrozen")
    require(account.balance - account.held >= amount, "DepositTokenInsufficientAvailable")
    return account


def move(token: Token, payer: str, payee: str, amount: int) -> None:
    spend(token, payer, amount).balance -= amount
    require(not token.account(payee).frozen, "DepositTokenFrozen")
    token.account(payee).balance += amount


def _active_of(state: State, key: str) -> str:
    bic = state.bic_of(key)
    require(state.active(bic), "ParticipantKeyNotActive")
    return bic


def transfer(state: State, caller: str, symbol: str, to: str, amount: int) -> None:
    token = state.tokens[symbol]
    require(not token.paused, "DepositTokenPaused")
    payer, payee = _active_of(state, caller), _active_of(state, to)
    move(token, payer, payee, amount)


def _by_issuer(state: State, caller: str, symbol: str) -> Token:
    token = state.tokens[symbol]
    require(caller == token.issuer, "DepositTokenNotIssuer")
    return token


def _use_reference(token: Token, reference: bytes) -> None:
    require(any(reference) and reference not in token.references, "DepositTokenReferenceRefused")
    token.references.add(reference)


def issue(state: State, caller: str, symbol: str, bic: str, amount: int, reference: bytes) -> None:
    token = _by_issuer(state, caller, symbol)
    require(state.active(bic), "ParticipantNotActive")
    require(bic[4:6] == token.country, "DepositTokenNotDomestic")
    _use_reference(token, reference)
    require(amount, "DepositTokenAmountRefused")
    token.issued += amount
    token.account(bic).balance += amount


def request_redemption(state: State, caller: str, symbol: str, amount: int) -> None:
    token = state.tokens[symbol]
    require(not token.paused, "DepositTokenPaused")
    bic = _active_of(state, caller)
    require(bic[4:6] == token.country, "DepositTokenNotDomestic")
    require(amount, "DepositTokenAmountRefused")
    spend(token, bic, amount).held += amount
    token.requests.append(Request(bic, amount, state.now_s))


def _open_request(token: Token, number: int, end: str) -> Request:
    require(1 <= number <= len(token.requests), "DepositTokenRedemptionNotOpen")
    request = token.requests[number - 1]
    require(request.state == "Requested", "DepositTokenRedemptionNotOpen")
    request.state = end
    return request


def fulfil_redemption(state: State, caller: str, symbol: str, number: int, reference: bytes) -> None:
    token = _by_issuer(state, caller, symbol)
    request = _open_request(token, number, "Fulfilled")
    _use_reference(token, reference)
    account = token.account(request.participant)
    account.balance, account.held = account.balance - request.amount, account.held - request.amount
    token.redeemed += request.amount


def refuse_redemption(state: State, caller: str, symbol: str, number: int) -> None:
    token = _by_issuer(state, caller, symbol)
    request = _open_request(token, number, "Refused")
    token.account(request.participant).held -= request.amount


def withdraw_redemption(state: State, caller: str, symbol: str, number: int) -> None:
    token = state.tokens[symbol]
    request = _open_request(token, number, "Withdrawn")
    require(state.bic_of(caller) == request.participant, "DepositTokenRedemptionNotYours")
    require(state.now_s >= request.requested_at_s + DAY_S, "DepositTokenRedemptionTooEarly")
    token.account(request.participant).held -= request.amount


def freeze(state: State, caller: str, symbol: str, bic: str) -> None:
    account = _by_issuer(state, caller, symbol).account(bic)
    require(not account.frozen, "DepositTokenFrozen")
    account.frozen = True


def unfreeze(state: State, caller: str, symbol: str, bic: str) -> None:
    account = _by_issuer(state, caller, symbol).account(bic)
    require(account.frozen, "DepositTokenNotFrozen")
    account.frozen = False


def pause(state: State, caller: str, symbol: str) -> None:
    token = _by_issuer(state, caller, symbol)
    require(not token.paused, "DepositTokenPaused")
    token.paused = True


def unpause(state: State, caller: str, symbol: str) -> None:
    token = _by_issuer(state, caller, symbol)
    require(token.paused, "DepositTokenNotPaused")
    token.paused = False

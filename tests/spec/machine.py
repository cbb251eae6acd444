"""What everybody may do to the contracts and to their specification at the same time, drawn at random."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from corridor.ledger import contracts
from corridor.ledger.abi import contract
from tests.spec import authorities
from tests.spec import settlement as rules
from tests.spec.state import DAY_S, Signed, State
from tests.spec.world import BANKS, Sides, address_of, prepare

PREIMAGES = tuple(bytes([number]) * 32 for number in (7, 8))
OTHER_CHAIN, OTHER_SETTLEMENT = 77, "0x" + "77" * 20
# What stands in the place of consents: mostly all are right; else one of them is something else.
HOWS = ("none", "another's", "another epoch", "another amount", "approved")

banks = st.sampled_from(BANKS)
symbols = st.sampled_from(["HKD", "THB"])
amounts = st.one_of(st.integers(1, 200), st.sampled_from([0, 1_000, 1_001]))
callers = st.sampled_from([*BANKS, "operator", "hkd_issuer", "thb_issuer", "stranger"])
places = st.tuples(st.integers(0, 3), st.integers(1, 3), symbols)
# Legs between different banks, no two alike; the amounts are small beside the balances.
leg_draws = st.lists(st.tuples(places, st.integers(1, 120)), min_size=1, max_size=3, unique_by=lambda one: one[0])
LEG_SPOILS = ("",) * 8 + ("to itself", "nothing", "twice", "order", "too much", "elsewhere")


@st.composite
def _hows(draw) -> tuple[str, ...]:
    hows = ["right"] * 4
    if draw(st.integers(0, 3)) == 0:
        hows[draw(st.integers(0, 1))] = draw(st.sampled_from(HOWS))
    return tuple(hows)


hows = _hows()
TOTALS: dict[tuple[str, str], int] = {}


@functools.cache
def prepared() -> tuple[tuple, Path, tempfile.TemporaryDirectory]:
    folder = tempfile.TemporaryDirectory(prefix="differential-")
    source = Path(folder.name) / "ledger.sqlite"
    return prepare(source), source, folder


class ContractsAgree(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        begun, source, _ = prepared()
        self.folder = tempfile.TemporaryDirectory(prefix="differential-")
        self.sides = Sides(begun, source, Path(self.folder.name))
        self.round = 0
        self.locks: list[tuple[tuple, tuple]] = []
        self.references = 100

    def teardown(self) -> None:
        if hasattr(self, "sides"):
            self.sides.agree_on_the_rest()
            for outcome, count in self.sides.outcomes.items():
                TOTALS[outcome] = TOTALS.get(outcome, 0) + count
            self.sides.close()
            self.folder.cleanup()

    @property
    def state(self) -> State:
        return self.sides.state

    @property
    def settlement(self) -> str:
        return self.sides.deployment.settlement

    def key(self, role: str) -> str:
        one = self.state.participants.get(role)
        return one.key if one else address_of(role)

    def consent(self, how: str, bic: str, content_of) -> Signed | None:
        """A consent, or what somebody puts in its place; ``content_of(epoch, spoilt)`` is what must be signed."""
        one = self.state.participants[bic]
        if how == "none":
            return None
        if how == "approved":
            signed = Signed(one.key, content_of(one.epoch, False))
            call = contracts.approve_consent(self.settlement, self.sides.digest(signed.content))
            self.sides.both(one.key, call, self.state.now_s + 1, lambda state, _: state.approved.add(signed))
            return None
        if how == "another's":
            return Signed(self.key(next(other for other in BANKS if other != bic)), content_of(one.epoch, False))
        epoch = one.epoch + (how == "another epoch")
        return Signed(one.key, content_of(epoch, how == "another amount"))

    @invariant()
    def both_sides_show_the_same(self) -> None:
        if hasattr(self, "sides"):
            self.sides.agree()

    # Obligations

    def legs(self, draw: list, spoil: str = "", across: bool = False) -> tuple[rules.Leg, ...]:
        legs = []
        for (payer, step, symbol), amount in draw:
            chain = OTHER_CHAIN if across and symbol == "THB" else self.state.chain_id
            legs.append((BANKS[payer], BANKS[(payer + step) % 4], chain, symbol, amount))
        legs.sort(key=lambda leg: (leg[0], leg[1], leg[2], self.sides.address(leg[3])))
        payer, payee, chain, symbol, amount = legs[0]
        spoilt = {
            "to itself": (payer, payer, chain, symbol, amount),
            "nothing": (payer, payee, chain, symbol, 0),
            "too much": (payer, payee, chain, symbol, 100_000),
            "elsewhere": (payer, payee, OTHER_CHAIN, symbol, amount),
        }
        legs[0] = spoilt.get(spoil, legs[0])
        if spoil == "twice":
            legs.insert(0, legs[0])
        if spoil == "order":
            legs.reverse()
        return tuple(legs)

    def let_all_go(self) -> None:
        """Whoever and whatever is stopped goes on."""
        registry, tokens = self.sides.deployment.registry, self.sides.deployment.tokens
        for bic in BANKS:
            if not self.state.active(bic):
                home = "hkd_issuer" if bic[4:6] == "HK" else "thb_issuer"
                self.do(home, contracts.reinstate(registry, bic), authorities.reinstate, bic)
            for symbol, token in tokens.items():
                if self.state.tokens[symbol].account(bic).frozen:
                    issuer = f"{symbol.lower()}_issuer"
                    self.do(issuer, contracts.unfreeze(token, bic), authorities.unfreeze, symbol, bic)
        for symbol, token in tokens.items():
            if self.state.tokens[symbol].paused:
                self.do(f"{symbol.lower()}_issuer", contracts.unpause(token), authorities.unpause, symbol)

    @rule(
        draw=leg_draws,
        spoil=st.sampled_from(LEG_SPOILS),
        wait=st.integers(1, 5),
        life=st.sampled_from([300, 300, 300, 300, 0, 1, 900, 901]),
        how=hows,
        caller=callers,
        missing=st.integers(0, 9),
        go=st.integers(0, 2),
    )
    def settle(self, draw, spoil, wait, life, how, caller, missing, go) -> None:
        if go:
            self.let_all_go()
        legs = self.legs(draw, spoil)
        self.settle_these(legs, wait, life, how, caller, missing)

    def settle_these(self, legs, wait, life, how, caller, missing) -> None:
        deadline_s = self.state.now_s + 20 + life
        payers = list(dict.fromkeys(leg[0] for leg in legs))
        spoilt = (*legs[:-1], (*legs[-1][:4], legs[-1][4] + 1))
        given = []
        for bic, one in zip(payers, how, strict=False):
            content = lambda epoch, bad, bic=bic: rules.gross(  # noqa: E731
                self.state, bic, epoch, deadline_s, spoilt if bad else legs
            )
            given.append(self.consent(one, bic, content))
        if missing == 0:
            given = given[1:]
        call = contracts.settle(
            self.settlement, self.sides.obligation(legs), deadline_s, [self.sides.signature(one) for one in given]
        )
        at_s = max(deadline_s - life, self.state.now_s + 1) if life in (0, 1, 900, 901) else self.state.now_s + wait
        arguments = (legs, deadline_s, given, self.sides.address)
        self.sides.both(self.key(caller), call, at_s, rules.settle, *arguments)

    @rule(
        rows=st.lists(
            st.tuples(banks, st.integers(-60, 60), st.integers(-60, 60)),
            min_size=2,
            max_size=4,
            unique_by=lambda row: row[0],
        ),
        how=hows,
        proposed=st.sampled_from(["call", "call", "signed", "none"]),
        caller=callers,
        spoil=st.sampled_from([""] * 9 + ["unbalanced", "order", "shape", "round", "tokens"]),
        go=st.integers(0, 2),
    )
    def settle_batch(self, rows, how, proposed, caller, spoil, go) -> None:
        if go:
            self.let_all_go()
        batch = self.batch(dict((row[0], row[1:]) for row in rows), spoil)
        given = []
        other = batch._replace(roots=tuple(bytes(32) for _ in batch.roots))
        for bic, one in zip(batch.participants, how, strict=False):
            content = lambda epoch, bad, bic=bic: rules.net(  # noqa: E731
                self.state, bic, epoch, other if bad else batch
            )
            given.append(self.consent(one, bic, content))
        signed = Signed(batch.proposer, rules.proposal(self.state, batch)) if proposed == "signed" else None
        sender = batch.proposer if proposed == "call" else self.key(caller)
        signatures = [self.sides.signature(one) for one in given]
        call = contracts.settle_batch(
            self.settlement, self.sides.batch(batch), self.sides.signature(signed), signatures
        )
        arguments = (batch, signed, given, self.sides.address)
        self.sides.both(sender, call, self.state.now_s + 1, rules.settle_batch, *arguments)

    def batch(self, rows: dict, spoil: str) -> rules.Batch:
        participants = sorted(rows)
        moves = [list(rows[bic]) for bic in participants]
        for column in (0, 1):
            moves[-1][column] -= sum(row[column] for row in moves)
        tokens = sorted(["HKD", "THB"], key=self.sides.address)
        if spoil == "unbalanced":
            moves[0][0] += 1
        if spoil == "order":
            participants.reverse()
        if spoil == "tokens":
            tokens.reverse()
        if spoil != "round":
            self.round += 1
        positions = tuple(amount for row in moves for amount in row)
        if spoil == "shape":
            positions = positions[:-1]
        roots = tuple(hashlib.sha256(f"{self.round} {bic}".encode()).digest() for bic in participants)
        deadline_s = self.state.now_s + 300
        return rules.Batch(
            address_of("operator"), self.round, deadline_s, tuple(tokens), tuple(participants), roots, positions
        )

    # Locks

    @rule(
        draw=leg_draws,
        window=st.sampled_from([700, 3_600, 3_600, 7 * DAY_S - 2, 599, 600, 7 * DAY_S, 7 * DAY_S + 1]),
        gap=st.sampled_from([None, None, None, None, -1801, -1800, -1799, 1799, 1800, 0]),
        attempt=st.sampled_from([1, 1, 1, 1, 1, 2]),
        go=st.integers(0, 2),
        preimage=st.sampled_from(PREIMAGES),
        sleepers=st.sampled_from([0, 0, 1]),
        how=hows,
        again=st.integers(0, 3),
        bare=st.booleans(),
    )
    def lock(self, draw, window, gap, attempt, preimage, sleepers, how, again, bare, go) -> None:
        if go:
            self.let_all_go()
        legs = self.legs(draw, across=gap is not None)
        if again == 0 and self.locks:
            legs, before = self.locks[-1]
            attempt = before[0] + 1
        timelock_s = self.state.now_s + 1 + window
        other = (0, "", 0) if gap is None else (OTHER_CHAIN, OTHER_SETTLEMENT, timelock_s + gap)
        terms = (attempt, hashlib.sha256(preimage).digest(), timelock_s, *other)
        payers = list(dict.fromkeys(leg[0] for leg in legs))
        for bic, one in list(zip(payers, how, strict=False))[: max(1, len(payers) - sleepers)]:
            how_now = "right" if one == "approved" else one
            self.lock_one(legs, terms, bic, how_now, bare)

    def lock_one(self, legs, terms, bic, how, bare) -> None:
        deadline_s = self.state.now_s + 300
        spoilt = (terms[0], terms[1], terms[2] + 1, *terms[3:])
        content = lambda epoch, bad: rules.to_lock(  # noqa: E731
            self.state, bic, epoch, deadline_s, legs, spoilt if bad else terms
        )
        given = None if bare else self.consent(how, bic, content)
        sender = self.key(bic) if bare and how == "right" else address_of("stranger")
        shown = (self.sides.obligation(legs), self.sides.terms(terms), bic, deadline_s, self.sides.signature(given))
        arguments = (legs, terms, bic, deadline_s, given, self.sides.address)
        call = contracts.lock(self.settlement, *shown)
        if not self.sides.both(sender, call, self.state.now_s + 1, rules.lock, *arguments):
            self.locks.append((legs, terms))

    @rule(
        pick=st.integers(0, 2),
        wrong=st.integers(0, 4),
        late=st.sampled_from([None, None, None, -1, 0]),
        caller=callers,
    )
    def claim(self, pick, wrong, late, caller) -> None:
        if not self.locks:
            return
        legs, terms = self.locks[-1 - pick % len(self.locks)]
        right = next(one for one in PREIMAGES if hashlib.sha256(one).digest() == terms[1])
        preimage = bytes(32) if wrong == 0 else right
        call = contracts.claim(self.settlement, self.sides.obligation(legs), self.sides.terms(terms), preimage)
        self.sides.both(self.key(caller), call, self.near(terms, late), rules.claim, legs, terms, preimage)

    @rule(pick=st.integers(0, 3), late=st.sampled_from([None, -1, 0, 0, 1]), caller=callers)
    def refund(self, pick, late, caller) -> None:
        if not self.locks:
            return
        legs, terms = self.locks[-1 - pick % len(self.locks)]
        at_s = self.near(terms, late)
        for index in range(len(legs) + 1):
            call = contracts.refund(self.settlement, self.sides.obligation(legs), self.sides.terms(terms), index)
            self.sides.both(self.key(caller), call, at_s + index, rules.refund, legs, terms, index)

    def near(self, terms: tuple, late: int | None) -> int:
        """The timelock and a second more or less, if it is less than a day away; else the next second."""
        next_s = self.state.now_s + 1
        if late is None or not next_s <= terms[2] + late <= next_s + DAY_S:
            return next_s
        return terms[2] + late

    @rule(pick=st.integers(0, 3), how=hows, caller=callers)
    def settle_what_was_locked(self, pick, how, caller) -> None:
        if self.locks:
            legs, _ = self.locks[-1 - pick % len(self.locks)]
            self.settle_these(legs, 1, 300, how, caller, 1)

    # Authorities

    def do(self, role: str, call: contracts.Call, what, *arguments, at_s: int = 0) -> str:
        return self.sides.both(self.key(role), call, at_s or self.state.now_s + 1, what, *arguments)

    def issuer_or(self, issuer: str, caller: str, chance: int) -> str:
        return caller if chance == 0 else issuer

    @rule(symbol=symbols, bic=banks, amount=amounts, fresh=st.integers(0, 4), caller=callers, chance=st.integers(0, 5))
    def issue(self, symbol, bic, amount, fresh, caller, chance) -> None:
        self.references += fresh > 0
        reference = self.references.to_bytes(32, "big")
        call = contracts.issue(self.sides.deployment.tokens[symbol], bic, amount, reference)
        who = self.issuer_or(f"{symbol.lower()}_issuer", caller, chance)
        self.do(who, call, authorities.issue, symbol, bic, amount, reference)

    @rule(symbol=symbols, payer=banks, payee=banks, amount=amounts)
    def transfer(self, symbol, payer, payee, amount) -> None:
        data = contract(contracts.TOKEN).function("transfer").encode(self.key(payee), amount)
        call = contracts.Call(self.sides.deployment.tokens[symbol], data, contracts.SMALL_CALL_GAS)
        self.do(payer, call, authorities.transfer, symbol, self.key(payee), amount)

    @rule(symbol=symbols, bic=banks, amount=amounts, foreign=st.integers(0, 5))
    def request_redemption(self, symbol, bic, amount, foreign) -> None:
        if foreign:
            bic = BANKS[BANKS.index(bic) % 2 + (0 if symbol == "HKD" else 2)]
        call = contracts.request_redemption(self.sides.deployment.tokens[symbol], amount)
        self.do(bic, call, authorities.request_redemption, symbol, amount)

    @rule(symbol=symbols, pick=st.integers(0, 3), verb=st.integers(0, 2), caller=callers, chance=st.integers(0, 4))
    def answer_redemption(self, symbol, pick, verb, caller, chance) -> None:
        requests = self.state.tokens[symbol].requests
        number = 1 + pick % (len(requests) + 1)
        token, issuer = self.sides.deployment.tokens[symbol], self.issuer_or(f"{symbol.lower()}_issuer", caller, chance)
        if verb == 0:
            self.references += 1
            reference = self.references.to_bytes(32, "big")
            call = contracts.fulfil_redemption(token, number, reference)
            self.do(issuer, call, authorities.fulfil_redemption, symbol, number, reference)
        elif verb == 1:
            self.do(issuer, contracts.refuse_redemption(token, number), authorities.refuse_redemption, symbol, number)
        else:
            whose = requests[number - 1].participant if number <= len(requests) and chance else caller
            at_s = requests[number - 1].requested_at_s + DAY_S - (chance == 1) if number <= len(requests) else 0
            call = contracts.withdraw_redemption(token, number)
            later_s = max(at_s, self.state.now_s + 1)
            self.do(whose, call, authorities.withdraw_redemption, symbol, number, at_s=later_s)

    @rule(symbol=symbols, bic=banks, verb=st.integers(0, 5), caller=callers, chance=st.integers(0, 5))
    def stop_or_let_go_in_a_token(self, symbol, bic, verb, caller, chance) -> None:
        token, who = self.sides.deployment.tokens[symbol], self.issuer_or(f"{symbol.lower()}_issuer", caller, chance)
        if verb == 0:
            self.do(who, contracts.freeze(token, bic), authorities.freeze, symbol, bic)
        elif verb == 1:
            self.do(who, contracts.pause(token), authorities.pause, symbol)
        elif verb in (2, 3):
            self.do(who, contracts.unfreeze(token, bic), authorities.unfreeze, symbol, bic)
        else:
            self.do(who, contracts.unpause(token), authorities.unpause, symbol)

    @rule(bic=banks, verb=st.integers(0, 5), caller=callers, chance=st.integers(0, 5))
    def stop_or_let_go_in_the_register(self, bic, verb, caller, chance) -> None:
        registry = self.sides.deployment.registry
        home = self.issuer_or("hkd_issuer" if bic[4:6] == "HK" else "thb_issuer", caller, chance)
        if verb == 0:
            self.do(home, contracts.suspend(registry, bic), authorities.suspend, bic)
        elif verb in (1, 2, 3):
            self.do(home, contracts.reinstate(registry, bic), authorities.reinstate, bic)
        elif verb == 4:
            who = self.issuer_or("operator", caller, chance)
            self.do(who, contracts.suspend_for_a_day(registry, bic), authorities.suspend_for_a_day, bic)
        else:
            self.do(caller if chance == 0 else bic, contracts.revoke_consents(registry), authorities.revoke_consents)

    @rule(bic=banks, caller=callers, chance=st.integers(0, 4), taken=st.booleans(), seldom=st.integers(0, 3))
    def rotate(self, bic, caller, chance, taken, seldom) -> None:
        if seldom:
            return
        registry, home = self.sides.deployment.registry, "hkd_issuer" if bic[4:6] == "HK" else "thb_issuer"
        new_key = self.key(BANKS[0]) if taken and chance < 2 else self.sides.new_key()
        self.do(
            caller if chance == 1 else bic, contracts.propose_key(registry, new_key), authorities.propose_key, new_key
        )
        who = self.issuer_or(home, caller, chance)
        self.do(who, contracts.confirm_key(registry, bic, new_key), authorities.confirm_key, bic, new_key)

    @rule(bic=banks, caller=callers, stop=st.integers(0, 6), early=st.booleans(), seldom=st.integers(0, 3))
    def recover(self, bic, caller, stop, early, seldom) -> None:
        if seldom:
            return
        registry, home = self.sides.deployment.registry, "hkd_issuer" if bic[4:6] == "HK" else "thb_issuer"
        new_key = self.sides.new_key()
        who = caller if stop == 0 else home
        self.do(who, contracts.propose_recovery(registry, bic, new_key), authorities.propose_recovery, bic, new_key)
        who = caller if stop == 1 else "operator"
        self.do(who, contracts.confirm_recovery(registry, bic, new_key), authorities.confirm_recovery, bic, new_key)
        if stop == 2:
            self.do(bic, contracts.object_to_recovery(registry), authorities.object_to_recovery)
        if stop == 3:
            self.do(caller, contracts.withdraw_recovery(registry, bic), authorities.withdraw_recovery, bic)
        at_s = self.state.now_s + authorities.RECOVERY_DELAY_S - 2 * early
        self.do(caller, contracts.execute_recovery(registry, bic), authorities.execute_recovery, bic, at_s=at_s)

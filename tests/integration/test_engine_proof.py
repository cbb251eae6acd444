"""The evidence for a payment: checked with a node and the contract's address, refused when anything in it changed."""

from __future__ import annotations

import json
import shutil

import pytest

from corridor import verifying
from corridor.engine.views import PaymentUnknown
from corridor.errors import CorridorError
from corridor.proof import ProofInvalid, load_proof, verify
from tests.samples import HK_A, HK_B, TH_A, TH_B, customer, trade_side


@pytest.fixture
def gross(bench):
    """A trade settled gross; the UETR of one side."""
    one, other = bench.pen.uetr(), bench.pen.uetr()
    hkd, thb = ("HKD", "10.00"), ("THB", "45.00")
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, hkd, thb, one))
    bench.pay(TH_A, "pacs.009", trade_side(TH_A, HK_A, thb, hkd, other))
    assert len(bench.cycle().gross) == 1
    return one


@pytest.fixture
def net(bench):
    """A payment settled in a batch of many; its UETR."""
    uetrs = [bench.pen.uetr() for _ in range(12)]
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, (TH_A, TH_B)[n % 2], "HKD", "1.00", uetrs[n]) for n in range(9)])
    bench.pay(HK_B, "pacs.008", *[customer(HK_B, HK_A, "HKD", "2.00", uetr) for uetr in uetrs[9:]])
    assert len(bench.cycle().net) == 12
    return uetrs[4]


@pytest.fixture(params=["gross", "net"])
def settled(request):
    return request.getfixturevalue(request.param)


def refused(text, bench, **named):
    """Whether a proof file's text is refused, in the words of the corridor."""
    try:
        settlement = bench.corridor.deployment.settlement
        verify(load_proof(text), bench.corridor.ledger, **({"settlement": settlement} | named))
    except ProofInvalid:
        return True
    return False


def test_a_proof_holds_without_any_database(bench, settled, tmp_path):
    made = verifying.prove(bench.corridor, settled)
    file = tmp_path / "proof.json"
    file.write_text(made.file)
    bench.close()
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("ledger.sqlite", "deployment.json"):
        shutil.copy(bench.root / name, bare / name)
    checked = verifying.verify_file(file, bare, url=None, settlement=None)
    assert checked.view["holds"]
    assert settled in checked.text
    assert checked.view["obligation"] == made.view["obligation"]


def test_a_proof_laid_out_for_reading_holds_too(bench, settled):
    made = verifying.prove(bench.corridor, settled)
    assert not refused(json.dumps(json.loads(made.file), indent=2), bench)


def test_a_net_proof_shows_each_leg_under_both_parties_entries(bench, net):
    view = verifying.prove(bench.corridor, net).view["proof"]
    [leg] = view["leg_proofs"]
    assert leg["leg_proof"]
    assert leg["payer_proof"]
    assert view["batch"]["participants"] == sorted([HK_A, HK_B, TH_A, TH_B])


def test_a_proof_does_not_hold_for_another_contract(bench, settled):
    text = verifying.prove(bench.corridor, settled).file
    assert refused(text, bench, settlement=bench.corridor.deployment.registry)


def paths(value, path=()):
    """The way to each plain value in nested JSON, and to each container."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


def changes(value):
    """Other values of the same kind."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int):
        return [value + 1, -value - 1, value * 2 + 1, str(value)]
    if isinstance(value, str):
        flipped = ("1" if value[-1:] != "1" else "2").join([value[:-1], ""])
        return [flipped, value.swapcase(), value + "0", "", " " + value]
    if isinstance(value, list):
        return [value[:-1], [*value, *value[-1:]], value[::-1], [*value, "00" * 32]]
    return [value | {"odd": 1}, dict(list(value.items())[1:])]


def test_a_proof_with_any_field_changed_is_refused(bench, settled):
    made = json.loads(verifying.prove(bench.corridor, settled).file)
    tried = 0
    for path in paths(made):
        found = made
        for key in path:
            found = found[key]
        for changed in changes(found):
            if changed == found:
                continue
            damaged = json.loads(json.dumps(made))
            place = damaged
            for key in path[:-1]:
                place = place[key]
            if path:
                place[path[-1]] = changed
            else:
                damaged = changed
            assert refused(json.dumps(damaged), bench), f"{path} changed from {found!r} to {changed!r}"
            tried += 1
    assert tried > 50


def test_a_gross_proof_cannot_be_decorated_with_a_batch(bench, gross):
    made = json.loads(verifying.prove(bench.corridor, gross).file)
    made["leg_proofs"] = [{"bound": {}, "pair_root": "", "leg_proof": [], "payer_proof": [], "payee_proof": []}]
    assert refused(json.dumps(made), bench)


def test_another_payments_proof_does_not_prove_this_one(bench, net):
    made = json.loads(verifying.prove(bench.corridor, net).file)
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "1.00", uetr))
    bench.cycle()
    other = json.loads(verifying.prove(bench.corridor, uetr).file)
    assert refused(json.dumps(made | {"obligation": other["obligation"]}), bench)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "7", '"proof"', "{", "\x00", '{"version": 1}'])
def test_what_is_no_proof_file_is_said_to_be_none(text, bench):
    assert refused(text, bench)


def test_a_file_of_other_bytes_is_said_to_be_no_proof(data_dir, tmp_path):
    file = tmp_path / "proof.json"
    file.write_bytes(bytes(range(128, 256)))
    with pytest.raises(ProofInvalid):
        verifying.verify_file(file, data_dir, url=None, settlement=None)


def test_there_is_no_proof_before_a_payment_is_final(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", uetr))
    bench.cycle()
    with pytest.raises(PaymentUnknown, match="queued"):
        verifying.prove(bench.corridor, uetr)
    with pytest.raises(PaymentUnknown):
        verifying.prove(bench.corridor, bench.pen.uetr())


def test_a_ledger_that_never_saw_the_payment_refuses_its_proof(bench, settled, set_up_once, tmp_path):
    """The ledger as it was before the payment: the same chain and contract, another state."""
    file = tmp_path / "proof.json"
    file.write_text(verifying.prove(bench.corridor, settled).file)
    with pytest.raises(CorridorError, match="does not hold"):
        verifying.verify_file(file, set_up_once, url=None, settlement=None)

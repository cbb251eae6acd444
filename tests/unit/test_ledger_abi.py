"""Our contracts' interface, from the compiled contracts and back."""

import pytest
from eth_abi.abi import encode

from corridor.ledger import abi


@pytest.mark.parametrize("name", abi.CONTRACTS)
def test_every_error_of_every_contract_is_read_from_its_data_alone(name):
    samples = {
        "address": "0x" + "11" * 20,
        "string": "why",
        "bytes11": b"HKBAHKHHXXX",
        "bytes20": b"5493000000000000HK01",
    }
    for error in abi.contract(name).errors.values():
        values = [samples.get(kind, bytes(32) if kind == "bytes32" else 7) for kind in error.types]
        found, arguments = abi.decode_error(error.hash[:4] + encode(error.types, values))
        assert found == error.name
        assert list(arguments) == [name or str(place) for place, name in enumerate(error.names)]
        assert arguments.get("participant") in (None, "HKBAHKHHXXX")


def test_no_two_errors_share_a_selector_and_mean_different_things():
    seen = {}
    for name in abi.CONTRACTS:
        for selector, error in abi.contract(name).errors.items():
            assert seen.setdefault(selector, error).types == error.types


@pytest.mark.parametrize("data", [b"", b"\x01\x02", b"\xde\xad\xbe\xef" + bytes(64)])
def test_data_of_no_error_of_ours_has_no_name(data):
    assert abi.decode_error(data) == ("", {})


def test_foreign_data_behind_one_of_our_selectors_is_not_believed():
    errors = abi.contract("PvPSettlement").errors
    selector = next(selector for selector, error in errors.items() if error.name == "SettlementConsentMissing")
    assert abi.decode_error(selector + b"\x01") == ("", {})


def test_structs_are_encoded_by_their_fields():
    settle = abi.contract("PvPSettlement").function("settle")
    assert settle.inputs.types == (
        "bytes32",
        "(bytes11,bytes11,uint256,address,uint256)[]",
        "uint64",
        "(bytes32,bytes32)[]",
    )


def test_an_event_is_read_from_topics_and_data():
    events = abi.contract("PvPSettlement").events.values()
    event = next(event for event in events if event.signature.name == "BatchSettled")
    topics = [event.signature.hash, b"\x01" * 32, bytes(12) + b"\x22" * 20, bytes(31) + b"\x09"]
    assert event.decode(topics, b"") == {"batchId": b"\x01" * 32, "proposer": "0x" + "22" * 20, "round": 9}

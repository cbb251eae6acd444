"""Calls, answers, events and errors of our contracts, as bytes and back.

The interface is read from the compiled contracts that are shipped with the package, so it cannot drift from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

CONTRACTS = ("ParticipantRegistry", "DepositToken", "PvPSettlement", "EvidenceRegistry")


@dataclass(frozen=True, slots=True)
class Signature:
    """Name and parameters of a function, an event or an error; ``types`` are canonical ABI types."""

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def hash(self) -> bytes:
        """keccak of the canonical signature."""
        return keccak(f"{self.name}({','.join(self.types)})".encode())

    def named(self, values: Sequence[Any]) -> dict[str, Any]:
        """Pair values with parameter names (a place where there is none); identifiers come back as text."""
        parts = zip(self.names, self.types, values, strict=True)
        return {name or str(place): _readable(kind, value) for place, (name, kind, value) in enumerate(parts)}


@dataclass(frozen=True, slots=True)
class Function:
    """A function that can be called: what goes in and what comes out."""

    inputs: Signature
    outputs: Signature

    @property
    def name(self) -> str:
        """The function's name."""
        return self.inputs.name

    def encode(self, *arguments: Any) -> bytes:
        """Return call data; structs as tuples, ``bytesN`` as bytes (padded on the right), addresses as hex text."""
        return self.inputs.hash[:4] + encode(self.inputs.types, arguments)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Return the values that a call answered; DecodingError where it is no answer of this function."""
        return _decoded(self.outputs.types, data)


@dataclass(frozen=True, slots=True)
class Event:
    """An event; ``indexed`` says which parameters stand in the topics."""

    signature: Signature
    indexed: tuple[bool, ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Return the event's values by name; indexed dynamic values come back as their hash."""
        words, parts = iter(topics[1:]), self.signature.types
        plain = iter(_decoded([t for t, i in zip(parts, self.indexed, strict=True) if not i], data))
        values = [
            _from_topic(kind, next(words)) if indexed else next(plain)
            for kind, indexed in zip(parts, self.indexed, strict=True)
        ]
        return self.signature.named(values)


@dataclass(frozen=True, slots=True)
class Contract:
    """A compiled contract and its interface."""

    name: str
    bytecode: bytes
    constructor: Signature
    functions: Mapping[str, Function]
    events: Mapping[bytes, Event]
    errors: Mapping[bytes, Signature]

    def function(self, name: str) -> Function:
        """Return the function ``name``; KeyError where the contract has none."""
        return self.functions[name]

    def creation_code(self, *arguments: Any) -> bytes:
        """Return the data of the transaction that deploys the contract."""
        return self.bytecode + encode(self.constructor.types, arguments)


@cache
def contract(name: str) -> Contract:
    """Return the compiled contract ``name``, one of :data:`CONTRACTS`."""
    text = files("corridor.artifacts").joinpath(f"{name}.json").read_text(encoding="utf-8")
    return parse_contract(json.loads(text))


def parse_contract(artifact: Mapping[str, Any]) -> Contract:
    """Return the contract that a compiler's answer (``contractName``, ``abi``, ``bytecode``) describes."""
    entries: Sequence[Mapping[str, Any]] = artifact["abi"]
    by_kind = {kind: [e for e in entries if e["type"] == kind] for kind in ("function", "event", "error")}
    constructor: Mapping[str, Any] = next((e for e in entries if e["type"] == "constructor"), {"inputs": []})
    events = [
        Event(_signature(e, "inputs"), tuple(bool(p.get("indexed")) for p in e["inputs"])) for e in by_kind["event"]
    ]
    errors = [_signature(e, "inputs") for e in by_kind["error"]]
    return Contract(
        name=artifact["contractName"],
        bytecode=bytes.fromhex(artifact["bytecode"].removeprefix("0x")),
        constructor=_signature(constructor, "inputs"),
        functions={e["name"]: Function(_signature(e, "inputs"), _signature(e, "outputs")) for e in by_kind["function"]},
        events={event.signature.hash: event for event in events},
        errors={error.hash[:4]: error for error in errors},
    )


# What Solidity itself reverts with.
_SOLIDITY_ERRORS = {
    error.hash[:4]: error
    for error in (Signature("Error", ("reason",), ("string",)), Signature("Panic", ("code",), ("uint256",)))
}


def decode_error(data: bytes, errors: Mapping[bytes, Signature] | None = None) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of the error in revert ``data``; an empty name where it is none we know.

    Args:
        data: what the node gave as revert data.
        errors: signatures by selector; all errors of our contracts by default.
    """
    known = _known_errors() if errors is None else errors
    signature = known.get(data[:4]) or _SOLIDITY_ERRORS.get(data[:4])
    if signature is None:
        return "", {}
    try:
        return signature.name, signature.named(_decoded(signature.types, data[4:]))
    except DecodingError:
        # Foreign revert data that begins with one of our selectors.
        return "", {}


@cache
def _known_errors() -> Mapping[bytes, Signature]:
    return {selector: error for name in CONTRACTS for selector, error in contract(name).errors.items()}


def _signature(entry: Mapping[str, Any], side: str) -> Signature:
    parameters = entry.get(side, [])
    return Signature(
        entry.get("name", ""),
        tuple(parameter["name"] for parameter in parameters),
        tuple(_canonical(parameter) for parameter in parameters),
    )


def _canonical(parameter: Mapping[str, Any]) -> str:
    """Write a struct as the tuple of its fields."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_canonical(field) for field in parameter['components'])}){kind.removeprefix('tuple')}"


# Country, currency, document type, BIC and LEI: our contracts keep them as the bytes of their letters.
_TEXT_TYPES = frozenset({"bytes2", "bytes3", "bytes4", "bytes11", "bytes20"})


def text(identifier: bytes) -> str:
    """Return an identifier (BIC, LEI, country, currency, document type) as text; empty where the contract has none."""
    return identifier.rstrip(b"\0").decode("ascii", "backslashreplace")


def _readable(kind: str, value: Any) -> Any:
    return text(value) if kind in _TEXT_TYPES else value


def _decoded(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    # The decoder is not trusted with too little data: a test framework in the same process makes it read missing
    # bytes as zero, and a balance at a wrong address would be 0 without a word.
    if len(data) < 32 * len(types) or len(data) % 32:
        raise DecodingError(f"{len(data)} bytes are no encoding of {len(types)} values")
    return decode(types, data)


def _from_topic(kind: str, word: bytes) -> Any:
    if kind.endswith("]") or kind.startswith("(") or kind in ("string", "bytes"):
        return word
    return decode([kind], word)[0]

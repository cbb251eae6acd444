"""Frozen data to JSON and back, driven by the types: what is stored as evidence or crosses a process border."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def dump(value: Any) -> str:
    """Return ``value`` (dataclasses, tuples, dicts, bytes, plain values) as compact JSON; bytes become hex."""
    return json.dumps(_plain(value), separators=(",", ":"))


def plain(value: Any) -> Any:
    """Return ``value`` as plain JSON types."""
    return _plain(value)


def load(kind: type[T], text: str) -> T:
    """Return the ``kind`` that ``text`` says.

    Raises:
        ValueError: the text is no JSON, or does not fit the fields of ``kind``.
    """
    return build(kind, json.loads(text))


def build(kind: type[T], value: Any) -> T:
    """Return the ``kind`` that plain ``value`` says; ValueError where it does not fit."""
    try:
        made: T = _decoder(typing.cast(typing.Hashable, kind))(value)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this is no {kind.__name__}: {error!r}") from error
    return made


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return {name: _plain(getattr(value, name)) for name in _names(typing.cast(typing.Hashable, type(value)))}


@functools.cache
def _names(kind: typing.Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(typing.cast(Any, kind)))


@functools.cache
def _decoder(kind: Any) -> typing.Callable[[Any], Any]:
    if kind is bytes:
        return bytes.fromhex
    if kind in (int, str, bool):
        return functools.partial(_exactly, kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not types.NoneType)
        decode_inner = _decoder(inner)
        return lambda value: None if value is None else decode_inner(value)
    if origin is tuple and arguments[-1] is Ellipsis:
        item = _decoder(arguments[0])
        return lambda value: tuple(item(each) for each in _exactly(list, value))
    if origin in (dict, Mapping):
        item = _decoder(arguments[1])
        return lambda value: {key: item(each) for key, each in value.items()}
    hints = typing.get_type_hints(kind)
    fields = [(name, _decoder(hints[name])) for name in _names(kind)]
    return lambda value: kind(*(decode(value[name]) for name, decode in fields))


def _exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value


def load_list(kind: type[T], text: str) -> tuple[T, ...]:
    """Return the ``kind`` items that a JSON list says; ValueError where it does not fit."""
    return tuple(build(kind, item) for item in json.loads(text))

"""Is a message valid against the schema of its definition? Decided from the generated classes' own field facts.

The generated classes carry what the schema says of each element: its name, order and how often it may stand, and of
each value its type, length, pattern and digits. They don't check it. This module compiles those facts once per
definition into a table and walks the parsed elements along it, without building an object per element.

It also drops the white space between elements, which says nothing, so that the same payment has the same canonical
form however it was indented.

What it takes is what the official schema takes, but for a few things nobody writes: years outside 0001–9999,
``xsi:type`` and ``xsi:nil``, and schema locations anywhere but on the document's root are refused here.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import typing
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache

from lxml import etree
from xsdata.models.datatype import XmlDate, XmlDateTime, XmlTime

from corridor.errors import CorridorError
from corridor.iso20022.parsing import MAX_DEPTH

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_HARMLESS_ATTRIBUTES = {f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"}
_XML_SPACE = " \t\r\n"

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"(?:([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?|24:00:00(\.0+)?)")
_ZONE = re.compile(r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?")
_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")

# A value's check: None when the text is fine, else what is wrong with it.
_ValueCheck = Callable[[str], str | None]


class NotConformant(CorridorError):
    """An element that its definition doesn't allow: ``path`` says which, ``problem`` why, neither quotes content."""

    code = "NOT_CONFORMANT"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.problem = message


@dataclasses.dataclass(frozen=True, slots=True)
class ValueModel:
    """An element that holds a value, with at most one attribute (the currency of an amount)."""

    check: _ValueCheck
    attribute: str | None = None
    attribute_check: _ValueCheck | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class OpenModel:
    """An element that holds exactly one element of any kind, from ``namespace_uri`` if that is given."""

    namespace_uri: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """A child's place: its position in the sequence and how often it may stand (``maximum`` None: no bound)."""

    position: int
    name: str
    minimum: int
    maximum: int | None
    model: ElementModel | ValueModel | OpenModel


@dataclasses.dataclass(frozen=True, slots=True)
class ElementModel:
    """An element that holds elements: in the order of ``sequence``, or exactly one of them if it is a choice.

    ``next_mandatory[i]`` is the position of the first mandatory child from position i on (past the end if none is).
    """

    slots: dict[str, Slot]
    sequence: tuple[Slot, ...]
    next_mandatory: tuple[int, ...]
    is_choice: bool


def check_conformance(element: etree._Element, definition: str) -> None:
    """Check a ``Document`` (or ``AppHdr``) element of ``definition`` and drop the white space between elements.

    Raises:
        NotConformant: the first fault in document order.
    """
    if any(name not in _HARMLESS_ATTRIBUTES for name in element.keys()):  # noqa: SIM118 (an element isn't a mapping)
        raise NotConformant(etree.QName(element).localname, "unknown attribute")
    _check_children(element, model_of(definition))


@cache
def model_of(definition: str) -> ElementModel:
    """The compiled table of a definition such as ``pacs.008.001.08``."""
    family = definition.split(".", maxsplit=1)[0]
    module = importlib.import_module(f"pyiso20022.{family}.{definition.replace('.', '_')}")
    root = getattr(module, "AppHdr" if family == "head" else "Document")
    return _compile(root, {})


def _compile(generated: type, done: dict[type, ElementModel]) -> ElementModel:
    if generated in done:
        return done[generated]
    hints = typing.get_type_hints(generated)
    sequence = []
    meta_namespace = getattr(getattr(generated, "Meta", None), "namespace", None)
    for position, spec in enumerate(dataclasses.fields(generated)):
        facts = spec.metadata
        hint = hints[spec.name]
        is_list = typing.get_origin(hint) is list
        minimum = facts.get("min_occurs", 0) if is_list else int(bool(facts.get("required")))
        maximum = facts.get("max_occurs") if is_list else 1
        tag = f"{{{facts.get('namespace', meta_namespace)}}}{facts['name']}"
        sequence.append((tag, Slot(position, facts["name"], minimum, maximum, _child_model(hint, facts, done))))
    slots = tuple(slot for _, slot in sequence)
    next_mandatory = [len(slots)]
    for slot in reversed(slots):
        next_mandatory.append(slot.position if slot.minimum else next_mandatory[-1])
    model = ElementModel(
        slots=dict(sequence),
        sequence=slots,
        next_mandatory=tuple(reversed(next_mandatory)),
        is_choice=generated.__name__.endswith("Choice"),
    )
    done[generated] = model
    return model


def _child_model(
    hint: object, facts: typing.Mapping[str, typing.Any], done: dict[type, ElementModel]
) -> ElementModel | ValueModel | OpenModel:
    kind = next((part for part in _flatten(hint) if part is not type(None)), object)
    if not dataclasses.is_dataclass(kind) or kind in {XmlDate, XmlDateTime, XmlTime}:
        return ValueModel(_value_check(kind, facts))
    fields = dataclasses.fields(kind)
    wildcard = next((spec for spec in fields if spec.metadata.get("type") == "Wildcard"), None)
    if wildcard is not None:
        space = wildcard.metadata.get("namespace", "##any")
        return OpenModel(None if space == "##any" else space)
    if any(spec.metadata.get("type") == "Attribute" for spec in fields):
        return _attributed(kind, fields)
    return _compile(kind, done)


def _attributed(kind: type, fields: tuple[dataclasses.Field[typing.Any], ...]) -> ValueModel:
    """A value with an attribute: an amount and its currency."""
    hints = typing.get_type_hints(kind)
    value = next(spec for spec in fields if spec.metadata.get("type") != "Attribute")
    attribute = next(spec for spec in fields if spec.metadata.get("type") == "Attribute")
    return ValueModel(
        _value_check(hints[value.name], value.metadata),
        attribute.metadata["name"],
        _value_check(hints[attribute.name], attribute.metadata),
    )


def _flatten(hint: object) -> list[typing.Any]:
    parts = typing.get_args(hint)
    return [leaf for part in parts for leaf in _flatten(part)] if parts else [hint]


def _value_check(kind: object, facts: typing.Mapping[str, typing.Any]) -> _ValueCheck:
    if isinstance(kind, type) and issubclass(kind, Enum):
        allowed = frozenset(str(member.value) for member in kind)
        return lambda text: None if text in allowed else "not one of " + ", ".join(sorted(allowed))
    if kind is bool:
        return lambda text: None if text.strip(_XML_SPACE) in {"true", "false", "1", "0"} else "not true or false"
    if kind is Decimal:
        return _decimal_check(facts)
    if kind in {XmlDate, XmlDateTime, XmlTime}:
        return _time_check(kind)
    return _text_check(facts)


def _text_check(facts: typing.Mapping[str, typing.Any]) -> _ValueCheck:
    shortest, longest = facts.get("min_length", 0), facts.get("max_length")
    pattern = re.compile(facts["pattern"]) if "pattern" in facts else None

    def check(text: str) -> str | None:
        if len(text) < shortest:
            return "empty"
        if longest is not None and len(text) > longest:
            return f"longer than {longest} characters"
        if pattern is not None and not pattern.fullmatch(text):
            return f"not of the form {pattern.pattern}"
        return None

    return check


def _decimal_check(facts: typing.Mapping[str, typing.Any]) -> _ValueCheck:
    total, fraction, least = facts.get("total_digits"), facts.get("fraction_digits"), facts.get("min_inclusive")

    def check(text: str) -> str | None:
        match = _DECIMAL.fullmatch(text.strip(_XML_SPACE))
        if match is None or not (match[2] or match[3]):
            return "not a decimal number"
        whole, decimals = match[2].lstrip("0"), (match[3] or "").rstrip("0")
        if fraction is not None and len(decimals) > fraction:
            return f"more than {fraction} decimals"
        if total is not None and len(whole) + len(decimals) > total:
            return f"more than {total} digits"
        if least is not None and match[1] == "-" and (whole or decimals):
            return f"less than {least}"
        return None

    return check


def _time_check(kind: object) -> _ValueCheck:
    def is_date(text: str) -> bool:
        match = _DATE.fullmatch(text)
        try:
            return match is not None and bool(date(int(match[1]), int(match[2]), int(match[3])))
        except ValueError:
            return False

    def is_clock(text: str) -> bool:
        match = _TIME.match(text)
        return match is not None and _ZONE.fullmatch(text, match.end()) is not None

    def check(text: str) -> str | None:
        text = text.strip(_XML_SPACE)
        if kind is XmlDate:
            return None if is_date(text[:10]) and _ZONE.fullmatch(text, 10) else "not a date"
        if kind is XmlTime:
            return None if is_clock(text) else "not a time"
        return None if is_date(text[:10]) and text[10:11] == "T" and is_clock(text[11:]) else "not a date and time"

    return check


def _check_children(element: etree._Element, model: ElementModel) -> None:
    """Check an element's children against its model, and theirs."""
    slots, last, count = model.slots, -1, 0
    if element.text is not None:
        _drop_space(element)
    for child in element:
        slot = slots.get(child.tag)
        if slot is None:
            raise _fault(child, f"unknown element here (expected {_expected(model, last)})")
        if slot.position == last:
            count += 1
        else:
            _check_step(element, child, model, last, slot.position)
            last, count = slot.position, 1
        if slot.maximum is not None and count > slot.maximum:
            raise _fault(child, f"stands more than {slot.maximum} time(s)")
        if child.tail is not None:
            _drop_tail(child)
        if type(slot.model) is ValueModel:
            _check_value(child, slot.model)
        else:
            _check_inner(child, slot.model)
    if not model.is_choice:
        _check_gap(element, model, last, len(model.sequence))
    elif last < 0:
        raise _fault(element, f"one of {_expected(model, -1)} is missing")


def _check_inner(element: etree._Element, model: ElementModel | ValueModel | OpenModel) -> None:
    """Check an element that holds elements."""
    if element.keys():
        raise _fault(element, "unknown attribute")
    if isinstance(model, OpenModel):
        _check_open(element, model)
    elif isinstance(model, ElementModel):
        _check_children(element, model)


def _check_step(element: etree._Element, child: etree._Element, model: ElementModel, last: int, position: int) -> None:
    """From one child to the next kind: forwards in a sequence, nowhere in a choice."""
    if model.is_choice:
        if last >= 0:
            raise _fault(child, "only one of the choices may stand here")
        return
    if position < last:
        raise _fault(child, "in the wrong place or repeated")
    _check_gap(element, model, last, position)


def _check_gap(element: etree._Element, model: ElementModel, last: int, position: int) -> None:
    """Nothing mandatory may be skipped between two positions."""
    skipped = model.next_mandatory[last + 1]
    if skipped < position:
        raise _fault(element, f"{model.sequence[skipped].name} is missing")


def _check_value(element: etree._Element, model: ValueModel) -> None:
    if len(element):
        raise _fault(element, "holds an element where a value is expected")
    fault = model.check(element.text or "")
    if fault:
        raise _fault(element, fault)
    keys = element.keys()
    if model.attribute is None or model.attribute_check is None:
        if keys:
            raise _fault(element, "unknown attribute")
        return
    if keys != [model.attribute]:
        raise _fault(element, f"needs the attribute {model.attribute} and no other")
    fault = model.attribute_check(str(element.get(model.attribute)))
    if fault:
        raise _fault(element, f"{model.attribute}: {fault}")


def _check_open(element: etree._Element, model: OpenModel) -> None:
    """Foreign content is not judged, only bounded in depth and stripped of the white space between elements."""
    if len(element) != 1:
        raise _fault(element, "holds exactly one element")
    if model.namespace_uri is not None and etree.QName(element[0]).namespace != model.namespace_uri:
        raise _fault(element[0], f"not from {model.namespace_uri}")
    _drop_space(element)
    waiting = [(element[0], 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _fault(element, f"more than {MAX_DEPTH} levels deep")
        if node.tail is not None and not node.tail.strip(_XML_SPACE):
            node.tail = None
        if len(node) and node.text is not None and not node.text.strip(_XML_SPACE):
            node.text = None
        waiting.extend((child, depth + 1) for child in node)
    if element[0].tail is not None:
        raise _fault(element, "text between elements")


def _drop_space(element: etree._Element) -> None:
    if element.text is not None and element.text.strip(_XML_SPACE):
        raise _fault(element, "text where only elements may stand")
    element.text = None


def _drop_tail(element: etree._Element) -> None:
    if element.tail is not None and element.tail.strip(_XML_SPACE):
        raise _fault(element, "text between elements")
    element.tail = None


def _expected(model: ElementModel, last: int) -> str:
    names = [slot.name for slot in model.sequence[max(last, 0) :]]
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "") if names else "nothing"


def _fault(element: etree._Element, message: str) -> NotConformant:
    """The fault with its place: names of elements, numbered where an element is repeated; never the content."""
    steps = []
    for node in [element, *element.iterancestors()]:
        name = etree.QName(node).localname
        earlier = sum(1 for _ in node.itersiblings(node.tag, preceding=True))
        later = next(node.itersiblings(node.tag), None)
        steps.append(f"{name}[{earlier + 1}]" if earlier or later is not None else name)
        if name in {"Document", "AppHdr"}:
            break
    return NotConformant("/".join(reversed(steps)), message)

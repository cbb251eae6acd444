"""Without the official schemas the definitions compiled from the generated classes decide: as the schemas would."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from lxml import etree

from corridor.iso20022.conformance import (
    ElementModel,
    NotConformant,
    OpenModel,
    ValueModel,
    check_conformance,
    model_of,
)
from tests.unit.iso20022_samples import agent, customer_transfer, message, official_schema

INPUTS = ("pacs.008.001.08", "pacs.009.001.08", "head.001.001.02")
XS = "{http://www.w3.org/2001/XMLSchema}"
SEED = 20260723
SAMPLED_MUTANTS = 1_500


def _schema_tree(definition: str) -> etree._Element:
    official_schema(definition)
    from tests.unit.iso20022_samples import SHARED_XSD

    return etree.parse(str(SHARED_XSD / f"{definition}.xsd")).getroot()


def _differences(schema: etree._Element, type_name: str, model: object, path: str, seen: set[str]) -> Iterator[str]:
    complex_type = schema.find(f"{XS}complexType[@name='{type_name}']")
    if complex_type is None or complex_type.find(f"{XS}simpleContent") is not None:
        if not isinstance(model, ValueModel):
            yield f"{path}: the schema has a value here"
        elif complex_type is not None and model.attribute != complex_type.find(f".//{XS}attribute").get("name"):
            yield f"{path}: another attribute"
        return
    if complex_type.find(f".//{XS}any") is not None:
        if not isinstance(model, OpenModel):
            yield f"{path}: the schema takes any element here"
        return
    if not isinstance(model, ElementModel):
        yield f"{path}: the schema has elements here"
        return
    if type_name in seen:
        return
    seen.add(type_name)
    content = complex_type[0]
    elements = content.findall(f"{XS}element")
    if model.is_choice != (content.tag == f"{XS}choice"):
        yield f"{path}: choice or sequence"
    if [slot.name for slot in model.sequence] != [element.get("name") for element in elements]:
        yield f"{path}: other elements or another order"
        return
    for slot, element in zip(model.sequence, elements, strict=True):
        most = element.get("maxOccurs", "1")
        if slot.maximum != (None if most == "unbounded" else int(most)):
            yield f"{path}/{slot.name}: maxOccurs {most}"
        if not model.is_choice and slot.minimum != int(element.get("minOccurs", "1")):
            yield f"{path}/{slot.name}: minOccurs {element.get('minOccurs')}"
        yield from _differences(schema, element.get("type"), slot.model, f"{path}/{slot.name}", seen)


@pytest.mark.parametrize("definition", INPUTS)
def test_the_compiled_definition_has_the_elements_order_and_counts_of_the_official_schema(definition: str) -> None:
    schema = _schema_tree(definition)
    root = schema.find(f"{XS}element")
    assert list(_differences(schema, root.get("type"), model_of(definition), root.get("name"), set())) == []


_CANDIDATES = (
    "X", "HKD", "HK", "100.00", "2026-11-23", "2026-11-23T09:00:00+08:00", "09:00:00", "true", "1", "HKBAHKHHXXX",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "5493001KJTIIGC8Y1R12", "HK12ABC", "+852-12345678", "AB12",
)  # fmt: skip


def _some_value(kind: ValueModel) -> str:
    """A text that the model takes: one of ours, or the first code it names itself."""
    for text in _CANDIDATES:
        if kind.check(text) is None:
            return text
    return str(kind.check("")).removeprefix("not one of ").split(", ")[0]


def _fill(parent: etree._Element, model: ElementModel, space: str, pick: random.Random, share: float) -> None:
    """Give ``parent`` its mandatory children and a ``share`` of the others (of a choice, one)."""
    slots = [pick.choice(model.sequence)] if model.is_choice else model.sequence
    for slot in slots:
        if not slot.minimum and not model.is_choice and pick.random() > share:
            continue
        child = etree.SubElement(parent, f"{{{space}}}{slot.name}")
        kind = slot.model
        if isinstance(kind, ValueModel):
            child.text = _some_value(kind)
            if kind.attribute:
                child.set(kind.attribute, "HKD")
        elif isinstance(kind, OpenModel):
            etree.SubElement(child, f"{{{kind.namespace_uri or 'urn:any'}}}Anything").text = "x"
        else:
            _fill(child, kind, space, pick, share)


def _document(definition: str, pick: random.Random, share: float) -> etree._Element:
    space = f"urn:iso:std:iso:20022:tech:xsd:{definition}"
    root = etree.Element(f"{{{space}}}{'AppHdr' if definition.startswith('head') else 'Document'}", nsmap={None: space})
    _fill(root, model_of(definition), space, pick, share)
    return root


def _ours(element: etree._Element, definition: str) -> str | None:
    try:
        check_conformance(etree.fromstring(etree.tostring(element)), definition)
    except NotConformant as fault:
        return str(fault)
    return None


@pytest.mark.parametrize("definition", INPUTS)
def test_a_document_with_every_element_is_valid_for_us_and_for_the_official_schema(definition: str) -> None:
    schema = official_schema(definition)
    for seed in range(3):
        document = _document(definition, random.Random(seed), 1.0)
        schema.assertValid(document)
        assert _ours(document, definition) is None, f"seed {seed}"


_TEXTS = (
    "", " ", "x", "X" * 36, "X" * 2100, "-1", "-0", "+5", "1.123456", "1.100000", "1234567890123456789", ".5", "5.",
    "1e5", "1,000", "0", "١٢", "2026-02-29", "2026-11-23", "2026-11-23Z", "2026-11-23+15:00", "2026-11-23T25:00:00",
    "2026-11-23T24:00:00", "2026-11-23T09:00:00", "2026-11-23T09:00", " 2026-11-23 ", "true ", "TRUE", "0100",
    "3F2504E0-4F89-41D3-9A0C-0305E82C3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "HKBAHKHH", "HKBAHKHHXX",
    "hkbahkhh", " HKBAHKHH", "HKBAHKHH\n", "hkd", "HKDX", "é", "\U0001f600" * 35, "NORM", "norm",
    "0000000000000000001.00", "999999999999999999", "9999999999999.99999", "99999999999999.99999", "00.00000", "1 000",
)  # fmt: skip


def _mutate(element: etree._Element, pick: random.Random) -> str:
    """Change one thing at or around ``element``; returns what, for the message of a failing test."""
    parent, name = element.getparent(), etree.QName(element).localname
    change = pick.choice(["removed", "doubled", "moved", "renamed", "attribute", "namespace", "text", "text"])
    if change == "removed":
        parent.remove(element)
    elif change == "doubled":
        parent.insert(parent.index(element), etree.fromstring(etree.tostring(element)))
    elif change == "moved":
        parent.insert(parent.index(element), parent[-1])
    elif change == "renamed":
        element.tag = element.tag + "X"
    elif change == "attribute":
        element.set(pick.choice(["Ccy", "Unknown"]), pick.choice(["HKD", "hkd"]))
    elif change == "namespace":
        element.tag = "{urn:other}" + name
    else:
        element.text = pick.choice(["text", " \n"] if len(element) else _TEXTS)
        change = f"text {element.text!r}"
    return f"{name}: {change}"


@pytest.mark.parametrize("definition", INPUTS)
def test_we_refuse_what_the_official_schema_refuses_and_nothing_else(definition: str) -> None:
    schema = official_schema(definition)
    pick = random.Random(SEED)
    space = "urn:iso:std:iso:20022:tech:xsd:"
    verdicts, differences = set(), []
    for _ in range(SAMPLED_MUTANTS):
        mutant = _document(definition, pick, 0.25)
        inner = [node for node in mutant.iterdescendants() if (etree.QName(node).namespace or "").startswith(space)]
        what = _mutate(pick.choice(inner), pick)
        theirs, ours = schema.validate(mutant), _ours(mutant, definition)
        verdicts.add(theirs)
        if theirs != (ours is None):
            differences.append((what, "valid" if theirs else schema.error_log[0].message, ours))
    assert differences == [], f"seed {SEED}"
    assert verdicts == {True, False}


REFUSED = {
    "an upper-case UETR": customer_transfer(uetr="3F2504E0-4F89-41D3-9A0C-0305E82C3301"),
    "a UETR that is not version 4": customer_transfer(uetr="3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
    "a negative amount": customer_transfer(amount="-1.00"),
    "more than five decimals": customer_transfer(amount="1.000001"),
    "more than eighteen digits": customer_transfer(amount="12345678901234567.89"),
    "a malformed BIC": customer_transfer(creditor_agent="THBATH"),
    "a lower-case currency": customer_transfer(currency="hkd"),
    "a date that is none": customer_transfer(value_date="2026-02-30"),
    "a missing element": customer_transfer().replace("<ChrgBr>SHAR</ChrgBr>", ""),
    "an unknown element": customer_transfer().replace("<ChrgBr>", "<Unknown/><ChrgBr>"),
    "an unknown code": customer_transfer().replace("SHAR", "OURS"),
    "a doubled element": customer_transfer().replace("<ChrgBr>", "<ChrgBr>SHAR</ChrgBr><ChrgBr>"),
    "elements in another order": customer_transfer(
        agents=agent("InstdAgt", "THBATHBK") + agent("InstgAgt", "HKBAHKHH")
    ),
    "two of a choice": customer_transfer(
        payment_type="<PmtTpInf><LclInstrm><Cd>A</Cd><Prtry>B</Prtry></LclInstrm></PmtTpInf>"
    ),
    "none of a choice": customer_transfer(payment_type="<PmtTpInf><LclInstrm/></PmtTpInf>"),
    "text between elements": customer_transfer().replace("<ChrgBr>", "text<ChrgBr>"),
    "an element inside a value": customer_transfer(amount="<b>1</b>"),
    "a second attribute": customer_transfer().replace('Ccy="HKD"', 'Ccy="HKD" Other="1"'),
    "no attribute": customer_transfer().replace(' Ccy="HKD"', ""),
    "a type of its own": customer_transfer().replace(
        "<ChrgBr>", '<ChrgBr xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="false">'
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_document_is_refused_that_has(fault: str) -> None:
    with pytest.raises(NotConformant):
        check_conformance(etree.fromstring(message(REFUSED[fault])), "pacs.008.001.08")


def test_a_fault_says_where_it_is_and_never_what_was_written() -> None:
    document = message(customer_transfer(), customer_transfer(amount="-77.00"))
    with pytest.raises(NotConformant) as refused:
        check_conformance(etree.fromstring(document), "pacs.008.001.08")
    assert refused.value.path == "Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]/IntrBkSttlmAmt"
    assert "77" not in str(refused.value)


def test_a_schema_location_on_the_document_is_harmless() -> None:
    document = message(customer_transfer()).replace(
        b"<Document ",
        b'<Document xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x x.xsd" ',
    )
    check_conformance(element := etree.fromstring(document), "pacs.008.001.08")
    assert etree.QName(element).localname == "Document"


def test_foreign_content_is_taken_once_and_not_too_deep() -> None:
    def supplementary(inner: str) -> bytes:
        return message(customer_transfer(after_creditor=f"<SplmtryData><Envlp>{inner}</Envlp></SplmtryData>"))

    check_conformance(etree.fromstring(supplementary('<x xmlns="urn:x"> <y/> </x>')), "pacs.008.001.08")
    for inner in ("", "<x/><y/>", "<x>" * 70 + "</x>" * 70):
        with pytest.raises(NotConformant):
            check_conformance(etree.fromstring(supplementary(inner)), "pacs.008.001.08")

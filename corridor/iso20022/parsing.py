"""From a stranger's bytes to two elements: the business header, if there is one, and the document.

Nothing is fetched, expanded or guessed: no document type declaration, no entity beyond the five of XML, UTF-8 only,
and every size is bounded before memory is spent on it. Comments and processing instructions are dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from corridor.errors import CorridorError
from corridor.iso20022.codes import UNREADABLE_CODES
from corridor.iso20022.definitions import (
    BUSINESS_HEADER,
    INPUT_KINDS,
    REFERENCE_LENGTH,
    bic11,
    definition_of,
    namespace,
)

# A transaction with structured remittance and addresses is some 6 kB; ten thousand of them fit.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
# Each element of the tree costs some 250 bytes: with 125 pairs of tags for each of 10,000 transactions, about 350 MB.
MAX_TAGS = 2_500_000
# The deepest path of the schemas is 13 elements; an envelope and supplementary data come on top.
MAX_DEPTH = 64
# The references of a message stand at its beginning: this much of an unreadable one is searched for them.
REFERENCE_SEARCH_BYTES = 65_536

NOT_PROVIDED = "NOTPROVIDED"

_DECLARATION = re.compile(rb"""^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']""")
_TAKEN_ENCODINGS = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}
_FORBIDDEN = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_WRITTEN_REFERENCE = r"<(?:[\w.-]+:)?{name}\s*>([^<>&]{{1,200}})</"


class UnreadableMessage(CorridorError):
    """A message of which nothing can be accepted (answered by admi.002).

    Attributes:
        related_reference: the message's ``MsgId``, else its ``BizMsgIdr``, else ``NOTPROVIDED``.
        reason_code: a key of :data:`corridor.iso20022.codes.UNREADABLE_CODES`.
        description: one sentence that says what is wrong.
        location: where, as a path of elements or a line; may be empty.
    """

    code = "UNREADABLE_MESSAGE"

    def __init__(self, related_reference: str, reason_code: str, description: str, location: str = "") -> None:
        super().__init__(
            f"{UNREADABLE_CODES[reason_code]}: {description}",
            next_step="Correct the message and send it again",
            related_reference=related_reference,
            reason_code=reason_code,
        )
        self.related_reference = related_reference
        self.reason_code = reason_code
        self.description = description
        self.location = location


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A well-formed message of a known definition: ``header`` is the AppHdr element or None."""

    definition: str
    document: etree._Element
    header: etree._Element | None
    related_reference: str


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return etree.QName(element).localname


def parse(data: bytes) -> ParsedMessage:
    """Return the header and document of ``data``.

    Raises:
        UnreadableMessage: too large, not UTF-8, with a document type, not well-formed, an envelope of another shape,
            a definition or version that isn't taken in, or a header that names another definition.
    """
    root = _tree(data)
    header, document = _envelope(root)
    reference = _reference(document, header)
    definition = definition_of(etree.QName(document).namespace)
    if definition not in INPUT_KINDS:
        named = definition or etree.QName(document).namespace or "a document without a namespace"
        raise UnreadableMessage(reference, "UNKNOWNVERSION", f"{named} is not one of {', '.join(INPUT_KINDS)}")
    if header is not None and definition_of(etree.QName(header).namespace) != BUSINESS_HEADER:
        raise UnreadableMessage(reference, "UNKNOWNVERSION", f"the header is not {BUSINESS_HEADER}", "AppHdr")
    return ParsedMessage(definition, document, header, reference)


def definition_of_message(data: bytes) -> str | None:
    """The definition that ``data`` names, taken in or not; None where it is no readable message."""
    try:
        _, document = _envelope(_tree(data))
    except UnreadableMessage:
        return None
    return definition_of(etree.QName(document).namespace)


def header_party(header: etree._Element, name: str) -> str | None:
    """The BIC11 in the header's ``Fr`` or ``To``; None where it holds none."""
    space = f"{{{namespace(BUSINESS_HEADER)}}}"
    for path in (("FIId", "FinInstnId", "BICFI"), ("OrgId", "Id", "OrgId", "AnyBIC")):
        found = header.find("/".join(space + step for step in (name, *path)))
        if found is not None and found.text:
            return bic11(found.text)
    return None


def header_text(header: etree._Element, name: str) -> str | None:
    """The text of a direct child of the header."""
    found = header.find(f"{{{namespace(BUSINESS_HEADER)}}}{name}")
    return None if found is None else found.text


def _tree(data: bytes) -> etree._Element:
    def unreadable(reason_code: str, description: str, location: str = "") -> UnreadableMessage:
        return UnreadableMessage(_written_reference(data), reason_code, description, location)

    if len(data) > MAX_MESSAGE_BYTES:
        raise unreadable("TOOLARGE", f"{len(data)} bytes, at most {MAX_MESSAGE_BYTES} are taken")
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    declared = _DECLARATION.match(data)
    if declared and declared[1].lower() not in _TAKEN_ENCODINGS:
        raise unreadable("ENCODING", "the message declares another encoding than UTF-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable("ENCODING", f"byte {error.start} is not UTF-8") from error
    if _FORBIDDEN.search(data):
        raise unreadable("DOCTYPE", "document types and entities are never read")
    if data.count(b"<") > MAX_TAGS:
        raise unreadable("TOOLARGE", f"more than {MAX_TAGS} tags: send it in several messages")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        # The parser's own words, but nothing of the content beyond the name of a tag.
        raise unreadable("NOTWELLFORMED", (error.msg or "not XML")[:200], f"line {error.lineno}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise unreadable("DOCTYPE", "document types and entities are never read")
    return root


def _envelope(root: etree._Element) -> tuple[etree._Element | None, etree._Element]:
    if local_name(root) == "Document":
        return None, root
    parts = {local_name(child): child for child in root}
    loose = [root.text, *(child.tail for child in root)]
    if len(root) != 2 or set(parts) != {"AppHdr", "Document"} or any(text and text.strip() for text in loose):
        document, header = parts.get("Document"), parts.get("AppHdr")
        raise UnreadableMessage(
            _reference(document, header),
            "ENVELOPE",
            "the root element is Document, or holds exactly AppHdr and Document",
            local_name(root),
        )
    return parts["AppHdr"], parts["Document"]


def _reference(document: etree._Element | None, header: etree._Element | None) -> str:
    """``MsgId`` of the document, else ``BizMsgIdr`` of the header, else ``NOTPROVIDED``."""
    for element, name in ((document, "MsgId"), (header, "BizMsgIdr")):
        if element is None:
            continue
        found = next(element.iter(f"{{*}}{name}"), None)
        if found is not None and _is_reference(found.text):
            return str(found.text).strip()
    return NOT_PROVIDED


def _written_reference(data: bytes) -> str:
    """The same from bytes that don't parse: as far as it can be read off them."""
    text = data[:REFERENCE_SEARCH_BYTES].decode("utf-8", "replace")
    for name in ("MsgId", "BizMsgIdr"):
        found = re.search(_WRITTEN_REFERENCE.format(name=name), text)
        if found and _is_reference(found[1]):
            return found[1].strip()
    return NOT_PROVIDED


def _is_reference(text: str | None) -> bool:
    return text is not None and 1 <= len(text.strip()) <= REFERENCE_LENGTH and text.strip().isprintable()

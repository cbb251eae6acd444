"""A bank's own copy of the official XSDs, if it wants them to decide as well.

The schemas are not part of this product. ``load_schemas`` is the one function here that reads files, from the
directory it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from corridor.errors import CorridorError
from corridor.iso20022.conformance import NotConformant
from corridor.iso20022.definitions import BUSINESS_HEADER, INPUT_KINDS

# The largest official schema is under 200 kB; a directory of something else is refused early.
MAX_SCHEMA_BYTES = 4 * 1024 * 1024


class SchemaDirectoryError(CorridorError):
    """A directory that doesn't hold the official schemas."""

    code = "SCHEMA_DIRECTORY"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class SchemaSet:
    """Compiled schemas by definition, such as ``pacs.008.001.08``."""

    by_definition: dict[str, etree.XMLSchema]


def load_schemas(directory: Path) -> SchemaSet:
    """Read ``<definition>.xsd`` for every message taken in, and for the business header if it is there.

    Raises:
        SchemaDirectoryError: a schema is missing, too large or cannot be read as one.
    """
    compiled = {}
    for definition in (*INPUT_KINDS, BUSINESS_HEADER):
        path = directory / f"{definition}.xsd"
        if not path.is_file():
            if definition == BUSINESS_HEADER:
                continue
            raise SchemaDirectoryError(
                f"{path} is missing", next_step="Point --schemas to a directory with the official XSDs", path=str(path)
            )
        if path.stat().st_size > MAX_SCHEMA_BYTES:
            raise SchemaDirectoryError(f"{path} is larger than {MAX_SCHEMA_BYTES} bytes", path=str(path))
        parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
        try:
            compiled[definition] = etree.XMLSchema(etree.fromstring(path.read_bytes(), parser))
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
            raise SchemaDirectoryError(f"{path} is not a schema: {error}", path=str(path)) from error
    return SchemaSet(compiled)


def check_schema(element: etree._Element, definition: str, schemas: SchemaSet) -> None:
    """Validate ``element`` against its schema; a definition that isn't in the set passes.

    Raises:
        NotConformant: the first fault that the schema finds. The validator's sentence quotes values, so only the
            place and the kind of fault are kept.
    """
    schema = schemas.by_definition.get(definition)
    if schema is None or schema.validate(element):
        return
    log: Any = schema.error_log
    first = log[0]
    raise NotConformant(f"line {first.line}", f"the schema says {first.type_name}")

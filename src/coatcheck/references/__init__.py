"""References to stored objects and paths into them: one grammar, one parser, one walker."""

from coatcheck.references.grammar import (
    OBJECT_ID,
    REFERENCE_PATTERN,
    is_object_id,
    parse_path,
    parse_reference,
    parse_target,
    unescape,
)
from coatcheck.references.paths import Index, Key, Path, Reference, Slice, Step, quote
from coatcheck.references.walking import OpenText, close_names, walk

__all__ = [
    "OBJECT_ID",
    "REFERENCE_PATTERN",
    "Index",
    "Key",
    "OpenText",
    "Path",
    "Reference",
    "Slice",
    "Step",
    "close_names",
    "is_object_id",
    "parse_path",
    "parse_reference",
    "parse_target",
    "quote",
    "unescape",
    "walk",
]

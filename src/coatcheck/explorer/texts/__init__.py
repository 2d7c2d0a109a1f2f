"""Texts that are documents or tables: recognised by their start, parsed exactly, within bounds.

Each parser returns ``None`` for a text that is not of its format. The only error is ``ArgumentRejected``, if a document
is refused.
"""

from coatcheck.explorer.texts.opened_text import Opened
from coatcheck.explorer.texts.parser_selection import (
    HEAD,
    SMALL,
    is_for_the_sandbox,
    may_be_opened,
    name_format,
    open_text,
    why_unopened,
)

__all__ = ["HEAD", "SMALL", "Opened", "is_for_the_sandbox", "may_be_opened", "name_format", "open_text", "why_unopened"]

"""Texts that are documents or tables: recognised by how they begin, read exactly, within bounds.

Each parser gives ``None`` for a text that is not of its format; none of them raises for whatever a text may hold, but
for ``ArgumentRejected`` where a document is refused.
"""

from coatcheck.explorer.texts.opening import (
    HEAD,
    SMALL,
    Opened,
    is_for_the_sandbox,
    may_be_opened,
    name_format,
    open_text,
    why_unopened,
)

__all__ = ["HEAD", "SMALL", "Opened", "is_for_the_sandbox", "may_be_opened", "name_format", "open_text", "why_unopened"]

"""``show``: a part as a whole if it fits, else its bounded preview."""

from typing import Any

from coatcheck.codec import dump_json, json_type
from coatcheck.errors import ArgumentRejected
from coatcheck.explorer.operations.document import Answer, Document, OnlyInSandbox, locate, place
from coatcheck.explorer.texts import Opened, why_unopened


def show(document: Document, args: dict[str, Any]) -> Answer:
    """Render the part that ``path`` leads to.

    Args:
        document: The object.
        args: ``reference``, ``path``, ``limit``; ``whole`` (return everything if it fits, default true); ``headline``
            (start with the reference also then, default false); ``gets`` (characters that an answer
            of ``get`` may have); ``describe`` (add a short description for listings, default false).
    """
    from coatcheck.explorer.previews import (
        Subject,
        describe_value,
        gets_whole,
        is_for_a_worker,
        render,
        render_small,
        render_whole,
    )

    path = args.get("path") or ""
    value = locate(document, path)
    limit = args["limit"]
    facts = {"type": json_type(value)}
    if args.get("whole", True):
        size = document.metadata.size if not path and document.metadata.kind == "json" else None
        if args.get("headline", False):
            text = render_small(value, place(args), limit, size)
        else:
            text = render_whole(value, limit, size)
        if text is not None:
            about = describe_value(value) if args.get("describe") and not isinstance(value, str) else None
            return Answer(text, facts=facts | {"whole": True, "about": about})
    characters = _characters(document, value)
    opened = _opened(document, value)
    why = why_unopened(value) if opened is None and isinstance(value, str) else ""
    subject = Subject(
        reference=place(args),
        characters=characters,
        tool=document.metadata.tool,
        kind_note=why or None,
        gets_whole=gets_whole(value, args.get("gets", 0)),
        is_shared=args.get("shared", False),
    )
    if not document.in_sandbox and is_for_a_worker(value):
        raise OnlyInSandbox
    preview = render(value, subject, limit, opened, in_sandbox=document.in_sandbox)
    about = preview.about if args.get("describe") else None
    return Answer(preview.text, facts=facts | {"whole": False, "characters": characters, "about": about})


def _opened(document: Document, value: Any) -> Opened | None:
    try:
        return document.opened(value) if isinstance(value, str) else None
    except ArgumentRejected:
        return None  # a refused document can still be shown as text


def _characters(document: Document, value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if value is document.value and document.metadata.kind == "json":
        payload = bytes(document.payload)
        return len(payload) if payload.isascii() else len(payload.decode())
    return len(dump_json(value).decode())

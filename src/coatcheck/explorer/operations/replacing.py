"""``replace``: a new object in which a pattern's matches are replaced."""

import re
from typing import Any

from coatcheck.errors import ArgumentRejected, PatternError, counted, excerpt
from coatcheck.explorer.operations.clipping import Page, cut_middle, fill, scalar_json
from coatcheck.explorer.operations.document import Answer, Document, locate, place
from coatcheck.explorer.operations.search_matches import Link, path_of
from coatcheck.explorer.operations.searching import compile_pattern

CHANGES_SHOWN = 5
SIDE_CHARACTERS = 80
_CONTAINERS = {list, dict}


class _Replacer:
    """Replaces up to a number of matches in many texts and keeps the first changes for the answer."""

    def __init__(self, pattern: re.Pattern[str], replacement: str, most: int) -> None:
        self._pattern = pattern
        self._replacement = replacement
        self._left = most
        self._endless = most == 0
        self.count = 0
        self.changes: list[str] = []

    def text(self, text: str, link: Link) -> str:
        """Replace in one text."""
        if not self._endless and self._left <= 0:
            return text
        try:
            self._show_changes(text, link)
            changed, count = self._pattern.subn(self._replacement, text, 0 if self._endless else self._left)
        except (re.error, IndexError) as error:
            raise PatternError(
                f'The replacement "{excerpt(self._replacement)}" does not fit the pattern: {error}. '
                "Groups are \\1 or \\g<name>; write a backslash that is meant literally as \\\\."
            ) from None
        self.count += count
        self._left -= count
        return changed

    def structure(self, value: Any, link: Link) -> Any:
        """Replace in all strings of a structure; keys stay unchanged."""
        if isinstance(value, str):
            return self.text(value, link)
        find = self._pattern.search  # searched first: most strings of a large structure do not match
        if isinstance(value, list):
            return [
                self.structure(item, (link, position))
                if type(item) in _CONTAINERS or (type(item) is str and find(item))
                else item
                for position, item in enumerate(value)
            ]
        if isinstance(value, dict):
            return {
                key: self.structure(member, (link, key))
                if type(member) in _CONTAINERS or (type(member) is str and find(member))
                else member
                for key, member in value.items()
            }
        return value

    def _show_changes(self, text: str, link: Link) -> None:
        if len(self.changes) >= CHANGES_SHOWN:
            return
        for match in self._pattern.finditer(text):
            before, after = _side(match.group()), _side(match.expand(self._replacement))
            line = text.count("\n", 0, match.start())
            where = f"line {line}: " if link is None else f"{path_of(link)}: "
            self.changes.append(f"{where}{before} -> {after}")
            if len(self.changes) >= min(CHANGES_SHOWN, CHANGES_SHOWN if self._endless else self._left):
                return


def replace(document: Document, args: dict[str, Any]) -> Answer:
    r"""Replace a regular expression in a text, or in every string of a structure; keys stay unchanged.

    Args:
        document: The object.
        args: ``pattern``, ``replacement`` (with ``\1`` and ``\g<name>``), ``count`` (0: all), ``case_sensitive``
            (default false), and the common ones. With a path, the new object is only that part.

    Raises:
        PatternError: Pattern or replacement is malformed.
    """
    pattern = compile_pattern(args["pattern"], case_sensitive=bool(args.get("case_sensitive")))
    most = int(args.get("count") or 0)
    if most < 0:
        raise ArgumentRejected("count must be 0 (replace all) or more.")
    replacer = _Replacer(pattern, args["replacement"], most)
    value = replacer.structure(locate(document, args.get("path") or ""), None)
    facts = {"replacements": replacer.count}
    if not replacer.count:
        hint = "" if isinstance(value, str) else " Keys and numbers are not searched."
        return Answer(f"No text in {place(args)} matches; there is no new object.{hint}", facts=facts)
    page = Page(args["limit"], f"{counted(replacer.count, 'replacement')} in {place(args)}:")
    text = fill(page, replacer.changes, lambda shown: _more(replacer.count - shown))
    return Answer.of_value(text, value, facts)


def _side(text: str) -> str:
    return scalar_json(cut_middle(text, SIDE_CHARACTERS), SIDE_CHARACTERS)


def _more(left: int) -> str:
    return f"… and {left:,} more." if left > 0 else ""

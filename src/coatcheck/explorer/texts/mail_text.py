"""Mails of a mailbox as objects: an mbox file, or patches as ``git format-patch`` writes them."""

import codecs
import re
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import Opened

FEWEST = 2
_FROM = late_pattern(r"^From \S{1,200} [^\n]{0,60}\d\d:\d\d:\d\d[^\n]{0,40}\n(?=>?[A-Za-z-]{1,60}:)", re.MULTILINE)
_HEADERS = ("From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To")


def looks_like_mailbox(head: str) -> bool:
    """Whether a text begins with a mail in a mailbox."""
    return _FROM.match(head) is not None


def open_mailbox(text: str) -> Opened | None:
    """Return the mails with their main headers, decoded, and their text."""
    text = text.replace("\r\n", "\n")
    starts = list(_FROM.finditer(text))
    if len(starts) < FEWEST or starts[0].start():
        return None
    ends = [*(found.start() for found in starts[1:]), len(text)]
    from email.errors import MessageError

    try:
        mails = [_mail(text[found.end() : end]) for found, end in zip(starts, ends, strict=True)]
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, OSError):  # what a broken mail raises
        return None
    return Opened(mails, "a mailbox")


def _mail(text: str) -> dict[str, Any]:
    from email import message_from_string
    from email.policy import default

    mail = message_from_string(text, policy=default)
    record: dict[str, Any] = {name: str(mail[name]) for name in _HEADERS if mail[name] is not None}
    if "Date" in record:  # which would be corrected
        record["Date"] = next(str(value).strip() for name, value in mail.raw_items() if name.lower() == "date")
    body = mail.get_body(("plain", "html"))
    record["text"] = "" if body is None else str(body.get_content()).strip()
    attached = [part.get_filename() or part.get_content_type() for part in mail.iter_attachments()]
    return record | ({"attachments": attached} if attached else {})


def load_parser() -> None:
    """Load what parsing needs: a worker cannot open files later."""
    for charset in _CHARSETS:
        codecs.lookup(charset)
    open_mailbox(_SAMPLE)


_CHARSETS = (
    *("ascii", "utf-8", "latin-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252"),
    *("koi8-r", "gb18030", "big5", "shift_jis", "euc-kr"),
)
_SAMPLE = (
    "From a@b Mon Nov 30 10:00:00 2026\nFrom: =?utf-8?q?=C3=84?= <a@b>\nContent-Type: multipart/mixed; boundary=x\n\n"
    "--x\nContent-Type: text/plain; charset=latin-1\nContent-Transfer-Encoding: quoted-printable\n\n=C4\n"
    "--x\nContent-Type: image/png\nContent-Disposition: attachment; filename*=utf-8''a\n"
    "Content-Transfer-Encoding: base64\n\nAAAA\n--x--\n"
    "From a@b Mon Nov 30 10:00:00 2026\nDate: Mon, 30 Nov 2026 10:00:00 +0100\n"
    "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPGI+\n"
)

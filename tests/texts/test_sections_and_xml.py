"""TOML, INI and XML are objects; documents that could harm their parsers are not parsed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.explorer.texts import is_for_the_sandbox, open_text

INI = "; shared\n[server]\nhost = a.local\nport = 80\npaths = /a\n  /b\n\n[client]\nretry: yes ; really\n"
TOML = '# locked\nversion = 3\n\n[[package]]\nname = "a"\nwhen = 2026-01-02\n\n[[package]]\nname = "b"\nsize = 1_0\n'
POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://m">
  <!-- words -->
  <name>shop</name>
  <dependencies>
    <dependency scope="test"><artifactId>a</artifactId></dependency>
    <dependency><artifactId>b &amp; c</artifactId></dependency>
  </dependencies>
  <modules><module>one</module></modules>
  <more><module>two</module><module>three</module></more>
  <doc>See <b>this</b> first.</doc>
  <empty/>
</project>
"""
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">'
    + "".join(f'<!ENTITY {chr(99 + n)} "{f"&{chr(98 + n)};" * 20}">' for n in range(9))
    + "]><a><x>&k;</x><x>1</x><x>2</x></a>"
)


def opened(text: str) -> tuple[str, Any]:
    found = open_text(text, in_sandbox=True)
    return ("", None) if found is None else (found.format, found.value)


def test_an_ini_file_becomes_its_sections_with_text_values() -> None:
    assert opened(INI) == (
        "INI",
        {
            "server": {"host": "a.local", "port": "80", "paths": "/a\n/b"},
            "client": {"retry": "yes ; really"},
        },
    )


def test_a_toml_file_has_the_types_of_its_values() -> None:
    assert opened(TOML) == (
        "TOML",
        {"version": 3, "package": [{"name": "a", "when": "2026-01-02"}, {"name": "b", "size": 10}]},
    )


def test_elements_are_objects_and_elements_that_repeat_anywhere_are_arrays_everywhere() -> None:
    form, value = opened(POM)
    assert form == "XML"
    assert value == {
        "project": {
            "@xmlns": "http://m",
            "name": "shop",
            "dependencies": {"dependency": [{"@scope": "test", "artifactId": "a"}, {"artifactId": "b & c"}]},
            "modules": {"module": "one"},
            "more": {"module": ["two", "three"]},
            "doc": "See <b>this</b> first.",
            "empty": "",
        }
    }


def test_rows_have_the_same_shape_even_if_one_has_a_single_cell() -> None:
    _, value = opened("<t><r><c>1</c><c>2</c></r><r><c>3</c></r></t>")
    assert value == {"t": {"r": [{"c": ["1", "2"]}, {"c": ["3"]}]}}


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a><x>&b;</x><x>1</x></a>',
        "<a>" * 100_000 + "</a>" * 100_000,
        "<a><b>1</b><b>2</b></a",
        "<p>Words and <b>more</b> words, <i>mostly</i> words.</p>",
        "<!DOCTYPE html>\n<html><body><p>1</p><p>2</p></body></html>",
        "[info] started\n[info] a = 1\nended\n",
        "[a]\nb = 1\nb = 2\n",
        "[a]\nb = 1\n[a]\nb = 2\n",
        "a = " + "[" * 100_000 + "\n[b]\n",
    ],
    ids=range(10),
)
def test_broken_hostile_or_mostly_prose_documents_stay_texts(text: str) -> None:
    assert opened(text) == ("", None)


def test_sections_and_xml_are_read_in_the_sandbox_only() -> None:
    for text in (INI, TOML, POM):
        assert is_for_the_sandbox(text)
        assert open_text(text, in_sandbox=False) is None


@given(text=st.text(alphabet="<a></!?= \"'&;[]b\n#1-"))
def test_no_text_makes_these_parsers_fail(text: str) -> None:
    found = open_text(text, in_sandbox=True)
    assert found is None or isinstance(found.value, (list, dict))


ENVIRONMENT = """# the shop
NODE_ENV=production
export LABEL="Fix it"
fs.dentry-state = 425425\t45
path.help=First \\
    second
remote.origin.fetch=+refs/a
remote.origin.fetch=+refs/b
EMPTY=
"""


def test_lines_of_names_and_values_are_one_object():
    found = open_text(ENVIRONMENT, in_sandbox=False)
    assert found is not None
    assert found.format == "name=value lines"
    assert found.value == {
        "NODE_ENV": "production",
        "LABEL": "Fix it",
        "fs.dentry-state": "425425\t45",
        "path.help": "First second",
        "remote.origin.fetch": ["+refs/a", "+refs/b"],
        "EMPTY": "",
    }
    assert open_text(ENVIRONMENT + "and a line of words\n", in_sandbox=False) is None


MAILBOX = (
    "From ann@example.org Mon Nov 30 10:00:00 2026\nFrom: =?utf-8?q?Ann_=C3=84?= <ann@example.org>\nSubject: One\nDate: Tue,  1 Nov 2026 10:00:00 +0100\n"
    "Content-Type: text/plain; charset=utf-8\n\nHello,\n\nFrom here on.\n\n"
    "From ben@example.org Mon Nov 30 11:00:00 2026\nFrom: ben@example.org\nSubject: A long\n subject\n"
    'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/plain\n\nSee the file.\n--x\n'
    'Content-Type: application/pdf\nContent-Disposition: attachment; filename="a.pdf"\n\nAAAA\n--x--\n'
)


def test_mails_of_a_mailbox_are_objects_with_decoded_headers():
    found = open_text(MAILBOX, in_sandbox=True)
    assert found is not None
    assert found.format == "a mailbox"
    assert found.value == [
        {
            "From": "Ann Ä <ann@example.org>",
            "Subject": "One",
            "Date": "Tue,  1 Nov 2026 10:00:00 +0100",
            "text": "Hello,\n\nFrom here on.",
        },
        {"From": "ben@example.org", "Subject": "A long subject", "text": "See the file.", "attachments": ["a.pdf"]},
    ]
    assert open_text(MAILBOX, in_sandbox=False) is None
    assert is_for_the_sandbox(MAILBOX)

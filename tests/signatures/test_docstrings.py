"""Docstrings lose the descriptions of hidden parameters, in each of the usual styles."""

import pytest

from coatcheck.tools.docstrings import without_parameters

GOOGLE = """Do it.

    Args:
        a: First.
        client (Client[str] | None): The client
            over two lines.
        *b: Rest: with a colon.

    Returns:
        client: the word stays here.
    """
NUMPY = """Do it.

    Parameters
    ----------
    a : int
        First.
    client : Client
        The client.

        Second paragraph.
    b, token : str
        Both.

    Returns
    -------
    client
        Stays.
    """
SPHINX = """Do it.

    :param a: First.
    :param Client client: The client
        over two lines.
    :type client: Client
    :param b: Last.
    :returns: client
    """


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, SPHINX])
def test_the_entry_is_removed_and_the_others_stay(doc: str) -> None:
    text = without_parameters(doc, {"client"})
    head, _, tail = text.partition("eturn")
    assert "client" not in head.lower().replace("the word", "")
    assert "over two lines" not in text
    assert "Second paragraph" not in text
    assert "First." in head
    assert "client" in tail


def test_numpy_names_in_a_list_are_removed_one_by_one() -> None:
    text = without_parameters(NUMPY, {"token"})
    assert "\nb : str\n" in text
    assert "Both." in text
    assert "b, token" not in text


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, SPHINX])
def test_a_section_without_entries_is_removed(doc: str) -> None:
    text = without_parameters(doc, {"a", "b", "client", "token"})
    assert "Args" not in text
    assert "Parameters" not in text
    assert ":param" not in text
    assert text.startswith("Do it.\n\n")
    assert "\n\n\n" not in text


def test_a_docstring_without_the_names_is_unchanged() -> None:
    assert without_parameters(GOOGLE, {"other"}) is GOOGLE


def test_prose_that_looks_like_an_entry_is_unchanged() -> None:
    doc = "Note:\n    client: is a word.\n\nclient: too"
    assert without_parameters(doc, {"client"}) == doc

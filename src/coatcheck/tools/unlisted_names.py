"""Removes mentions of tools that are not listed, so that models read only names that they can call."""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from inspect import Parameter, cleandoc
from typing import Annotated, Any, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from coatcheck.errors import CoatcheckError
from coatcheck.tools.signatures import FunctionSignature, with_other_signature

_END_OF_SENTENCE = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+")
_END_OF_CLAUSE = re.compile(r";\s+")


def without_mentions(
    func: Callable[..., Any], spec: FunctionSignature, unlisted: Collection[str]
) -> Callable[..., Any]:
    """Return a function whose description, parameters and errors do not mention tools that are not listed.

    A sentence that names one is removed, or the part of it that a semicolon separates from the rest.
    """
    names = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, sorted(unlisted)))})(?!\w)")
    shown = spec.signature.replace(
        parameters=[_parameter(parameter, names) for parameter in spec.signature.parameters.values()]
    )
    quiet = replace(spec, doc=spec.doc and _shorter(cleandoc(spec.doc), names), signature=shown)
    return with_other_signature(func, quiet, partial(_shorter_errors, names))


def _shorter(text: str, names: re.Pattern[str]) -> str:
    if not names.search(text):
        return text
    paragraphs = [[_sentence(each, names) for each in _END_OF_SENTENCE.split(part)] for part in text.split("\n\n")]
    return "\n\n".join(filter(None, (" ".join(filter(None, sentences)) for sentences in paragraphs)))


def _sentence(text: str, names: re.Pattern[str]) -> str:
    if not names.search(text):
        return text
    kept = "; ".join(clause for clause in _END_OF_CLAUSE.split(text) if not names.search(clause))
    return f"{kept}." if kept and kept[-1] not in ".!?" else kept


def _parameter(parameter: Parameter, names: re.Pattern[str]) -> Parameter:
    annotation = parameter.annotation
    if get_origin(annotation) is not Annotated:
        return parameter
    descriptions = [
        each.description for each in annotation.__metadata__ if isinstance(each, FieldInfo) and each.description
    ]
    if not descriptions or not names.search(descriptions[-1]):
        return parameter
    return parameter.replace(annotation=Annotated[annotation, Field(description=_shorter(descriptions[-1], names))])


@contextmanager
def _shorter_errors(names: re.Pattern[str]) -> Iterator[None]:
    try:
        yield
    except CoatcheckError as error:
        if error.args and isinstance(error.args[0], str):
            error.args = (_shorter(error.args[0], names) or error.args[0], *error.args[1:])
        raise

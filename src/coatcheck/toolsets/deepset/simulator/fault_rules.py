"""Faults on demand: which requests of the simulator fail, and how.

A rule is written as words of ``key=value``:

    status=503 path=*/pipelines times=2 retry_after=1
    delay=30 method=POST path=*/search
    drop=true path=*/logs
"""

import shlex
import threading
from collections.abc import Iterable
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coatcheck.errors import SettingsError, excerpt, field_faults


class FaultRule(BaseModel):
    """One rule.

    Attributes:
        path: Pattern of its paths, as in a shell, below ``/api/``; percent-encoded.
        method: Its method; any by default.
        times: Number of requests that it applies to; 0: all.
        every: Of the requests that fit, only each so many-th fails.
        status: The answer's HTTP status; without one the request is carried out.
        body: The answer's body; by default a message in the API's form.
        html: Answer with a page of HTML, as a gateway does.
        retry_after: Seconds for the header ``Retry-After``.
        delay: Seconds before the request is carried out or answered.
        drop: Close the connection in the middle of the answer.
    """

    model_config = ConfigDict(extra="forbid")

    path: str = "*"
    method: str | None = None
    times: int = Field(0, ge=0)
    every: int = Field(1, ge=1)
    status: int | None = Field(None, ge=200, le=599)
    body: str | None = None
    html: bool = False
    retry_after: float | None = Field(None, ge=0)
    delay: float = Field(0.0, ge=0)
    drop: bool = False

    @classmethod
    def parse(cls, text: str) -> "FaultRule":
        """Read a rule.

        Raises:
            SettingsError: It cannot be read.
        """
        try:
            pairs = [word.partition("=") for word in shlex.split(text)]
        except ValueError as error:  # quotes that do not close
            raise SettingsError(f"The fault {excerpt(text)} cannot be read: {error}. {_HOW}") from None
        for word, separator, _ in pairs:
            if not separator:
                raise SettingsError(f"The fault {excerpt(text)} has a word without '=': {excerpt(word)}. {_HOW}")
        try:
            return cls.model_validate({key: value for key, _, value in pairs})
        except ValidationError as error:
            name, fault = field_faults(error)[0]
            raise SettingsError(f"The fault {excerpt(text)} cannot be read: {name}: {fault}. {_HOW}") from None


_HOW = f"It has words of key=value, with these keys: {', '.join(FaultRule.model_fields)}."


class FaultRules:
    """The rules in force; they may be changed while the simulator runs."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[FaultRule, list[int]]] = []
        self.add(*rules)

    def add(self, *rules: FaultRule) -> None:
        """Append rules."""
        with self._lock:
            self._rules += [(rule, [0]) for rule in rules]

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def list(self) -> list[FaultRule]:
        """Return the rules in force."""
        with self._lock:
            return [rule for rule, _ in self._rules]

    def pick(self, method: str, path: str) -> FaultRule | None:
        """Return the first rule that a request falls under, and count it."""
        with self._lock:
            for rule, seen in self._rules:
                if rule.method not in {None, method} or not fnmatchcase(path, rule.path):
                    continue
                if rule.times and seen[0] >= rule.times * rule.every:
                    continue
                seen[0] += 1
                if seen[0] % rule.every == 0:
                    return rule
        return None

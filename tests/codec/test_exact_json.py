"""Integers of any size in JSON: exact, and read and written in bounded time."""

import json
import time

import pytest

from coatcheck.codec.exact_json import MOST_DIGITS, any_integer, digits_of, load_exactly
from coatcheck.proxy.jsonrpc import parse, to_line
from tests.waiting import within


@pytest.mark.parametrize("count", [1, 19, 20, 1_999, 2_001, 4_299, 4_301, 8_003, MOST_DIGITS - 1])
@pytest.mark.parametrize("sign", ["", "-"])
def test_every_digit_is_preserved(count, sign):
    written = sign + ("9081726354" * (count // 10 + 1))[:count]
    number = any_integer(written)
    assert isinstance(number, int)
    assert digits_of(number) == written
    if count > 1:
        assert any_integer(written[:-1]) == (abs(number) // 10) * (-1 if sign else 1)


def test_a_longer_integer_becomes_a_text_of_its_digits():
    written = "7" * (MOST_DIGITS + 1)
    assert load_exactly(f'{{"a":[{written},1]}}') == {"a": [written, 1]}


@pytest.mark.parametrize("count", [MOST_DIGITS, 1_000_000])
def test_a_line_of_digits_is_read_and_written_in_bounded_time(count):
    """Converting a million digits in one step takes half a minute on the event loop, and any server or caller may send them."""
    many = ",".join(["9" * count] * (1_000_000 // count))
    with within(1, time.process_time):
        message = parse(f'{{"jsonrpc":"2.0","id":1,"result":{{"n":[{many}]}}}}'.encode())
        line = to_line(message)
    assert len(line) >= 1_000_000
    assert json.loads(line, parse_int=len)["id"] == 1


@pytest.mark.parametrize("start", ["[", '{"a":'])
def test_json_that_is_nested_too_deeply_is_refused_by_every_version_of_python(start):
    end = {"[": "]", '{"a":': "}"}[start]
    for levels in (1_100, 20_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            load_exactly(start * levels + "1" + end * levels)
    assert load_exactly(start * 500 + "1" + end * 500)

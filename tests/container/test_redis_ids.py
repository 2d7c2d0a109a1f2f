"""Ids in a Redis shared by replicas: a UUID or short, and 128 random bits if nothing else protects an object."""

import re

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Caller, CallerKind

UUID = r"obj_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SHORT = r"obj_[A-Za-z0-9]{10}"
CAPABILITY = r"obj_[A-Za-z0-9_-]{22}"  # 22 characters of 6 bits hold 128


@pytest.fixture
def new_ids(redis_server):
    def new_ids(reach, count=20, **settings):
        settings = Settings(object_store_backend="redis", redis_url=redis_server.url, **settings)
        container = Container(settings=settings)
        with container.tenancy().enter(Caller(reach, "somebody")):
            ids = [container.store().put(number) for number in range(count)]
            assert [container.store().get(object_id) for object_id in ids] == list(range(count))
        container.backend().close()
        return ids

    return new_ids


@pytest.mark.parametrize("reach", [CallerKind.LOCAL, CallerKind.PRINCIPAL])
@pytest.mark.parametrize(
    ("settings", "form"), [({}, UUID), ({"redis_ids": "uuid"}, UUID), ({"redis_ids": "short"}, SHORT)]
)
def test_in_a_protected_namespace_ids_may_be_short(new_ids, reach, settings, form):
    ids = new_ids(reach, **settings)
    assert [each for each in ids if not re.fullmatch(form, each)] == []


@pytest.mark.parametrize("settings", [{}, {"redis_ids": "short"}])
def test_an_id_that_is_the_only_protection_has_128_random_bits(new_ids, settings):
    ids = new_ids(CallerKind.ANONYMOUS, **settings)
    assert [each for each in ids if not re.fullmatch(CAPABILITY, each)] == []


def test_two_replicas_do_not_generate_the_same_short_id(new_ids):
    ids = [object_id for _ in range(2) for object_id in new_ids(CallerKind.LOCAL, 1000, redis_ids="short")]
    assert len(set(ids)) == 2000
    # Each position uses all 62 characters: with fewer, ids would collide much sooner.
    assert all(len({each[4 + place] for each in ids}) == 62 for place in range(10))

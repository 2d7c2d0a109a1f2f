import random

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.backends.memory import Deadlines

KEYS = st.integers(0, 40).map(str)
STEPS = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 30).map(float)), max_size=200)


@given(STEPS)
def test_the_earliest_deadline_is_right_after_any_additions_and_removals(steps):
    deadlines, model = Deadlines(), {}
    for key, due in steps:
        deadlines.discard(key)
        model.pop(key, None)
        if due is not None:
            deadlines.add(key, due)
            model[key] = due
        assert len(deadlines) == len(model)
        earliest = deadlines.earliest()
        assert (earliest is None) == (not model)
        if earliest is not None:
            assert earliest[0] == min(model.values()) == model[earliest[1]]
    drained = []
    while (earliest := deadlines.earliest()) is not None:
        drained.append(earliest)
        deadlines.discard(earliest[1])
    assert [due for due, _ in drained] == sorted(model.values())
    assert sorted(key for _, key in drained) == sorted(model)


def test_removing_keys_from_the_middle_keeps_the_order_of_the_others():
    chance = random.Random(1)
    for _ in range(30):
        deadlines = Deadlines()
        model = {str(key): chance.random() for key in range(200)}
        for key, due in model.items():
            deadlines.add(key, due)
        for key in chance.sample(sorted(model), 150):
            deadlines.discard(key)
            del model[key]
        drained = []
        while (earliest := deadlines.earliest()) is not None:
            drained.append(earliest)
            deadlines.discard(earliest[1])
        assert drained == sorted((due, key) for key, due in model.items())

from collections import OrderedDict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from coatcheck.backends import InMemoryBackend

KEYS = st.sampled_from(["a:1", "a:2", "a:3", "a:4", "b:1", "b:2", "a:b:1", "1", "2", ":1"])
TTLS = st.sampled_from([None, 0.5, 1.0, 2.0, 5.0])
SIZES = st.integers(0, 8)
MAX_OBJECTS, MAX_BYTES, MAX_NAMESPACE_OBJECTS, MAX_NAMESPACE_BYTES = 5, 20, 3, 12
MAX_IDLE = 2.0


class MemoryBackendAgainstASlowModel(RuleBasedStateMachine):
    """The model uses plain loops in place of the backend's data structures."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.model = OrderedDict()  # key: (value, deadline, last use), least recently used first
        self.backend = InMemoryBackend(
            max_objects=MAX_OBJECTS,
            max_bytes=MAX_BYTES,
            max_namespace_objects=MAX_NAMESPACE_OBJECTS,
            max_namespace_bytes=MAX_NAMESPACE_BYTES,
            max_idle=MAX_IDLE,
            clock=lambda: self.now,
        )

    def live(self, namespace=None):
        return {
            key: value
            for key, (value, deadline, used) in self.model.items()
            if (deadline is None or deadline > self.now)
            and used + MAX_IDLE > self.now
            and (namespace is None or key.rpartition(":")[0] == namespace)
        }

    @rule(key=KEYS, size=SIZES, ttl=TTLS)
    def set(self, key, size, ttl):
        value = f"{len(self.model)}".encode() * 8
        value = value[:size]
        self.backend.set(key, value, ttl)
        self.model.pop(key, None)
        self.model[key] = (value, None if ttl is None else self.now + ttl, self.now)
        namespace = key.rpartition(":")[0]
        for chosen, objects, size_limit in (
            (namespace, MAX_NAMESPACE_OBJECTS, MAX_NAMESPACE_BYTES),
            (None, MAX_OBJECTS, MAX_BYTES),
        ):
            while len(self.live(chosen)) > objects or sum(map(len, self.live(chosen).values())) > size_limit:
                del self.model[next(iter(self.live(chosen)))]

    @rule(key=KEYS)
    def get(self, key):
        expected = self.live().get(key)
        assert self.backend.get(key) == expected
        self.use(key)

    @rule(key=KEYS)
    def touch(self, key):
        self.backend.touch(key)
        self.use(key)

    def use(self, key):
        if key in self.live():
            self.model[key] = (*self.model.pop(key)[:2], self.now)

    @rule(key=KEYS, n=st.integers(0, 5))
    def head(self, key, n):
        expected = self.live().get(key)
        assert self.backend.head(key, n) == (None if expected is None else expected[:n])

    @rule(key=KEYS)
    def delete(self, key):
        assert self.backend.delete(key) is (key in self.live())
        self.model.pop(key, None)

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 1.0, 3.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(prefix=st.sampled_from(["", "a", "a:", "a:b", "a:b:", "b:", "1", ":"]))
    def scan(self, prefix):
        assert sorted(self.backend.scan(prefix)) == sorted(key for key in self.live() if key.startswith(prefix))

    @invariant()
    def counts_agree(self):
        statistics = self.backend.statistics()
        assert (statistics.objects, statistics.bytes) == (len(self.live()), sum(map(len, self.live().values())))


MemoryBackendAgainstASlowModel.TestCase.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, derandomize=True
)
TestMemoryBackendAgainstASlowModel = MemoryBackendAgainstASlowModel.TestCase

"""A third-party backend with only the required methods."""

from coatcheck.backends import InMemoryBackend


class FourMethods:
    """Stores objects in memory; it has no base class."""

    def __init__(self) -> None:
        inner = InMemoryBackend()
        self.generate_id = inner.generate_id
        self.set = inner.set
        self.get = inner.get
        self.delete = inner.delete

"""Lists all objects of a backend, in all namespaces, for its operator."""

from collections.abc import Iterator
from dataclasses import dataclass

from coatcheck import codec
from coatcheck.backends import ObjectStoreBackend, as_backend
from coatcheck.codec import HEAD_BYTES, Metadata
from coatcheck.errors import ObjectUnreadable
from coatcheck.references import OBJECT_ID


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One object of the inventory; ``namespace`` is ``""`` for those of a machine's own user."""

    namespace: str
    object_id: str
    metadata: Metadata


def inventory(backend: ObjectStoreBackend, namespace: str | None = None) -> Iterator[HeldObject]:
    """Find objects and their metadata, in no order; entries that coatcheck did not store are skipped.

    Raises:
        ListingUnsupported: The backend cannot list.
        ObjectStoreUnavailable: The backend is unavailable.
    """
    full = as_backend(backend)
    for key in full.scan(f"{namespace}:" if namespace else ""):
        owner, _, object_id = key.rpartition(":")
        if OBJECT_ID.fullmatch(object_id) is None or (namespace is not None and owner != namespace):
            continue
        head = full.head(key, HEAD_BYTES)
        if head is None:  # it has just expired
            continue
        try:
            metadata = codec.unpack_metadata(head)
        except ObjectUnreadable:
            continue
        yield HeldObject(owner, object_id, metadata)

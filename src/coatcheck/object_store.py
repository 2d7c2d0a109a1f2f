"""The object store: values in, ids out, each caller in its own namespace."""

from coatcheck.store.object_store import DEFAULT_TTL, ObjectStore
from coatcheck.store.payload_codec import Codec
from coatcheck.store.stored_object import ObjectSummary, StoredObject
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy

__all__ = ["DEFAULT_TTL", "Caller", "CallerKind", "Codec", "ObjectStore", "ObjectSummary", "StoredObject", "Tenancy"]

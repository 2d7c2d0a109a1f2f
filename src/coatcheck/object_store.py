"""The object store: values in, ids out, each caller within a namespace of its own."""

from coatcheck.store.object_store import DEFAULT_TTL, ObjectStore, ObjectSummary, StoredObject
from coatcheck.store.tenancy import Reach, Scope, Scopes

__all__ = ["DEFAULT_TTL", "ObjectStore", "ObjectSummary", "Reach", "Scope", "Scopes", "StoredObject"]

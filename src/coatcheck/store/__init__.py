"""The object store, tenancy, and events for metrics and tracing."""

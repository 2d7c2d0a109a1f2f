"""The implementation of `coatcheck.containers`: factories, validation, the graph, and the lifetime of a container."""

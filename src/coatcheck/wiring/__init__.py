"""What stands behind `coatcheck.containers`: factories, validation, the graph, and the lifetime of a container."""

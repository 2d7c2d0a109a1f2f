"""Functions as tools: decorators, the tool factory, signatures, the object tools, and the base of toolsets."""

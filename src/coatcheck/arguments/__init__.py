"""References in arguments: found, resolved, fitted to what a parameter takes, and advertised in schemas."""

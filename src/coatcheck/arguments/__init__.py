"""Finds and resolves references in arguments, matches them with parameter types, and advertises them in schemas."""

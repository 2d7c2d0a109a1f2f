"""Encodes and decodes large values in chunks on the event loop, so that other calls are answered meanwhile."""

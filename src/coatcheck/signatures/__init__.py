"""Functions with another face: parameters hidden, annotations replaced, everything else as it was.

What a caller (or the MCP SDK) reads of a function is its face: name, docstring, signature, annotations. The functions
here put a new face on a function without changing what runs behind it. This package knows ``inspect`` alone: nothing
of stores, containers or MCP.
"""

from coatcheck.signatures.faces import UNCHANGED, Face, face_of, is_async, wear
from coatcheck.signatures.hiding import bind, call_with, refaced

__all__ = ["UNCHANGED", "Face", "bind", "call_with", "face_of", "is_async", "refaced", "wear"]

"""Keeps dependency_injector from importing FastAPI in a process of the command line.

dependency_injector imports FastAPI wherever it is installed, to recognise its ``Depends``. That takes a third of the
time until ``coatcheck wrap`` is ready, and only code of the user could need it.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

INJECTION = "dependency_injector.wiring"


class LateFastAPI:
    """Hides FastAPI while dependency_injector is imported; when other code imports it, ``Depends`` is made known."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Find nothing; raise an error for the one import of FastAPI that is not needed."""
        injection = sys.modules.get(INJECTION)
        if fullname == "fastapi" and injection is not None:
            if not hasattr(injection, "Provide"):  # it is just being imported
                raise ModuleNotFoundError("FastAPI is imported when it is used.", name=fullname)
            sys.meta_path.remove(self)
            injection.MARKER_EXTRACTORS.append(_marker_of)
        return None


def _marker_of(parameter: Any) -> Any:
    params = sys.modules.get("fastapi.params")
    return parameter.dependency if params is not None and isinstance(parameter, params.Depends) else None

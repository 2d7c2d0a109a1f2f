"""Mistakes in the names of parts, which dependency-injector reports unclearly or not at all, are errors."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from dependency_injector import containers, providers

from coatcheck.errors import WiringError


class ContainerInstance(containers.DynamicContainer):
    """What ``Container(…)`` returns."""

    def override_providers(self, **given: Any) -> Any:
        """Override parts by name, as the constructor does.

        Raises:
            WiringError: There is no part of this name.
        """
        for name in given:
            if name not in self.providers:
                raise WiringError(_unknown(name, self.providers))
        return super().override_providers(**given)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute.

        Raises:
            WiringError: It is a part: what depends on it would keep the old one.
        """
        if name in self.__dict__.get("providers", ()) and not isinstance(value, providers.Self):
            raise WiringError(
                f"{name}: a part is not replaced by an assignment; use Container({name}=…) "
                f"or container.{name}.override(…)."
            )
        super().__setattr__(name, value)


class CheckedContainer(containers.DeclarativeContainer):
    """The base of ``Container``: its instances, and subclasses of it, replace parts only where that takes effect."""

    instance_type = ContainerInstance

    def __init_subclass__(cls, **options: Any) -> None:
        """Check a subclass.

        Raises:
            WiringError: It declares a part again: what depends on that part would keep the old one.
        """
        super().__init_subclass__(**options)
        for name in cls.cls_providers:
            if name in cls.inherited_providers:
                raise WiringError(
                    f"{cls.__name__} declares {name} again, and the other parts would keep the first one: use "
                    f"Container({name}=…), or container.{name}.override(…)."
                )


def _unknown(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}."
    return f"{name}: Container has no part of this name; {hint}"

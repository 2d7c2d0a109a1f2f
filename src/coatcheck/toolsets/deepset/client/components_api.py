"""Haystack's components: their schema, running one, and an organisation's own components."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from coatcheck.toolsets.deepset.client.api_connection import ApiConnection, Query
from coatcheck.toolsets.deepset.client.errors import NotFound, UnexpectedAnswer
from coatcheck.toolsets.deepset.client.models import CustomComponent
from coatcheck.toolsets.deepset.client.pagination import Page, all_items, page_of

DOMAIN = "deepset-cloud"


@dataclass(frozen=True, slots=True)
class ComponentsApi:
    """Components that pipelines consist of.

    Attributes:
        connection: Sends the requests.
    """

    connection: ApiConnection

    async def schema(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the JSON schema of every component, by the component's name.

        Raises:
            UnexpectedAnswer: The response has no ``component_schema.definitions.Components``.
        """
        answer = await self.connection.get("v1", "haystack", "components")
        found = answer
        for key in ("component_schema", "definitions", "Components"):
            found = found.get(key) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise UnexpectedAnswer("The platform's answer has no component_schema.definitions.Components")
        return {str(name): each for name, each in found.items() if isinstance(each, Mapping)}

    async def input_output(self, name: str) -> Mapping[str, Any]:
        """Return inputs and outputs of a component, by its class name.

        Raises:
            NotFound: The component does not exist.
        """
        query: Query = {"domain": DOMAIN, "names": name}
        answer = await self.connection.get("v1", "haystack", "components", "input-output", query=query)
        first = answer[0] if isinstance(answer, list) and answer else answer
        if not isinstance(first, Mapping) or not first:
            raise NotFound(f"The platform knows no inputs and outputs of {name}")
        return first

    async def run(
        self,
        component_type: str,
        init_params: Mapping[str, Any] | None = None,
        input_data: Mapping[str, Any] | None = None,
        *,
        input_types: Mapping[str, str] | None = None,
        workspace: str | None = None,
    ) -> Any:
        """Run one component and return its outputs.

        Args:
            component_type: Its type, such as ``haystack.components.builders.prompt_builder.PromptBuilder``.
            init_params: Its init parameters.
            input_data: Its inputs.
            input_types: Types of inputs that the platform cannot infer.
            workspace: Run it in this workspace, with its secrets and integrations.
        """
        body: dict[str, Any] = {
            "component_type": component_type,
            "init_params": dict(init_params or {}),
            "input": dict(input_data or {}),
        }
        if input_types is not None:
            body["input_types"] = dict(input_types)
        within = () if workspace is None else ("workspaces", workspace)
        return await self.connection.post("v1", *within, "haystack", "components", "run", body=body, kind="search")


@dataclass(frozen=True, slots=True)
class CustomComponentsApi:
    """Installations of an organisation's own components.

    Attributes:
        connection: Sends the requests.
    """

    connection: ApiConnection

    async def list(self, *, limit: int = 20, after: str | None = None) -> Page[CustomComponent]:
        """Return a page of installations, the newest first; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        query: Query = {"limit": limit, "field": "created_at", "order": "DESC", "before": after}
        answer = await self.connection.get("v2", "custom_components", query=query)
        return page_of(CustomComponent, answer, "custom_component_id")

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[CustomComponent]:
        """Return all installations, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def latest_logs(self) -> str:
        """Return the log of the latest installation."""
        answer = await self.connection.get("v2", "custom_components", "logs")
        return "" if answer is None else str(answer)

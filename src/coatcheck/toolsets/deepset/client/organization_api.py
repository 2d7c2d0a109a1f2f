"""The resources of the organisation: workspaces, users, secrets, integrations, components, models of a workspace."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from coatcheck.toolsets.deepset.client.api_connection import given
from coatcheck.toolsets.deepset.client.api_parts import Api, Page, WorkspaceApi, all_items, validated
from coatcheck.toolsets.deepset.client.errors import NotFound, UnexpectedAnswer
from coatcheck.toolsets.deepset.client.models import (
    CustomComponent,
    Integration,
    LanguageModel,
    Secret,
    User,
    Workspace,
)

MAX_MODEL_PAGES = 50
MODELS_PER_PAGE = 100

_VALUE_LIKE = re.compile(r"secret$|token$|value|key$|password", re.IGNORECASE)


class WorkspacesApi(Api):
    """Workspaces that the key can access."""

    async def list(self) -> Page[Workspace]:
        """Return all workspaces; the API does not page them."""
        return await self._page(Workspace, None, "v1", "workspaces")

    async def get(self, name: str) -> Workspace:
        """Return a workspace by its name."""
        return await self._get(Workspace, "v1", "workspaces", name)

    async def create(self, name: str) -> Any:
        """Create a workspace."""
        return await self.connection.post("v1", "workspaces", body={"name": name})

    async def delete(self, name: str) -> None:
        """Delete a workspace with everything in it."""
        await self.connection.delete("v1", "workspaces", name)


class UsersApi(Api):
    """Users with an account."""

    async def get(self, user_id: str) -> User:
        """Return a user by id."""
        return await self._get(User, "v1", "users", user_id)

    async def me(self) -> User:
        """Return the user of the key."""
        return await self.get("me")


class SecretsApi(Api):
    """Secrets of the organisation: names and ids, never values."""

    async def list(self, *, limit: int = 20, after: str | None = None) -> Page[Secret]:
        """Return a page of secrets; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        query = {"limit": limit, "field": "created_at", "order": "DESC", "before": after}
        page = await self._page(Secret, "secret_id", "v2", "secrets", **query)
        page.data = [_without_value(secret) for secret in page.data]
        return page

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[Secret]:
        """Return all secrets, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def get(self, secret_id: str) -> Secret:
        """Return a secret's name and id."""
        return _without_value(await self._get(Secret, "v2", "secrets", secret_id))

    async def create(self, name: str, secret: str) -> None:
        """Store a secret."""
        await self.connection.post("v2", "secrets", body={"name": name, "secret": secret})

    async def delete(self, secret_id: str) -> None:
        """Delete a secret."""
        await self.connection.delete("v2", "secrets", secret_id)


def _without_value(secret: Secret) -> Secret:
    return Secret(name=secret.name, secret_id=secret.secret_id)


class IntegrationsApi(Api):
    """Connections to providers of models; their credentials are removed if the platform sends any."""

    async def list(self) -> list[Integration]:
        """Return all integrations."""
        answer = await self.connection.get("v1", "model_registry_tokens")
        if isinstance(answer, dict):
            answer = answer.get("integrations", answer.get("data", []))
        if not isinstance(answer, list):
            raise UnexpectedAnswer("The platform's answer is not a list of integrations")
        return [_integration(each) for each in answer]

    async def get(self, provider: str) -> Integration:
        """Return the integration with a provider."""
        return _integration(await self.connection.get("v1", "model_registry_tokens", provider))


def _integration(answer: Any) -> Integration:
    if isinstance(answer, dict):
        answer = {key: value for key, value in answer.items() if not _VALUE_LIKE.search(key)}
    return validated(Integration, answer)


class ComponentsApi(Api):
    """Components that pipelines consist of."""

    async def schema(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the JSON schema of every component, by the component's name.

        Raises:
            UnexpectedAnswer: The response has no ``component_schema.definitions.Components``.
        """
        found = await self.connection.get("v1", "haystack", "components")
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
        query = {"domain": "deepset-cloud", "names": name}
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
        body = {"component_type": component_type, "init_params": init_params or {}, "input": input_data or {}}
        body |= given(input_types=input_types)
        within = () if workspace is None else ("workspaces", workspace)
        return await self.connection.post("v1", *within, "haystack", "components", "run", body=body, kind="search")


class CustomComponentsApi(Api):
    """Installations of an organisation's own components."""

    async def list(self, *, limit: int = 20, after: str | None = None) -> Page[CustomComponent]:
        """Return a page of installations, the newest first; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        query = {"limit": limit, "field": "created_at", "order": "DESC", "before": after}
        return await self._page(CustomComponent, "custom_component_id", "v2", "custom_components", **query)

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[CustomComponent]:
        """Return all installations, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def latest_logs(self) -> str:
        """Return the log of the latest installation."""
        answer = await self.connection.get("v2", "custom_components", "logs")
        return "" if answer is None else str(answer)


class ModelsApi(WorkspaceApi):
    """Models that pipelines of one workspace can use."""

    async def list(
        self,
        *,
        limit: int = 100,
        page_number: int = 1,
        connected: bool | None = None,
        provider: str | None = None,
        model: str | None = None,
    ) -> Page[LanguageModel]:
        """Return a page of models.

        The API does not filter by provider or name: with either, all pages are fetched and the page is selected here.

        Args:
            limit: Items of the page.
            page_number: The page, from 1.
            connected: Only models with, or only those without, a working integration.
            provider: Only this provider's, upper and lower case alike.
            model: Only those whose name has this text in it, upper and lower case alike.
        """
        path = ("v2", "workspaces", await self._id("workspace_id"), "models")

        async def fetch(limit: int, page_number: int) -> Page[LanguageModel]:
            query = {"limit": limit, "page_number": page_number, "connected": connected}
            return await self._page(LanguageModel, None, *path, **query)

        if provider is None and model is None:
            return await fetch(limit, page_number)
        found: list[LanguageModel] = []
        for number in range(1, MAX_MODEL_PAGES + 1):
            page = await fetch(MODELS_PER_PAGE, number)
            found += [each for each in page.data if _fits(each, provider, model)]
            if not page.has_more:
                break
        else:
            raise UnexpectedAnswer(f"The platform's list of models has more than {MAX_MODEL_PAGES} pages")
        begin = (page_number - 1) * limit
        shown = found[begin : begin + limit]
        return Page[LanguageModel](data=shown, has_more=begin + limit < len(found), total=len(found))


def _fits(each: LanguageModel, provider: str | None, model: str | None) -> bool:
    if provider is not None and (each.provider or "").lower() != provider.lower():
        return False
    return model is None or model.lower() in (each.model or "").lower()

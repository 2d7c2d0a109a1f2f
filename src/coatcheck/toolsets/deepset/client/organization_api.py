"""The resources of the organisation: workspaces, users, secrets, integrations, and the models of a workspace."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from coatcheck.toolsets.deepset.client.api_connection import ApiConnection, Query, validated
from coatcheck.toolsets.deepset.client.errors import UnexpectedAnswer
from coatcheck.toolsets.deepset.client.models import Integration, LanguageModel, Secret, User, Workspace
from coatcheck.toolsets.deepset.client.pagination import Page, all_items, page_of
from coatcheck.toolsets.deepset.client.searches_api import id_in

MAX_MODEL_PAGES = 50
MODELS_PER_PAGE = 100

_WORKSPACE: TypeAdapter[Workspace] = TypeAdapter(Workspace)
_USER: TypeAdapter[User] = TypeAdapter(User)
_SECRET: TypeAdapter[Secret] = TypeAdapter(Secret)
_INTEGRATION: TypeAdapter[Integration] = TypeAdapter(Integration)
_VALUE_LIKE = re.compile(r"secret$|token$|value|key$|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WorkspacesApi:
    """Workspaces that the key can access.

    Attributes:
        connection: Sends the requests.
    """

    connection: ApiConnection

    async def list(self) -> Page[Workspace]:
        """Return all workspaces; the API does not page them."""
        return page_of(Workspace, await self.connection.get("v1", "workspaces"), None)

    async def get(self, name: str) -> Workspace:
        """Return a workspace by its name."""
        workspace: Workspace = validated(_WORKSPACE, await self.connection.get("v1", "workspaces", name), "a workspace")
        return workspace

    async def create(self, name: str) -> Any:
        """Create a workspace."""
        return await self.connection.post("v1", "workspaces", body={"name": name})

    async def delete(self, name: str) -> None:
        """Delete a workspace with everything in it."""
        await self.connection.delete("v1", "workspaces", name)


@dataclass(frozen=True, slots=True)
class UsersApi:
    """Users with an account.

    Attributes:
        connection: Sends the requests.
    """

    connection: ApiConnection

    async def get(self, user_id: str) -> User:
        """Return a user by id."""
        user: User = validated(_USER, await self.connection.get("v1", "users", user_id), "a user")
        return user

    async def me(self) -> User:
        """Return the user of the key."""
        return await self.get("me")


@dataclass(frozen=True, slots=True)
class SecretsApi:
    """Secrets of the organisation: names and ids, never values.

    Attributes:
        connection: Sends the requests.
    """

    connection: ApiConnection

    async def list(self, *, limit: int = 20, after: str | None = None) -> Page[Secret]:
        """Return a page of secrets; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        query: Query = {"limit": limit, "field": "created_at", "order": "DESC", "before": after}
        answer = await self.connection.get("v2", "secrets", query=query)
        page = page_of(Secret, answer, "secret_id")
        page.data = [_without_value(secret) for secret in page.data]
        return page

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[Secret]:
        """Return all secrets, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def get(self, secret_id: str) -> Secret:
        """Return a secret's name and id."""
        answer = await self.connection.get("v2", "secrets", secret_id)
        return _without_value(validated(_SECRET, answer, "a secret"))

    async def create(self, name: str, secret: str) -> None:
        """Store a secret."""
        await self.connection.post("v2", "secrets", body={"name": name, "secret": secret})

    async def delete(self, secret_id: str) -> None:
        """Delete a secret."""
        await self.connection.delete("v2", "secrets", secret_id)


@dataclass(frozen=True, slots=True)
class IntegrationsApi:
    """Connections to providers of models; their credentials are removed if the platform sends any.

    Attributes:
        connection: Sends the requests.
    """

    connection: ApiConnection

    async def list(self) -> list[Integration]:
        """Return all integrations."""
        answer = await self.connection.get("v1", "model_registry_tokens")
        if isinstance(answer, dict):
            answer = answer.get("integrations", answer.get("data", []))
        if not isinstance(answer, list):
            raise UnexpectedAnswer("The platform's answer is no list of integrations")
        return [_integration(each) for each in answer]

    async def get(self, provider: str) -> Integration:
        """Return the integration with a provider."""
        return _integration(await self.connection.get("v1", "model_registry_tokens", provider))


@dataclass(frozen=True, slots=True)
class ModelsApi:
    """Models that pipelines of one workspace can use.

    Attributes:
        connection: Sends the requests.
        workspace: The workspace's name.
    """

    connection: ApiConnection
    workspace: str

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
        workspace_id = id_in(await self.connection.get("v1", "workspaces", self.workspace), "workspace_id")
        if provider is None and model is None:
            return await self._page(workspace_id, limit, page_number, connected)
        found: list[LanguageModel] = []
        complete = False
        for number in range(1, MAX_MODEL_PAGES + 1):
            page = await self._page(workspace_id, MODELS_PER_PAGE, number, connected)
            found += [each for each in page.data if _fits(each, provider, model)]
            if not page.has_more:
                complete = True
                break
        if not complete:
            raise UnexpectedAnswer(f"The platform's list of models has more than {MAX_MODEL_PAGES} pages")
        begin = (page_number - 1) * limit
        return Page[LanguageModel](
            data=found[begin : begin + limit], has_more=begin + limit < len(found), total=len(found)
        )

    async def _page(
        self, workspace_id: str, limit: int, page_number: int, connected: bool | None
    ) -> Page[LanguageModel]:
        query: Query = {"limit": limit, "page_number": page_number, "connected": connected}
        answer = await self.connection.get("v2", "workspaces", workspace_id, "models", query=query)
        return page_of(LanguageModel, answer, None)


def _fits(each: LanguageModel, provider: str | None, model: str | None) -> bool:
    if provider is not None and (each.provider or "").lower() != provider.lower():
        return False
    return model is None or model.lower() in (each.model or "").lower()


def _without_value(secret: Secret) -> Secret:
    return Secret(name=secret.name, secret_id=secret.secret_id)


def _integration(answer: Any) -> Integration:
    if isinstance(answer, dict):
        answer = {key: value for key, value in answer.items() if not _VALUE_LIKE.search(key)}
    found: Integration = validated(_INTEGRATION, answer, "an integration")
    return found

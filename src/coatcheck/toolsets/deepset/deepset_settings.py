"""Settings of the deepset toolset: flags of ``coatcheck serve --toolset deepset`` and variables ``DEEPSET_…``."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from coatcheck.errors import invalid_settings
from coatcheck.tool_factory import WorkspaceMode
from coatcheck.toolsets import with_variable
from coatcheck.toolsets.deepset.client.api_connection import DEFAULT_API_URL, NO_KEY, may_be_key
from coatcheck.toolsets.deepset.client.docs_share import ShareLink


def _http_url(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("a URL that begins with https:// or http:// is expected")
    return url


class DeepsetSettings(BaseSettings):
    """Settings of the toolset; arguments of the constructor override variables.

    Raises:
        SettingsError: A value is invalid, missing or contradictory; no value is quoted.
    """

    model_config = SettingsConfigDict(
        env_prefix="DEEPSET_", extra="forbid", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    api_key: SecretStr | None = Field(None, description="API key. Better in the variable. [env: DEEPSET_API_KEY]")
    api_key_from_auth_header: bool = Field(
        default=False,
        description="Take the API key from the Authorization header of each request instead (HTTP).",
    )
    api_url: Annotated[str, AfterValidator(_http_url)] = Field(
        DEFAULT_API_URL,
        description=f"Where the API is. [env: DEEPSET_API_URL; default: {DEFAULT_API_URL}]",
    )
    workspace: str | None = Field(
        None, description="Workspace that the tools work in; without it the model names one. [env: DEEPSET_WORKSPACE]"
    )
    workspace_mode: WorkspaceMode | None = Field(
        None, description="static: --workspace; dynamic: the model names it. Default: static if --workspace is given."
    )
    docs_share_url: SecretStr | None = Field(
        None, description="Share URL of the documentation, for search_docs. [env: DEEPSET_DOCS_SHARE_URL]"
    )
    client_timeout: float = Field(
        5.0, gt=0, le=3600, description="Seconds for a call other than a search. [env: DEEPSET_CLIENT_TIMEOUT]"
    )
    shared_object_ttl: float = Field(
        900.0,
        gt=0,
        description="Longest lifetime of objects in seconds where keys come with requests, since a key may be revoked.",
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise invalid_settings(
                "Settings of the toolset deepset", error, with_variable(type(self), values)
            ) from None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.api_key_from_auth_header and self.api_key is not None:
            raise ValueError(
                "choose one: an API key of the server's own (--api-key, DEEPSET_API_KEY) or that of each request "
                "(--api-key-from-auth-header)"
            )
        if not self.api_key_from_auth_header and self.api_key is None:
            raise ValueError(
                "an API key is needed: set DEEPSET_API_KEY (or --api-key, which the process list shows), or take it "
                "from each request with --api-key-from-auth-header"
            )
        if self.api_key is not None and not may_be_key(self.api_key.get_secret_value()):
            raise ValueError(NO_KEY)
        if self.docs_share_url is not None:
            ShareLink.parse(self.docs_share_url.get_secret_value())
        if self.workspace == "":
            raise ValueError("workspace is empty: name one, or leave out --workspace, and the model names it")
        if self.workspace_mode == WorkspaceMode.STATIC and self.workspace is None:
            raise ValueError("workspace mode static needs a workspace: --workspace or DEEPSET_WORKSPACE")
        if self.workspace_mode == WorkspaceMode.DYNAMIC and self.workspace is not None:
            raise ValueError(
                "workspace mode dynamic lets the model name the workspace: leave out --workspace and DEEPSET_WORKSPACE"
            )
        return self

    def mode(self) -> WorkspaceMode:
        """Return who names the workspace."""
        if self.workspace_mode is not None:
            return self.workspace_mode
        return WorkspaceMode.DYNAMIC if self.workspace is None else WorkspaceMode.STATIC

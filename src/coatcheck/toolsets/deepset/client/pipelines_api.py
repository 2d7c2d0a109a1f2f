"""Pipelines of a workspace: validating, versions, deploying, logs, debug runs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from pydantic import TypeAdapter

from coatcheck.toolsets.deepset.client.api_connection import ApiConnection, Query, validated
from coatcheck.toolsets.deepset.client.errors import (
    PlatformFailed,
    PlatformTimeout,
    PlatformUnreachable,
    RateLimited,
    RequestRejected,
)
from coatcheck.toolsets.deepset.client.models import (
    DebugRun,
    LogEntry,
    Pipeline,
    PipelineVersion,
    ValidationFault,
    ValidationResult,
)
from coatcheck.toolsets.deepset.client.pagination import Page, all_items, page_of

LogLevel = Literal["info", "warning", "error"]

DEPLOYED = "DEPLOYED"
DEPLOYMENT_FAILED = "FAILED"
MAX_FAILED_LOOKS = 5
"""Consecutive status requests of a deployment that may fail, each after its own retries."""

_INVALID = frozenset({400, 422})
_SYNTAX = 422

_PIPELINE: TypeAdapter[Pipeline] = TypeAdapter(Pipeline)
_VERSION: TypeAdapter[PipelineVersion] = TypeAdapter(PipelineVersion)
_DEBUG: TypeAdapter[DebugRun] = TypeAdapter(DebugRun)
_FAULTS: TypeAdapter[list[ValidationFault]] = TypeAdapter(list[ValidationFault])


async def validate_yaml(connection: ApiConnection, workspace: str, body: dict[str, Any]) -> ValidationResult:
    """Validate a configuration on the platform; an invalid one is a result, not an error.

    Raises:
        DeepsetError: The platform could not validate it.
    """
    try:
        await connection.post("v1", "workspaces", workspace, "pipeline_validations", body=body, repeatable=True)
    except RequestRejected as error:
        if error.status not in _INVALID:
            raise
        return ValidationResult(valid=False, errors=validation_faults(error))
    return ValidationResult(valid=True, errors=[])


def validation_faults(error: RequestRejected) -> list[ValidationFault]:
    """Return the faults of a configuration from the error of a rejected call."""
    if isinstance(error.details, list):
        given = [each if isinstance(each, dict) else {"message": str(each)} for each in error.details]
        found: list[ValidationFault] = validated(_FAULTS, given, "validation errors")
        return found
    message = error.message if not error.details else f"{error.message}: {error.details}"
    return [ValidationFault(message=message, category="syntax" if error.status == _SYNTAX else None)]


@dataclass(frozen=True, slots=True)
class PipelinesApi:
    """Pipelines of one workspace.

    Attributes:
        connection: Sends the requests.
        workspace: The workspace's name.
    """

    connection: ApiConnection
    workspace: str

    def _path(self, *parts: str) -> tuple[str, ...]:
        return ("v1", "workspaces", self.workspace, "pipelines", *parts)

    async def list(self, *, limit: int = 10, after: str | None = None) -> Page[Pipeline]:
        """Return a page of pipelines; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        answer = await self.connection.get(*self._path(), query={"limit": limit, "before": after})
        return page_of(Pipeline, answer, "pipeline_id")

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[Pipeline]:
        """Return all pipelines, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def get(self, name: str) -> Pipeline:
        """Return a pipeline; its configuration is in its versions."""
        answer = await self.connection.get(*self._path(name))
        found: Pipeline = validated(_PIPELINE, answer, "a pipeline")
        return found

    async def create(self, name: str, query_yaml: str) -> Any:
        """Create a pipeline with a first version."""
        return await self.connection.post(*self._path(), body={"name": name, "query_yaml": query_yaml})

    async def delete(self, name: str) -> None:
        """Delete a pipeline and its versions."""
        await self.connection.delete(*self._path(name))

    async def validate(self, query_yaml: str, *, pipeline_id: str | None = None) -> ValidationResult:
        """Validate a configuration of a query pipeline on the platform."""
        body: dict[str, Any] = {"query_yaml": query_yaml}
        if pipeline_id is not None:
            body["pipeline_id"] = pipeline_id
        return await validate_yaml(self.connection, self.workspace, body)

    async def list_versions(self, name: str, *, limit: int = 10, after: str | None = None) -> Page[PipelineVersion]:
        """Return a page of a pipeline's versions, the newest first."""
        query: Query = {"limit": limit, "order": "DESC", "field": "version_number", "after": after}
        answer = await self.connection.get(*self._path(name, "versions"), query=query)
        return page_of(PipelineVersion, answer, "version_id")

    def iterate_versions(self, name: str, *, page_size: int = 50) -> AsyncIterator[PipelineVersion]:
        """Return all versions of a pipeline, the newest first."""
        return all_items(lambda cursor: self.list_versions(name, limit=page_size, after=cursor))

    async def get_version(self, name: str, version_id: str) -> PipelineVersion:
        """Return a version with its configuration."""
        answer = await self.connection.get(*self._path(name, "versions", version_id))
        return _version(answer)

    async def create_version(
        self, name: str, config_yaml: str, *, is_draft: bool = True, description: str | None = None
    ) -> PipelineVersion:
        """Add a version; a draft is not deployed on its own."""
        body: dict[str, Any] = {"config_yaml": config_yaml, "is_draft": is_draft}
        if description is not None:
            body["description"] = description
        return _version(await self.connection.post(*self._path(name, "versions"), body=body))

    async def update_version(
        self,
        name: str,
        version_id: str,
        *,
        config_yaml: str | None = None,
        is_draft: bool | None = None,
        description: str | None = None,
    ) -> PipelineVersion:
        """Change a version; omitted parts stay."""
        given = {"config_yaml": config_yaml, "is_draft": is_draft, "description": description}
        body = {key: value for key, value in given.items() if value is not None}
        return _version(await self.connection.patch(*self._path(name, "versions", version_id), body=body))

    async def restore_version(self, name: str, version_id: str) -> PipelineVersion:
        """Make an earlier version the current one again, as a new version."""
        return _version(await self.connection.post(*self._path(name, "versions", version_id, "restore")))

    async def deploy(self, name: str, *, version_id: str | None = None) -> Any:
        """Start the deployment of a version of a pipeline, by default the newest.

        Raises:
            RequestRejected: The configuration is invalid; `validation_faults` returns the faults.
        """
        body = None if version_id is None else {"pipeline_version_id": version_id}
        return await self.connection.post(*self._path(name, "deploy"), body=body, repeatable=True)

    async def wait_until_deployed(
        self,
        name: str,
        *,
        timeout_seconds: float = 600,
        poll_interval: float = 5,
        on_status: Callable[[str, float], Awaitable[None]] | None = None,
    ) -> Pipeline:
        """Poll a pipeline until it is deployed.

        Args:
            name: The pipeline.
            timeout_seconds: Maximum seconds to wait.
            poll_interval: Seconds between two status requests.
            on_status: Called after each request with the status and the seconds since the first.

        Raises:
            PlatformFailed: The deployment failed.
            PlatformTimeout: It took longer; the deployment continues.
            DeepsetError: Several consecutive status requests failed.
        """
        began = anyio.current_time()
        failures = 0
        while True:
            try:
                pipeline = await self.get(name)
                failures = 0
            except (PlatformFailed, PlatformTimeout, PlatformUnreachable, RateLimited):
                failures += 1  # a deployment takes minutes: one failed status request is no reason to stop
                if failures >= MAX_FAILED_LOOKS:
                    raise
                await anyio.sleep(poll_interval)
                continue
            waited = anyio.current_time() - began
            status = pipeline.status or "UNKNOWN"
            if on_status is not None:
                await on_status(status, waited)
            if status == DEPLOYED:
                return pipeline
            if status == DEPLOYMENT_FAILED:
                raise PlatformFailed(f"The deployment of {name} failed")
            if waited + poll_interval > timeout_seconds:
                raise PlatformTimeout(f"{name} is not deployed after {waited:.0f} s (status {status}); it goes on")
            await anyio.sleep(poll_interval)

    async def logs(
        self, name: str, *, limit: int = 30, level: LogLevel | None = None, after: str | None = None
    ) -> Page[LogEntry]:
        """Return a page of a pipeline's log, the newest first."""
        query: Query = {"limit": limit, "filter": None if level is None else f"level eq '{level}'", "after": after}
        answer = await self.connection.get(*self._path(name, "logs"), query=query)
        return page_of(LogEntry, answer, "logged_at")

    def iterate_logs(
        self, name: str, *, level: LogLevel | None = None, page_size: int = 100
    ) -> AsyncIterator[LogEntry]:
        """Return a pipeline's whole log, the newest first."""
        return all_items(lambda cursor: self.logs(name, limit=page_size, level=level, after=cursor))

    async def debug(self, pipeline_config: str, inputs: dict[str, Any], **options: Any) -> DebugRun:
        """Run a configuration once, without saving or deploying it.

        Args:
            pipeline_config: The configuration, YAML.
            inputs: Inputs by component.
            options: ``dry_run``, ``break_at``, ``resume_from``, ``files``, ``pipeline_id``, ``pipeline_version_id``;
                those that are ``None`` are omitted.
        """
        given = {key: value for key, value in options.items() if value is not None}
        body = {"pipeline_config": pipeline_config, "inputs": inputs, "dry_run": False, **given}
        path = ("v1", "workspaces", self.workspace, "haystack", "pipelines", "debug")
        answer = await self.connection.post(*path, body=body, kind="search")
        run: DebugRun = validated(_DEBUG, answer, "a debug run")
        return run


def _version(answer: Any) -> PipelineVersion:
    version: PipelineVersion = validated(_VERSION, answer, "a pipeline version")
    return version

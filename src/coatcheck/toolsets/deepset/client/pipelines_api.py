"""Pipelines of a workspace: validating, versions, deploying, logs, debug runs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import anyio

from coatcheck.toolsets.deepset.client.api_connection import given
from coatcheck.toolsets.deepset.client.api_parts import Page, WorkspaceApi, all_items, validated
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

LogLevel = Literal["info", "warning", "error"]

MAX_FAILED_LOOKS = 5
"""Consecutive status requests of a deployment that may fail, each after its own retries."""

_INVALID = frozenset({400, 422})
_SYNTAX = 422


async def validate_yaml(api: WorkspaceApi, **body: Any) -> ValidationResult:
    """Validate a configuration on the platform; an invalid one is a result, not an error.

    Raises:
        DeepsetError: The platform could not validate it.
    """
    path = ("v1", "workspaces", api.workspace, "pipeline_validations")
    try:
        await api.connection.post(*path, body=given(**body), repeatable=True)
    except RequestRejected as error:
        if error.status not in _INVALID:
            raise
        return ValidationResult(valid=False, errors=validation_faults(error))
    return ValidationResult(valid=True, errors=[])


def validation_faults(error: RequestRejected) -> list[ValidationFault]:
    """Return the faults of a configuration from the error of a rejected call."""
    if isinstance(error.details, list):
        errors = [each if isinstance(each, dict) else {"message": str(each)} for each in error.details]
        return validated(ValidationResult, {"valid": False, "errors": errors}).errors
    message = error.message if not error.details else f"{error.message}: {error.details}"
    return [ValidationFault(message=message, category="syntax" if error.status == _SYNTAX else None)]


class PipelinesApi(WorkspaceApi):
    """Pipelines of one workspace."""

    async def list(self, *, limit: int = 10, after: str | None = None) -> Page[Pipeline]:
        """Return a page of pipelines; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        return await self._page(Pipeline, "pipeline_id", *self._path("pipelines"), limit=limit, before=after)

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[Pipeline]:
        """Return all pipelines, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def get(self, name: str) -> Pipeline:
        """Return a pipeline; its configuration is in its versions."""
        return await self._get(Pipeline, *self._path("pipelines", name))

    async def create(self, name: str, query_yaml: str) -> Any:
        """Create a pipeline with a first version."""
        return await self.connection.post(*self._path("pipelines"), body={"name": name, "query_yaml": query_yaml})

    async def delete(self, name: str) -> None:
        """Delete a pipeline and its versions."""
        await self.connection.delete(*self._path("pipelines", name))

    async def validate(self, query_yaml: str, *, pipeline_id: str | None = None) -> ValidationResult:
        """Validate a configuration of a query pipeline on the platform."""
        return await validate_yaml(self, query_yaml=query_yaml, pipeline_id=pipeline_id)

    async def list_versions(self, name: str, *, limit: int = 10, after: str | None = None) -> Page[PipelineVersion]:
        """Return a page of a pipeline's versions, the newest first."""
        query = {"limit": limit, "order": "DESC", "field": "version_number", "after": after}
        return await self._page(PipelineVersion, "version_id", *self._path("pipelines", name, "versions"), **query)

    def iterate_versions(self, name: str, *, page_size: int = 50) -> AsyncIterator[PipelineVersion]:
        """Return all versions of a pipeline, the newest first."""
        return all_items(lambda cursor: self.list_versions(name, limit=page_size, after=cursor))

    async def get_version(self, name: str, version_id: str) -> PipelineVersion:
        """Return a version with its configuration."""
        return await self._get(PipelineVersion, *self._path("pipelines", name, "versions", version_id))

    async def create_version(
        self, name: str, config_yaml: str, *, is_draft: bool = True, description: str | None = None
    ) -> PipelineVersion:
        """Add a version; a draft is not deployed on its own."""
        body = given(config_yaml=config_yaml, is_draft=is_draft, description=description)
        answer = await self.connection.post(*self._path("pipelines", name, "versions"), body=body)
        return validated(PipelineVersion, answer)

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
        body = given(config_yaml=config_yaml, is_draft=is_draft, description=description)
        answer = await self.connection.patch(*self._path("pipelines", name, "versions", version_id), body=body)
        return validated(PipelineVersion, answer)

    async def restore_version(self, name: str, version_id: str) -> PipelineVersion:
        """Make an earlier version the current one again, as a new version."""
        path = self._path("pipelines", name, "versions", version_id, "restore")
        return validated(PipelineVersion, await self.connection.post(*path))

    async def deploy(self, name: str, *, version_id: str | None = None) -> Any:
        """Start the deployment of a version of a pipeline, by default the newest.

        Raises:
            RequestRejected: The configuration is invalid; `validation_faults` returns the faults.
        """
        body = given(pipeline_version_id=version_id) or None
        return await self.connection.post(*self._path("pipelines", name, "deploy"), body=body, repeatable=True)

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
            if status == "DEPLOYED":
                return pipeline
            if status == "FAILED":
                raise PlatformFailed(f"The deployment of {name} failed")
            if waited + poll_interval > timeout_seconds:
                raise PlatformTimeout(f"{name} is not deployed after {waited:.0f} s (status {status}); it goes on")
            await anyio.sleep(poll_interval)

    async def logs(
        self, name: str, *, limit: int = 30, level: LogLevel | None = None, after: str | None = None
    ) -> Page[LogEntry]:
        """Return a page of a pipeline's log, the newest first."""
        query = {"limit": limit, "filter": None if level is None else f"level eq '{level}'", "after": after}
        return await self._page(LogEntry, "logged_at", *self._path("pipelines", name, "logs"), **query)

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
        body = {"pipeline_config": pipeline_config, "inputs": inputs, "dry_run": False, **given(**options)}
        path = self._path("haystack", "pipelines", "debug")
        return validated(DebugRun, await self.connection.post(*path, body=body, kind="search"))

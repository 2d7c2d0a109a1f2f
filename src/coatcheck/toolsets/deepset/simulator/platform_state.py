"""The state of the simulated platform: an organisation with its workspaces, pipelines, indexes, secrets and users."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from coatcheck.toolsets.deepset.simulator.api_replies import ApiFault, not_found

Record = dict[str, Any]

_NAMESPACE = uuid.UUID("6f1c7d0e-5d0a-4d0b-9f43-5a1d2f7a6b10")
BEGINNING = datetime(2026, 9, 1, 8, 0, 0, 123456, tzinfo=UTC)


@lru_cache(maxsize=20_000)  # tests that create several platforms use the same ids
def stable_id(*parts: object) -> str:
    """Create a UUID that is the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, parts))))


def at(minutes: float) -> str:
    """Return the time this many minutes after the start of the sample data, in the API's format."""
    return (BEGINNING + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def now() -> str:
    """Return this moment as the API writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class SimulatedPipeline:
    """A pipeline."""

    record: Record  # what the API gives of it
    versions: list[Record] = field(default_factory=list)  # its versions, the newest first
    logs: list[Record] = field(default_factory=list)  # its log, the newest first
    # Its runs, the newest first, each with its whole trace under `haystack_trace`.
    traces: list[Record] = field(default_factory=list)
    # When its deployment is over, by the monotonic clock, and what comes of it; `None` without one.
    deploying: tuple[float, str, str | None] | None = None

    def version(self, version_id: str) -> Record:
        """Return a version; raises ``ApiFault`` if there is none."""
        for version in self.versions:
            if version["version_id"] == version_id:
                return version
        raise not_found("Pipeline version", version_id)

    def log(self, level: str, message: str, **more: Any) -> None:
        """Write to its log."""
        self.logs.insert(
            0,
            {
                "log_id": str(uuid.uuid4()),
                "message": message,
                "logged_at": now(),
                "level": level,
                "origin": "querypipeline",
                "exceptions": [],
                "extra_fields": {},
                **more,
            },
        )


@dataclass
class SimulatedWorkspace:
    """A workspace."""

    record: Record  # what the API gives of it
    pipelines: dict[str, SimulatedPipeline] = field(default_factory=dict)  # by name
    indexes: dict[str, Record] = field(default_factory=dict)  # by name
    templates: dict[str, Record] = field(default_factory=dict)  # by `pipeline_name`
    history: list[Record] = field(default_factory=list)  # searches, the newest first
    documents: list[Record] = field(default_factory=list)  # what searches find

    def pipeline(self, name: str) -> SimulatedPipeline:
        """Return a pipeline; raises ``ApiFault`` if there is none."""
        if name not in self.pipelines:
            raise not_found("Pipeline", name)
        return self.pipelines[name]

    def index(self, name: str) -> Record:
        """Return an index; raises ``ApiFault`` if there is none."""
        if name not in self.indexes:
            raise not_found("Index", name)
        return self.indexes[name]


@dataclass
class PlatformState:
    """The organisation."""

    deploy_seconds: float = 3.0  # how long a deployment takes
    clock: Callable[[], float] = time.monotonic  # the monotonic clock, in seconds
    workspaces: dict[str, SimulatedWorkspace] = field(default_factory=dict)  # by name
    secrets: list[Record] = field(default_factory=list)  # the newest first, with their values under `secret`
    users: dict[str, Record] = field(default_factory=dict)  # by id
    integrations: list[Record] = field(default_factory=list)  # connections to providers of models
    custom_components: list[Record] = field(default_factory=list)  # installations, the newest first
    models: list[Record] = field(default_factory=list)  # models that pipelines can use
    share_token: str = ""  # the key that the docs share is read with
    share_user_tokens: set[str] = field(default_factory=set)  # keys that were given out for it
    _numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    def workspace(self, name: str) -> SimulatedWorkspace:
        """Return a workspace by its name; raises ``ApiFault`` if there is none."""
        if name not in self.workspaces:
            raise not_found("Workspace", name)
        return self.workspaces[name]

    def workspace_by_id(self, workspace_id: str) -> SimulatedWorkspace:
        """Return a workspace by its id, as v2 of the API expects; raises ``ApiFault`` if there is none."""
        for workspace in self.workspaces.values():
            if workspace.record["workspace_id"] == workspace_id:
                return workspace
        raise not_found("Workspace", workspace_id)

    def add_workspace(self, name: str) -> SimulatedWorkspace:
        """Create a workspace; raises ``ApiFault`` if there is one of that name."""
        if name in self.workspaces:
            raise ApiFault(409, f"Workspace '{name}' exists already.")
        record = {
            "name": name,
            "workspace_id": stable_id("workspace", name),
            "languages": {"en": True},
            "default_idle_timeout_in_seconds": 43_200,
        }
        self.workspaces[name] = SimulatedWorkspace(record)
        return self.workspaces[name]

    def user_named(self, name: str) -> Record:
        """Return the user of that given name; create it if necessary."""
        user_id = stable_id("user", name)
        if user_id not in self.users:
            self.users[user_id] = {
                "user_id": user_id,
                "given_name": name.capitalize(),
                "family_name": "Example",
                "email": f"{name}@example.com",
            }
        return self.users[user_id]

    def new_pipeline(self, workspace: SimulatedWorkspace, name: str, user: Record, **more: Any) -> SimulatedPipeline:
        """Create a pipeline without a version; raises ``ApiFault`` if there is one of that name."""
        if name in workspace.pipelines:
            raise ApiFault(409, f"Pipeline '{name}' exists already.")
        record = {
            "pipeline_id": stable_id("pipeline", workspace.record["name"], name),
            "name": name,
            "status": "UNDEPLOYED",
            "service_level": "DRAFT",
            "created_at": now(),
            "last_edited_at": now(),
            "created_by": user,
            "last_edited_by": user,
            "deployed_version_id": None,
            "running_version_id": None,
            "draft_version_id": None,
            **more,
        }
        # The newest first, as the API lists them.
        pipeline = SimulatedPipeline(record)
        workspace.pipelines = {name: pipeline, **workspace.pipelines}
        return pipeline

    def new_version(
        self, pipeline: SimulatedPipeline, config_yaml: str, user: Record, *, is_draft: bool, **more: Any
    ) -> Record:
        """Add a version to a pipeline."""
        version_number = len(pipeline.versions) + 1
        version = {
            "version_id": stable_id("version", pipeline.record["pipeline_id"], version_number),
            "version_number": version_number,
            "config_yaml": config_yaml,
            "description": None,
            "is_draft": is_draft,
            "created_at": now(),
            "created_by": user,
            "updated_at": now(),
            "updated_by": user,
            **more,
        }
        pipeline.versions.insert(0, version)
        if is_draft:
            pipeline.record["draft_version_id"] = version["version_id"]
        pipeline.record["last_edited_at"] = version["updated_at"]
        pipeline.record["last_edited_by"] = user
        return version

    def settle(self, pipeline: SimulatedPipeline) -> None:
        """Let a deployment end whose time is over."""
        if pipeline.deploying is None or self.clock() < pipeline.deploying[0]:
            return
        _, version_id, failure = pipeline.deploying
        pipeline.deploying = None
        record = pipeline.record
        if failure is not None:
            record["status"] = "FAILED"
            pipeline.log("error", failure)
            return
        record |= {"status": "DEPLOYED", "service_level": "DEVELOPMENT", "running_version_id": version_id}
        pipeline.log("info", "Pipeline deployed.")

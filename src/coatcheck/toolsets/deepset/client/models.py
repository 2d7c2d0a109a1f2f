"""The responses of the platform's API, as pydantic models.

Fields that the platform may omit are optional, and unknown fields are kept, so that new fields of the platform cause no
errors. ``sent(model)`` returns exactly the received data.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PlatformModel(BaseModel):
    """Base of all models."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


def sent(model: BaseModel) -> dict[str, Any]:
    """Return a model as JSON data with the fields that the platform sent, and no others."""
    return model.model_dump(mode="json", exclude_unset=True)


class User(PlatformModel):
    """A user with an account."""

    user_id: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None


class Workspace(PlatformModel):
    """A workspace: pipelines, indexes and files that belong together."""

    name: str
    workspace_id: str | None = None
    languages: dict[str, Any] | list[Any] | None = None
    default_idle_timeout_in_seconds: int | None = None


class Pipeline(PlatformModel):
    """A query pipeline; its configuration is in its versions."""

    name: str
    pipeline_id: str | None = None
    status: str | None = None
    service_level: str | None = None
    created_at: datetime | None = None
    last_edited_at: datetime | None = None
    created_by: User | None = None
    last_edited_by: User | None = None
    deployed_version_id: str | None = None
    running_version_id: str | None = None
    draft_version_id: str | None = None


class PipelineVersion(PlatformModel):
    """One configuration of a pipeline."""

    version_id: str
    version_number: int | None = None
    config_yaml: str | None = None
    description: str | None = None
    is_draft: bool | None = None
    created_at: datetime | None = None
    created_by: User | None = None
    updated_at: datetime | None = None
    updated_by: User | None = None


class ValidationFault(PlatformModel):
    """A fault of a configuration."""

    message: str = ""
    code: str | None = None
    category: str | None = None
    json_pointer: str | None = None


class ValidationResult(PlatformModel):
    """Whether a configuration is valid."""

    valid: bool
    errors: list[ValidationFault] = Field(default_factory=list)


class TraceFrame(PlatformModel):
    """A line of a traceback."""

    filename: str | None = None
    line_number: int | None = None
    name: str | None = None


class LoggedException(PlatformModel):
    """An exception in a log entry."""

    type: str | None = None
    value: str | None = None
    trace: list[TraceFrame] = Field(default_factory=list)


class LogEntry(PlatformModel):
    """A line of a pipeline's log."""

    message: str = ""
    log_id: str | None = None
    logged_at: datetime | None = None
    level: str | None = None
    origin: str | None = None
    exceptions: list[LoggedException] | None = None
    extra_fields: dict[str, Any] | None = None


class DebugRun(PlatformModel):
    """The result of a debug run of a configuration."""

    status: str | None = None
    result: Any = None
    snapshot: Any = None
    stopped_at: Any = None
    trace: Any = None


class FoundDocument(PlatformModel):
    """A document that a search found."""

    id: str | None = None
    content: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)
    score: float | None = None
    file: Any = None


class SearchResult(PlatformModel):
    """The result of a search."""

    query_id: str | None = None
    query: str | None = None
    answers: list[Any] = Field(default_factory=list)
    documents: list[FoundDocument] = Field(default_factory=list)
    prompts: Any = None


class SearchEvent(PlatformModel):
    """A part of a streamed search: a ``delta`` of the answer, or the ``result`` at its end."""

    type: str
    query_id: str | None = None
    delta: Any = None
    result: SearchResult | None = None
    error: Any = None


class IndexStatus(PlatformModel):
    """The progress of indexing files."""

    pending_file_count: int | None = None
    failed_file_count: int | None = None
    indexed_no_documents_file_count: int | None = None
    indexed_file_count: int | None = None
    total_file_count: int | None = None


class Index(PlatformModel):
    """An indexing pipeline."""

    name: str
    pipeline_index_id: str | None = None
    description: str | None = None
    config_yaml: str | None = None
    workspace_id: str | None = None
    settings: dict[str, Any] | None = None
    desired_status: str | None = None
    status: IndexStatus | None = None


class TemplateTag(PlatformModel):
    """A tag of a template."""

    name: str
    tag_id: str | None = None


class Template(PlatformModel):
    """A template of a pipeline; ``pipeline_name`` identifies it, ``name`` is its display name."""

    pipeline_name: str
    name: str | None = None
    author: str | None = None
    description: str | None = None
    best_for: list[str] = Field(default_factory=list)
    potential_applications: list[str] = Field(default_factory=list)
    query_yaml: str | None = None
    indexing_yaml: str | None = None
    tags: list[TemplateTag] = Field(default_factory=list)
    pipeline_type: str | None = None


class SearchHistoryEntry(PlatformModel):
    """A search in the history; ``time`` is its cursor."""

    time: datetime | None = None
    query: str | None = None
    query_id: str | None = None


class PipelineTrace(PlatformModel):
    """A run of a pipeline with a trace."""

    query_id: str | None = None
    query: str | None = None
    status: str | None = None
    duration_s: float | None = None
    created_at: datetime | None = None


class LanguageModel(PlatformModel):
    """A model that pipelines can use."""

    provider: str | None = None
    model: str | None = None
    connected: bool | None = None


class CustomComponent(PlatformModel):
    """An installed version of an organisation's own components."""

    custom_component_id: str
    status: str | None = None
    version: str | None = None


class Secret(PlatformModel):
    """A secret's name and id; the value never leaves the platform."""

    name: str
    secret_id: str


class Integration(PlatformModel):
    """A connection to a provider of models."""

    provider: str | None = None
    model_registry_token_id: str | None = None

"""Sample data of the simulated platform: more than a model should read, and the same in every run."""

import random
from typing import Any

from coatcheck.toolsets.deepset.simulator.platform_state import (
    PlatformState,
    Record,
    SimulatedPipeline,
    SimulatedWorkspace,
    at,
    stable_id,
)
from coatcheck.toolsets.deepset.simulator.sample_yaml import indexing_yaml, rag_yaml

SEED = 20_260_901
DEFAULT_WORKSPACE = "default"
DOCS_WORKSPACE = "docs"
DOCS_PIPELINE = "documentation-search"
PIPELINES = 64
VERSIONS = 18
LOG_ENTRIES = 240
SEARCHES = 180
TEMPLATES = 48
INDEXES = 24
SECRETS = 36
MODELS = 230
INSTALLATIONS = 30

_TOPICS = (
    "billing", "travel expenses", "onboarding", "network operations", "contracts", "product manuals",
    "medical devices", "insurance claims", "energy markets", "public procurement",
)  # fmt: skip
_KINDS = ("rag", "chat", "faq", "extractive", "summaries", "agent")
_QUESTIONS = (
    "How do I cancel an order?", "What is the notice period?", "Which ports does the gateway use?",
    "Who approves travel abroad?", "When are invoices due?", "How is the sensor calibrated?",
    "Which documents does a claim need?", "How are peak prices computed?",
)  # fmt: skip
_MESSAGES = (
    ("info", "Query received."),
    ("info", "Retrieved 12 documents in 84 ms."),
    ("info", "The model answered in 1,412 ms with 388 tokens."),
    ("warning", "The retriever found no documents above the threshold."),
    ("warning", "The model was slow: 9,120 ms."),
    ("error", "The model's provider refused the request: rate limit reached."),
    ("error", "The document store did not answer in time."),
)
_EXCEPTION = {
    "type": "openai.RateLimitError",
    "value": "Error code: 429 - Rate limit reached for requests per minute",
    "trace": [
        {"filename": "haystack/core/pipeline/pipeline.py", "line_number": 412, "name": "run"},
        {"filename": "haystack/core/pipeline/base.py", "line_number": 131, "name": "_run_component"},
        {"filename": "haystack/components/generators/openai.py", "line_number": 240, "name": "run"},
        {"filename": "openai/_base_client.py", "line_number": 1047, "name": "request"},
    ],
}


def fill(state: PlatformState) -> None:
    """Put the sample data into an empty organisation."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    people = [state.user_named(name) for name in ("ada", "grace", "alan", "edsger")]
    workspace = state.add_workspace(DEFAULT_WORKSPACE)
    workspace.documents = [_document(number) for number in range(200)]
    for number in range(PIPELINES):
        _add_pipeline(state, workspace, number, people[number % len(people)], chance)
    workspace.history = sorted(
        (
            search_entry(trace, pipeline.record["name"], "See the documents.")
            for pipeline in workspace.pipelines.values()
            for trace in pipeline.traces
        ),
        key=lambda entry: str(entry["time"]),
        reverse=True,
    )
    workspace.templates = {template["pipeline_name"]: template for template in map(_template, range(TEMPLATES))}
    for number in range(INDEXES):
        index = _index(workspace, number)
        workspace.indexes[index["name"]] = index
    _fill_organization(state, people)
    docs = state.add_workspace(DOCS_WORKSPACE)
    docs.documents = [_docs_part(number) for number in range(60)]
    pipeline = state.new_pipeline(docs, DOCS_PIPELINE, people[0], status="DEPLOYED", service_level="PRODUCTION")
    state.new_version(pipeline, rag_yaml("Documentation", "documentation", 0), people[0], is_draft=False)


def _add_pipeline(
    state: PlatformState, workspace: SimulatedWorkspace, number: int, user: Record, chance: random.Random
) -> None:
    topic = _TOPICS[number % len(_TOPICS)]
    name = f"{_KINDS[number % len(_KINDS)]}-{topic.replace(' ', '-')}-{number:02}"
    created = at(number * 60)
    status = ("DEPLOYED", "DEPLOYED", "UNDEPLOYED", "FAILED")[number % 4]
    level = {"DEPLOYED": "PRODUCTION", "FAILED": "DEVELOPMENT"}.get(status, "DRAFT")
    pipeline = state.new_pipeline(
        workspace, name, user, status=status, service_level=level, created_at=created, last_edited_at=created
    )
    for version in range(VERSIONS if number % 8 == 0 else 1 + number % 4):
        state.new_version(
            pipeline,
            rag_yaml(f"{name}, version {version + 1}", topic, number + version),
            user,
            is_draft=False,
            description=f"Tuned for {topic}, step {version + 1}",
            created_at=at(number * 60 + version),
            updated_at=at(number * 60 + version),
        )
    newest = pipeline.versions[0]["version_id"]
    pipeline.record["last_edited_at"] = created
    if status == "DEPLOYED":
        pipeline.record |= {"deployed_version_id": newest, "running_version_id": newest}
        entries = LOG_ENTRIES if number % 8 == 0 else 6
        pipeline.logs = [_log_entry(name, place, chance) for place in range(entries)][::-1]
        searches = SEARCHES if number % 16 == 0 else 4
        pipeline.traces = [_run(pipeline, place, number, chance) for place in range(searches)][::-1]


def _log_entry(pipeline: str, place: int, chance: random.Random) -> Record:
    level, message = chance.choice(_MESSAGES)
    return {
        "log_id": stable_id("log", pipeline, place),
        "message": message,
        "logged_at": at(5_000 + place * 1.7),
        "level": level,
        "origin": "querypipeline",
        "exceptions": [_EXCEPTION] if "rate limit" in message else [],
        "extra_fields": {"request_id": stable_id("request", pipeline, place), "replica": f"replica-{place % 3}"},
    }


def _run(pipeline: SimulatedPipeline, place: int, number: int, chance: random.Random) -> Record:
    query = chance.choice(_QUESTIONS)
    duration = round(chance.uniform(0.4, 9.0), 3)
    began = at(6_000 + place * 3.1 + number * 0.01)
    failed = place % 11 == 7  # noqa: PLR2004
    query_id = stable_id("query", pipeline.record["name"], place)
    return trace_of(pipeline, query_id, query, began, duration, failed=failed)


def trace_of(
    pipeline: SimulatedPipeline, query_id: str, query: str, began: str, duration: float, *, failed: bool = False
) -> Record:
    """Make what the platform keeps of one run of a pipeline."""
    status = "failed" if failed else "success"
    spans = []
    for place, component in enumerate(("retriever", "ranker", "prompt_builder", "llm", "answer_builder")):
        spans.append(
            {
                "span_id": stable_id("span", query_id, component),
                "parent_span_id": stable_id("span", query_id, "pipeline"),
                "operation_name": "haystack.component.run",
                "component": component,
                "start_time": began,
                "duration_ms": round(duration * 1000 * (0.1, 0.15, 0.02, 0.7, 0.03)[place], 1),
                "tags": {"haystack.component.name": component, "haystack.component.visits": 1},
            }
        )
    version = pipeline.versions[0] if pipeline.versions else {}
    return {
        "query_id": query_id,
        "query": query,
        "status": status,
        "duration_s": duration,
        "created_at": began,
        "pipeline_version_id": version.get("version_id"),
        "pipeline_version_number": version.get("version_number"),
        "haystack_trace": {
            "schema_version": "haystack-trace/v1",
            "run_id": query_id,
            "started_at": began,
            "duration_ms": duration * 1000,
            "status": status,
            "traces": spans,
            "logs": [
                {"logger": "haystack.core.pipeline", "level": "INFO", "message": f"Running {span['component']}"}
                for span in spans
            ],
            "failure": {"type": "openai.RateLimitError", "message": "Rate limit reached"} if failed else None,
        },
    }


def search_entry(trace: Record, pipeline: str, answer: str) -> Record:
    """Create the entry of a run in the history of searches."""
    return {
        "time": trace["created_at"],
        "query_id": trace["query_id"],
        "query": trace["query"],
        "pipeline_name": pipeline,
        "duration": trace["duration_s"],
        "answer": answer,
        "feedbacks": [],
    }


def _document(number: int) -> Record:
    topic = _TOPICS[number % len(_TOPICS)]
    question = _QUESTIONS[number % len(_QUESTIONS)]
    content = (
        f"{question} In {topic}, section {number} applies. Requests are handled within {1 + number % 9} working days; "
        f"the responsible team is reachable at extension {4000 + number}. Exceptions need approval in writing, and "
        f"every change is recorded under file number {topic[:3].upper()}-{number:04}."
    )
    return {
        "id": stable_id("document", number),
        "content": content,
        "meta": {"file_name": f"{topic.replace(' ', '_')}_{number:03}.txt", "category": topic, "page": 1 + number % 7},
        "file": {"id": stable_id("file", number), "name": f"{topic.replace(' ', '_')}_{number:03}.txt"},
    }


def _docs_part(number: int) -> Record:
    source = number // 3
    pages = ("pipelines/create-a-pipeline", "indexes/index-files", "secrets/add-secrets", "search/search-history")
    page = pages[source % len(pages)]
    return {
        "id": stable_id("docs", number),
        "content": (
            f"Part {number % 3 + 1} of {page}. To create a pipeline, open Pipelines and choose a template, or write "
            "YAML. Validate it, then deploy it; indexes are deployed first, and secrets are referenced by name. " * 6
        ),
        "meta": {"source_id": stable_id("page", source), "original_file_path": f"docs/{page}-{source}.md"},
        "file": None,
    }


def _template(number: int) -> Record:
    kind = "indexing" if number % 3 == 2 else "query"  # noqa: PLR2004
    topic = _TOPICS[number % len(_TOPICS)]
    style = ("retrieval augmented generation", "chat with your documents", "extractive question answering", "agent")
    wording = style[number % len(style)]
    name = f"{wording.split()[0]}-{topic.replace(' ', '-')}-{number:02}"
    yaml = {"query_yaml": rag_yaml(name, topic, number)} if kind == "query" else {}
    return {
        "pipeline_name": name,
        "name": f"{wording.capitalize()}: {topic}",
        "author": "deepset",
        "description": f"A {kind} pipeline for {topic} with {wording}.",
        "best_for": [f"Answers about {topic}", "Documents of a few pages"],
        "potential_applications": [f"Support for {topic}"],
        "tags": [{"name": wording.split()[0], "tag_id": stable_id("tag", wording)}],
        "pipeline_type": kind,
        "created_at": at(-number),
        **(yaml or {"indexing_yaml": indexing_yaml(name, topic, number)}),
    }


def _index(workspace: SimulatedWorkspace, number: int) -> Record:
    topic = _TOPICS[number % len(_TOPICS)]
    name = f"{topic.replace(' ', '-')}-files-{number:02}"
    return new_index(workspace, name, indexing_yaml(name, topic, number), f"Files about {topic}", files=20 * number)


def new_index(
    workspace: SimulatedWorkspace, name: str, config_yaml: str, description: str | None, *, files: int = 0
) -> Record:
    """Create an index."""
    return {
        "pipeline_index_id": stable_id("index", workspace.record["name"], name),
        "name": name,
        "description": description,
        "config_yaml": config_yaml,
        "workspace_id": workspace.record["workspace_id"],
        "settings": {"language": "en"},
        "desired_status": "DEPLOYED" if files else "UNDEPLOYED",
        "status": {
            "pending_file_count": 0,
            "failed_file_count": files // 50,
            "indexed_no_documents_file_count": 0,
            "indexed_file_count": files - files // 50,
            "total_file_count": files,
        },
    }


def _fill_organization(state: PlatformState, people: list[Record]) -> None:
    names = ["OPENAI_API_KEY", "COHERE_API_KEY", *(f"SERVICE_{number:02}_TOKEN" for number in range(SECRETS - 2))]
    state.secrets = [
        {"name": name, "secret_id": stable_id("secret", name), "secret": f"value-of-{name}"} for name in names
    ]
    state.integrations = [
        {"provider": provider, "model_registry_token_id": stable_id("token", provider), "provider_domain": domain}
        for provider, domain in (("openai", "api.openai.com"), ("cohere", "api.cohere.ai"))
    ]
    state.models = [_model(number) for number in range(MODELS)]
    state.custom_components = [
        {
            "custom_component_id": stable_id("installation", number),
            "status": "failed" if number % 7 == 3 else "installed",  # noqa: PLR2004
            "version": f"1.{number}.0",
            "created_by_user_id": people[number % len(people)]["user_id"],
            "created_at": at(number),
            "logs": [{"level": "info", "msg": f"Step {step} of installing 1.{number}.0"} for step in range(12)],
        }
        for number in range(INSTALLATIONS)
    ][::-1]


def _model(number: int) -> dict[str, Any]:
    provider = ("openai", "anthropic", "cohere", "huggingface", "bedrock")[number % 5]
    return {
        "provider": provider,
        "model": f"{provider}-model-{number // 5:02}",
        "connected": provider in {"openai", "cohere"},
        "parameters": {"temperature": {"minimum": 0, "maximum": 2}, "max_tokens": {"maximum": 4096}},
    }

"""The components that the simulated platform has, with their JSON schemas."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

FAMILIES = {
    "builders": "Build prompts, answers or lists out of the outputs of other components.",
    "converters": "Convert files of one format into documents.",
    "embedders": "Turn texts or documents into vectors.",
    "generators": "Generate text with a large language model.",
    "joiners": "Bring together what several branches of a pipeline give.",
    "preprocessors": "Clean and split documents.",
    "rankers": "Put documents into a better order.",
    "retrievers": "Find documents in a document store.",
    "routers": "Send data along different branches.",
    "writers": "Write documents into a document store.",
    "custom": "Components of this organisation.",
}

_PARAMETER: dict[str, tuple[str, Any, str]] = {
    "top_k": ("integer", 10, "How many documents are given at most."),
    "model": ("string", None, "Name of the model."),
    "template": ("string", None, "Jinja2 template of the prompt; its variables become inputs."),
    "api_key": ("object", None, "Secret with the API key."),
    "generation_kwargs": ("object", {}, "Parameters of the model, such as temperature."),
    "document_store": ("object", None, "Where the documents are."),
    "split_by": ("string", "word", "Unit in which documents are split."),
    "split_length": ("integer", 200, "Units of one part."),
    "policy": ("string", "NONE", "What is done with documents that are there already."),
    "routes": ("array", None, "Conditions and where data goes that fulfils them."),
    "weights": ("array", None, "How much each input counts."),
    "pattern": ("string", None, "Regular expression."),
}


@cache
def _catalog() -> dict[str, dict[str, Any]]:
    text = files(__package__).joinpath("components.yaml").read_text("utf-8")
    catalog: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return catalog


def component_types() -> frozenset[str]:
    """Return the types of all components."""
    return frozenset(f"{component['module']}.{name}" for name, component in _catalog().items())


def component_schemas() -> dict[str, Any]:
    """Return the answer of ``v1/haystack/components``."""
    components = {name: _schema(name, component) for name, component in _catalog().items()}
    return {"component_schema": {"definitions": {"Components": components}}}


def component_sockets(name: str) -> dict[str, Any] | None:
    """Return inputs and outputs of a component by its class name; ``None`` if there is none."""
    component = _catalog().get(name)
    if component is None:
        return None
    inputs = component["inputs"]
    return {
        "name": name,
        "input": {"properties": _sockets(inputs), "required": inputs[:1]},
        "output": {"properties": _sockets(component["outputs"])},
    }


def _schema(name: str, component: dict[str, Any]) -> dict[str, Any]:
    family, parameters = component["family"], component["parameters"]
    kind = {
        "const": f"{component['module']}.{name}",
        "family": family,
        "family_description": FAMILIES[family],
    }
    schema = {
        "title": name,
        "description": component["description"],
        "type": "object",
        "properties": {
            "type": kind,
            "init_parameters": {
                "type": "object",
                "properties": {each: _parameter(each) for each in parameters},
                "required": [each for each in parameters if each in {"model", "template", "routes"}],
            },
        },
        "required": ["type"],
    }
    if family == "custom":
        schema["package_version"] = "1.4.0"
    return schema


def _parameter(name: str) -> dict[str, Any]:
    kind, default, description = _PARAMETER[name]
    return {"type": kind, "_annotation": kind, "description": description, "default": default}


def _sockets(names: list[str]) -> dict[str, Any]:
    return {name: {"_annotation": "Any", "description": f"The {name.replace('_', ' ')}."} for name in names}

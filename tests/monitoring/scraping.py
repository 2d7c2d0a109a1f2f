"""The samples of an exposition, by name and labels."""

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples_of(text: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value_of(text: str, name: str, **labels: str) -> float | None:
    """The value of the sample with this name and these labels; ``None`` if there is none."""
    found = [
        sample.value for sample in samples_of(text) if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2, f"{name} has several samples with {labels}"
    return found[0] if found else None

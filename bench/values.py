"""The values of the benchmarks; coatcheck and its peers get the same ones."""

from typing import Any


def records(count: int) -> list[dict[str, Any]]:
    """Records as in the result of an issue tracker or a database; about 120 bytes of JSON each."""
    return [
        {
            "id": n,
            "name": f"user number {n}",
            "email": f"u{n}@example.org",
            "active": n % 2 == 0,
            "score": n * 1.5,
            "address": {"city": "Bern"},
        }
        for n in range(count)
    ]


def one_kilobyte() -> list[dict[str, Any]]:
    """9 records, 1 kB of JSON."""
    return records(9)


def twelve_megabytes() -> list[dict[str, Any]]:
    """100 000 records, 12 MB of JSON."""
    return records(100_000)

"""Hand in the big coat, carry only the ticket: large tool results as references with bounded previews."""

__version__ = "0.1.0"

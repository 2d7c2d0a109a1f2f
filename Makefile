# Everything a fresh machine needs: Python 3.11 or newer and make. Each target sets up .venv by itself.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Only these files are collected for the second part of the tests.
ALONE = $(shell grep -rl --include='test_*.py' 'mark\.alone' tests)

# Where it is set, each of the processes that the tests start would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-deepset test test-long coverage check typing format bench worth load conformance fuzz docs clean

demo: $(READY)  ## Run a real server behind coatcheck with a real client
	$(BIN)/python examples/demo/demo.py

demo-deepset: $(READY)  ## Run the deepset toolset against a simulated platform, with a real client
	$(BIN)/python examples/demo/deepset_demo.py

test: $(READY)  ## Run the tests: several files at a time, then those that need the machine for themselves
	@echo "Running the tests: about six minutes on two cores." >&2
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not long and not alone"
	$(BIN)/python -m pytest -q -m "alone and not long" $(ALONE)

test-long: $(READY)  ## Run the tests that take long
	$(BIN)/python -m pytest -q -m long

coverage: $(READY)  ## Run the tests with branch coverage, also of the processes that they start; fails below the threshold
	rm -rf .coverage .coverage.* .coverage_html
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not long and not alone" --cov --cov-report=
	$(BIN)/python -m pytest -q -m "alone and not long" --cov --cov-append --cov-report= $(ALONE)
	$(BIN)/python -m coverage html -q
	$(BIN)/python -m coverage report --skip-covered --skip-empty

check: $(READY)  ## Lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) --no-print-directory typing
	$(BIN)/python -m pytest -q tests/architecture

typing: $(READY)  ## Check with mypy and pyright which types users of the public API see
	$(BIN)/mypy typing_tests
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## Measure, side by side with a peer in an environment of its own
	$(BIN)/python bench/run.py

worth: $(READY)  ## Count what a model reads to answer questions about recorded results, beside the last recorded run
	$(BIN)/python bench/tokens/run.py

load: $(READY)  ## Load three replicas behind nginx with one Redis; SECONDS_OF_LOAD=60 CLIENTS=200 KIND=serve
	$(BIN)/python -m load.run $(if $(SECONDS_OF_LOAD),--seconds $(SECONDS_OF_LOAD)) $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(KIND),--kind $(KIND))

conformance: $(READY)  ## Run the official conformance suite, directly and behind coatcheck, and compare with the baseline
	$(BIN)/python -m conformance.run

fuzz: $(READY)  ## Fuzz for ten minutes, guided by coverage; SECONDS_TO_FUZZ=60 for another time
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e '.[fuzz]'; \
		else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'; fi
	$(BIN)/python fuzz/run.py $(if $(SECONDS_TO_FUZZ),--seconds $(SECONDS_TO_FUZZ))

docs: $(READY)  ## Bring the drawing in containers.md up to date
	$(BIN)/python docs/update_drawing.py

$(READY): pyproject.toml
	@echo "Setting up $(VENV): about a minute on first use, with downloads from the package index …" >&2
	@if command -v uv >/dev/null 2>&1; then \
		test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV); \
		uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]'; \
	else \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	fi
	@$(BIN)/python -m compileall -q -j 0 src  # otherwise each of the processes that the tests start does it
	@touch $(READY)
	@echo "Ready." >&2

clean:
	rm -rf $(VENV) .bench .coverage .coverage.* .coverage_html .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

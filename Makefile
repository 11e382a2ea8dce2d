# Every target works on a fresh machine that has python3.11 or newer, make and git.
.PHONY: demo test up bench validation lint check docs screenshots calendar lock clean help
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

help:  ## what can be done
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

# The environment: uv by hash, everything else by hash through uv, then this checkout in place.
$(READY): requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "make: python3.11 or newer is needed, $(PYTHON) is %d.%d; try: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Setting up .venv (once)"
	@$(PYTHON) -m venv .venv || { echo "make: the venv module is missing; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock requirements-uv.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@$(BIN)/python -m compileall -q hd_pipelines embedded_postgres  # some machines never write bytecode by themselves
	@$(BIN)/python -m hd_pipelines.pricing  # compiles the kernels once; all later processes find them in the cache
	@$(BIN)/python -c "import hd_pipelines.analytics.gamma.profile_kernels"
	@$(BIN)/python -m hd_pipelines.signals.features
	@$(BIN)/python -c 'import matplotlib.font_manager'  # lists the fonts once
	@touch $(READY)

demo: $(READY)  ## the whole main job over the last 90 sessions of the sandbox
	@$(BIN)/hd demo

up: $(READY)  ## everything as a service; prints the link to the Dagster UI
	@$(BIN)/hd up

# Three workers on two cores: tests wait for servers, browsers and disks a fifth of their time. Without bytecode, which
# some machines never write by themselves, each worker would compile all tests again.
test: $(READY)  ## all tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder tests

lint: $(READY)  ## style, types, import rules
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

check: lint test  ## what CI runs

bench: $(READY)  ## the benchmarks, each beside its peer, into benchmarks/results.json
	@$(BIN)/python -m benchmarks

validation: $(READY)  ## docs/reference/validation.md: our numbers beside published ones, from the recordings in ../shared
	@$(BIN)/python scripts/write_validation.py

docs: $(READY)  ## write again what docs say of tables, settings, detectors, engines and the scanner
	@$(BIN)/python scripts/write_dbt_descriptions.py
	@$(BIN)/python scripts/write_data_dictionary.py
	@$(BIN)/python scripts/write_settings.py
	@$(BIN)/python scripts/write_detectors.py
	@$(BIN)/python scripts/draw_engines.py --text
	@$(BIN)/python -m tests.signals.scanner.tables

screenshots: $(READY)  ## docs/img/*.png of the Dagster pages, from a running installation (make demo, make up)
	@$(BIN)/python scripts/take_screenshots.py

calendar: $(READY)  ## take a new snapshot of the exchange calendar from the locked library
	@$(BIN)/python scripts/write_calendar.py

lock: $(READY)  ## resolve the dependencies again
	@$(BIN)/uv pip compile pyproject.toml --universal --extra dev --extra bench --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --upgrade --output-file requirements.lock
	@echo uv | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --upgrade --output-file requirements-uv.lock

clean:  ## remove the environment and what tests and dbt leave; HD_HOME stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dbt_project/target dbt_project/logs

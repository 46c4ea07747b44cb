# `make run` and `make test` are the two commands of the README; both make the environment that they need.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The checkout itself, and Supervisor's commands, which have to know where this stack lives. It was called nexus once.
install_checkout = $(PIP) uninstall -y nexus 2>/dev/null; \
	$(PIP) install --no-deps --no-build-isolation -e . && $(BIN)/python -m config.supervisor $(BIN)

.PHONY: run test check lint types arrows bench faults suites clean lock demo

run: $(VENV)/.run
	@$(BIN)/nexus-tui up

test: $(VENV)/.dev
	@$(BIN)/python -m tests

check: $(VENV)/.dev lint types arrows

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/pyright --warnings

arrows: $(VENV)/.dev
	$(BIN)/lint-imports

demo: $(VENV)/.run
	@$(BIN)/nexus-tui up --detach
	@$(BIN)/nexus-tui demo --for 2m

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

faults: $(VENV)/.dev
	$(BIN)/python -m benchmarks.faults --delivery all --record

suites: $(VENV)/.dev
	$(BIN)/python -m tests.suites

clean:
	@test ! -x $(BIN)/nexus-tui || $(BIN)/nexus-tui down --yes >/dev/null 2>&1 || true
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# New versions within the ranges of pyproject.toml
lock: $(VENV)/.dev
	$(BIN)/python -m pip --disable-pip-version-check -q install uv
	$(BIN)/uv pip compile -q -U --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra platform --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q -U --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra platform --extra build --extra dev pyproject.toml -o requirements-dev.lock

$(VENV)/.venv:
	@test -n "$(PYTHON)" || { echo "Nexus needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON) …"
	@$(PYTHON) -m venv $(VENV) && touch $@

$(VENV)/.run: $(VENV)/.venv requirements.lock pyproject.toml
	@echo "Installing $$(grep -c == requirements.lock) locked packages (about a minute the first time) …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(call install_checkout)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing the tools of the tests …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(call install_checkout)
	@touch $@

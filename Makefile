# The two commands that matter: `make serve` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)

.PHONY: help serve test browser bench gpu soak networks gallery client lint format build clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/installed build ## Install, build the model files and serve on http://localhost:8000
	$(BIN)/convlens serve $(ARGS)

test: $(VENV)/installed-dev build browser ## Install what tests need and run everything: ruff, mypy, pytest
	$(MAKE) lint
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

browser: ## Install Chromium for the tests of the page, if it is not there and this is a Debian of one's own
	@command -v chromium chromedriver >/dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null 2>&1 && \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } || \
	  echo "no Chromium: the tests of the page are skipped"

bench: $(VENV)/installed-dev build ## Measure against PyTorch and print tables (installs torch)
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m tests.benchmarks.engine
	$(BIN)/python -m tests.benchmarks.methods
	$(BIN)/python -m tests.benchmarks.kinds
	$(BIN)/python -m tests.benchmarks.http
	$(BIN)/python -m tests.benchmarks.jobs
	$(BIN)/python -m tests.benchmarks.claims
	$(BIN)/python -m tests.benchmarks.footprint

gpu: $(VENV)/installed-dev build ## On a machine with a GPU: CUDA against the CPU, and against PyTorch if it is installed; fails if anything is wrong
	$(BIN)/python -m tests.benchmarks.gpu

networks: $(VENV)/installed-dev ## Make docs/networks.md: exported networks against autograd (installs torch, torchvision and transformers)
	$(BIN)/python -m pip install --quiet --group networks
	$(BIN)/python -m pytest -s tests/models/test_exports.py
	$(BIN)/python -m tests.benchmarks.networks

soak: $(VENV)/installed-dev build ## Load and faults for ten minutes (ARGS="--seconds 60" for one), or ARGS=--abuse, with a report
	$(BIN)/python -m tests.tools.soak $(ARGS)

gallery: $(VENV)/installed-dev build ## Make docs/gallery.md: a picture of every method and every kind of job
	$(BIN)/python -m tests.tools.gallery

client: $(VENV)/installed-dev ## Make the requests of the TypeScript client from the OpenAPI document
	$(BIN)/python -m tests.tools.typescript

lint: $(VENV)/installed-dev ## Check style, types, Dockerfile and compose file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	test ! -x $(BIN)/hadolint || $(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

format: $(VENV)/installed-dev ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: $(VENV)/installed ## Write the model files into onnx_models/
	@$(BIN)/convlens build

clean: ## Remove the virtual environment, the model files and caches
	rm -rf $(VENV) onnx_models/*.onnx .pytest_cache .mypy_cache .ruff_cache *.egg-info

$(VENV)/installed: pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "convlens needs Python 3.11 or newer: make serve PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRA)]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

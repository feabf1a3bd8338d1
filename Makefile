# The two commands that matter: `make serve` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/tools
PIP := -m pip --quiet --disable-pip-version-check
LOCKED := --require-hashes --requirement requirements
BUILD := --build-constraint requirements/build.txt
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)

.PHONY: help serve test browser bench gpu soak networks gallery screenshots client lint format build lock sbom images-check clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/installed build ## Install, build the model files and serve on http://localhost:8000
	$(BIN)/convlens serve $(ARGS)

test: $(VENV)/installed-dev build browser ## Install what tests need and run everything: ruff, mypy, pytest
	$(MAKE) lint
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

browser: ## Install Chromium for the tests of the page, if it is not there and this is a Debian of one's own
	@command -v chromium chromedriver >/dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null 2>&1 && \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } || \
	  echo "no Chromium: the tests of the page are skipped"

bench: $(VENV)/installed-dev build browser ## Measure against PyTorch and print tables (installs torch)
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m tests.benchmarks.engine
	$(BIN)/python -m tests.benchmarks.methods
	$(BIN)/python -m tests.benchmarks.folders
	$(BIN)/python -m tests.benchmarks.kinds
	$(BIN)/python -m tests.benchmarks.http
	$(BIN)/python -m tests.benchmarks.jobs
	$(BIN)/python -m tests.benchmarks.claims
	$(BIN)/python -m tests.benchmarks.footprint
	$(BIN)/python -m tests.benchmarks.page

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

screenshots: $(VENV)/installed-dev ## Make the pictures of docs/page.md and the first one of the README, with Chromium
	$(BIN)/python -m tests.tools.screenshots

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

# What is locked: sets of packages, and which extra or group of pyproject.toml each is.
SHARED := build cpu gpu dev
APART := tools images
LOCK_build := --group build
LOCK_cpu := pyproject.toml --extra cpu
LOCK_gpu := pyproject.toml --extra gpu
LOCK_dev := --group dev
LOCK_tools := --group tools
LOCK_images := --group images
COMPILE := @$(TOOLS)/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --fork-strategy fewest \
  --no-strip-extras --generate-hashes --custom-compile-command 'make lock'
define COMPILE_SET
$(COMPILE) $(LOCK_$(1)) --output-file $(TOOLS)/$(1).txt $(2)

endef

# What shares an environment is resolved together first, so that a package has one version there. uv keeps the versions
# that it finds in the file it is about to write, where they still fit.
lock: $(TOOLS)/installed ## Renew requirements/ after a change of pyproject.toml or a merge (ARGS=--upgrade for newer versions)
	@cat $(SHARED:%=requirements/%.txt) >$(TOOLS)/all.txt
	$(COMPILE) $(foreach set,$(SHARED),$(LOCK_$(set))) --output-file $(TOOLS)/all.txt $(ARGS)
	@for set in $(SHARED); do cp $(TOOLS)/all.txt $(TOOLS)/$$set.txt; done
	@cp $(APART:%=requirements/%.txt) $(TOOLS)/
	$(foreach set,$(SHARED),$(call COMPILE_SET,$(set)))
	$(foreach set,$(APART),$(call COMPILE_SET,$(set),$(ARGS)))
	@install -C -m 644 $(SHARED:%=$(TOOLS)/%.txt) $(APART:%=$(TOOLS)/%.txt) requirements/

images-check: $(VENV)/installed-dev $(VENV)/images/installed ## As root with buildah: build both images and run the one for CPUs (ARGS="--target cpu")
	$(BIN)/python -m tests.tools.images $(ARGS)

sbom: $(TOOLS)/installed ## Write what the service is made of, with licences, to sbom.json (CycloneDX)
	$(PYTHON) -m venv --clear --without-pip $(TOOLS)/service
	$(TOOLS)/bin/python $(PIP) --python $(TOOLS)/service install --no-compile $(BUILD) $(LOCKED)/$(EXTRA).txt
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file sbom.json $(TOOLS)/service
	rm -r $(TOOLS)/service

clean: ## Remove the virtual environment, the model files and caches
	rm -rf $(VENV) onnx_models/*.onnx .pytest_cache .mypy_cache .ruff_cache *.egg-info sbom.json

$(VENV)/installed: pyproject.toml setup.py requirements/build.txt requirements/$(EXTRA).txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "convlens needs Python 3.11 or newer: make serve PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install $(LOCKED)/build.txt
	$(BIN)/python $(PIP) install $(BUILD) $(LOCKED)/$(EXTRA).txt
	$(BIN)/python $(PIP) install $(BUILD) --no-deps --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements/dev.txt
	$(BIN)/python $(PIP) install $(BUILD) $(LOCKED)/dev.txt
	touch $@

$(VENV)/tools/installed $(VENV)/images/installed: $(VENV)/%/installed: requirements/build.txt requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) install $(LOCKED)/build.txt
	$(@D)/bin/python $(PIP) install $(BUILD) $(LOCKED)/$*.txt
	touch $@

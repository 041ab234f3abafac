# Every target sets up .venv first; that takes a moment when nothing changed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Ray and Blender start several times faster from compiled bytecode.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
EXAMPLE ?= examples/nordlys.png
PRODUCT ?= demo-tee
OUT ?= out/demo
SBOM ?= out/sbom.cdx.json
# In this order: what fails fastest comes first. Each folder has a process of its own, so no Ray leaks into the next.
SUITES := unit property contract api ray blender crash web e2e
FIGURES := compose no_render_jobs queue startup render_jobs
INSPECTIONS := verdict geometry determinism memory

# $(call each,names,command): the command for every $$one of the names, whatever became of those before it; then the red ones
# are named, and make fails. What was interrupted stays so.
define each
red=; trap 'exit 130' INT; \
for one in $(1); do \
	echo "== $$one"; \
	$(2) || red="$$red $$one"; \
done; \
if [ -n "$$red" ]; then echo "red:$$red" >&2; exit 1; fi
endef

.PHONY: help setup demo test check fmt bench fuzz sbom advisories soak inspect gallery lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## make .venv: uv, Python 3.13, the locked packages, the farm itself
	@scripts/setup.sh

# The demo has a farm of its own under out/, so that it never mixes with yours.
demo: export FARM_HOME := $(abspath out/farm)
demo: setup ## a design in, six pictures on a product out in seconds; then one of them by Blender, and the difference
	$(BIN)/farm render $(EXAMPLE) --product $(PRODUCT) -o $(OUT)
	$(BIN)/farm products show $(PRODUCT)
	@echo "Six relit pictures and their contact sheet:" && ls $(OUT)/*.png
	@echo "The front once more, its paths traced by Blender, 64 to a pixel:"
	$(BIN)/farm render $(EXAMPLE) --views front_0deg --engine cycles --quality high -o $(OUT)/traced
	$(BIN)/python -m bench.proof $(OUT)/front_0deg.png $(OUT)/traced/front_0deg.png -o $(OUT)/relit-beside-traced.png
	$(BIN)/farm audit
	@echo "Both beside each other: $(OUT)/relit-beside-traced.png"

test: setup ## all tests, fastest kind first
	@$(call each,$(wildcard $(addprefix tests/,$(SUITES))),$(BIN)/python -m pytest -q $$one)

check: setup ## ruff, mypy --strict, import contracts, bandit, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r farm serve_app blender
	$(BIN)/codespell

fmt: setup ## format and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: setup ## the figures in README.md, measured again
	@$(call each,$(FIGURES:%=bench.%),$(BIN)/python -m $$one)

inspect: setup ## are the pictures right? verdict, geometry, determinism, memory, on real renders
	@$(call each,$(INSPECTIONS:%=bench.%),$(BIN)/python -m $$one)

gallery: setup ## docs/gallery/ anew: what a shop would see, from all sides and near
	$(BIN)/python -m bench.gallery

lock: ## resolve pyproject.toml anew into the hashed locks (add UPGRADE=--upgrade to move forward)
	@uv=$$(scripts/setup.sh uv); flags="--quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --universal"; \
	$$uv pip compile requirements-uv.in $$flags $(UPGRADE) --python-version 3.8 -o requirements-uv.lock; \
	$$uv pip compile pyproject.toml $$flags $(UPGRADE) --python-version 3.13 -o requirements.lock; \
	$$uv pip compile pyproject.toml --group dev -c requirements.lock $$flags $(UPGRADE) --python-version 3.13 -o requirements-dev.lock

fuzz: setup ## a property-based tester against the live job API, thousands of cases
	@scripts/fuzz.sh

sbom: setup ## what the image installs, as a CycloneDX bill of materials: $(SBOM)
	@mkdir -p $(dir $(SBOM))
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o $(SBOM) requirements.lock

advisories: setup ## is anything known against what the image installs? Needs a way to the advisory service
	@scripts/advisories.sh

soak: setup ## thousands of jobs while coordinators are killed at random, then the audit
	$(BIN)/python -m bench.soak --jobs 5000 --kills

clean: ## remove what was made, but for .venv
	rm -rf out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -path ./.venv -prune -o -path ./.uv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

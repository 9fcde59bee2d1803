# Every command a person needs. `make` alone explains them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Tested ones first.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.14 python3; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; exit; fi; done)
BIN := .venv/bin
# Not CLUSTER: that is the variable by which a person names the cluster to use.
EMBEDDED := $(BIN)/python -m tests.cluster
MACHINE := $(PYTHON) -m tests.machine
NEEDS_PYTHON := if [ -z "$(PYTHON)" ]; then \
	echo "error: Python 3.11 or newer is needed (on Debian: apt-get install python3-venv)"; exit 1; fi
# End-to-end tests mostly wait for pods, so there are more of them at once than processors.
E2E_WORKERS ?= 5
# Of those that take long, some measure time.
LONG_WORKERS ?= 4
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
E2E := $(BIN)/pytest --dist loadgroup --durations=15
# Of faults; their operators mostly wait.
FAULT_WORKERS ?= 8
# Which Argo, and which of its CRDs, are tested besides the default.
ENGINES ?= v4.0.5/full v3.7.14/minimal v3.6.5/minimal

# What the client needs is in the environment of everything, or in one that is there in seconds.
CLIENT_READY := $(firstword $(wildcard $(BIN)/ready) build/client-venv/bin/ready)

# What uses the cluster runs on this machine, or else in a container on it: tests/machine.
ON_CLUSTER := demo test test-all test-e2e test-long faults test-engines cluster-build cluster-up install \
	shell pictures benchmark benchmark-crowd benchmark-events benchmark-lifecycles \
	benchmark-sustained
ifneq ($(filter $(ON_CLUSTER) cluster-down env,$(MAKECMDGOALS)),)
WAY := $(if $(PYTHON),$(shell $(MACHINE) way))
endif

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo-local
demo-local: $(CLIENT_READY) ## Run an operation on this machine, without a cluster
	@PYTHONPATH=core:client $(dir $(CLIENT_READY))python -m dev.demo_local

.PHONY: doctor
doctor: ## Show which ways to a cluster this machine has, and what the others lack
	@$(MACHINE) doctor

ifeq ($(WAY),container)

.PHONY: $(ON_CLUSTER) cluster-down env
$(ON_CLUSTER):
	@$(MACHINE) inside make --no-print-directory $(MAKEOVERRIDES) $@

cluster-down:
	@$(MACHINE) down

env:
	@$(MACHINE) env

else

.PHONY: demo
demo: $(BIN)/ready ## Run a pipeline on a real cluster, from kubectl apply to the event in Kafka
	$(BIN)/python -m dev.demo

.PHONY: test
test: $(BIN)/docs-ready ## What CI runs: checks, units, then the main tests on a real cluster
	@# The type checker takes one processor only.
	$(MAKE) -j2 $(if $(filter output-sync,$(.FEATURES)),-Otarget) check test-unit
	$(MAKE) test-e2e

.PHONY: test-all
test-all: test fuzz test-long faults test-engines ## All tests: also long ones, Argo CD, other releases of Argo

.PHONY: test-e2e
test-e2e: $(BIN)/ready ## Tests on a real cluster, which is built, started and stopped
	$(EMBEDDED) setup --if-chosen
	$(E2E) -n $(E2E_WORKERS) -m "e2e and not long" tests/e2e

.PHONY: test-long
test-long: $(BIN)/ready ## Tests on a real cluster that take long or measure time, and those with Argo CD and Flux
	$(EMBEDDED) setup --if-chosen
	$(EMBEDDED) argocd
	$(EMBEDDED) flux
	$(EMBEDDED) prometheus
	$(E2E) -n $(LONG_WORKERS) -m "e2e and long" --ignore=tests/e2e/test_fault_plans.py tests/e2e

.PHONY: faults
faults: $(BIN)/ready ## Test the whole table of faults (docs/faults.md) on a real cluster
	$(EMBEDDED) setup --if-chosen
	$(E2E) -n $(FAULT_WORKERS) -m e2e tests/e2e/test_fault_plans.py

.PHONY: test-engines
test-engines: $(BIN)/ready ## A few tests on other releases of Argo, each on a cluster of its own
	if [ "$${CLUSTER:-}" = existing ]; then exit; fi; \
	for engine in $(ENGINES); do \
		export CLUSTER_NAME=argo-$${engine/\//-}; \
		export CLUSTER_ARGO_VERSION=$${engine%/*} CLUSTER_ARGO_CRDS=$${engine#*/}; \
		$(EMBEDDED) setup --if-chosen; \
		$(BIN)/pytest -m e2e tests/e2e/test_engines.py; \
	done

.PHONY: benchmark
benchmark: $(BIN)/ready ## Measure how fast operations become Workflows
	$(BIN)/python -m benchmarks.render

.PHONY: benchmark-crowd
benchmark-crowd: $(BIN)/ready ## Measure what 10,000 finished operations cost on a real cluster
	$(BIN)/python -m benchmarks.crowd

.PHONY: benchmark-events
benchmark-events: $(BIN)/ready ## Measure how fast exit events are published, also after a Kafka outage
	$(BIN)/python -m benchmarks.events

.PHONY: benchmark-lifecycles
benchmark-lifecycles: $(BIN)/ready ## Measure whole lifecycles beside a controller in Go and JobSet
	$(BIN)/python -m benchmarks.lifecycles

.PHONY: benchmark-sustained
benchmark-sustained: $(BIN)/ready ## Measure an hour of operations with TTLs at a steady rate
	$(BIN)/python -m benchmarks.sustained

.PHONY: cluster-build
cluster-build: $(BIN)/ready ## Build the cluster's components into the cache, once; start nothing
	$(EMBEDDED) setup

.PHONY: cluster-up
cluster-up: $(BIN)/ready ## Start a real two-node cluster with Argo and Kafka (and build it, once)
	$(EMBEDDED) up

.PHONY: cluster-down
cluster-down: $(BIN)/ready ## Stop the cluster
	$(EMBEDDED) down

.PHONY: env
env: $(BIN)/ready ## Print the environment variables for the running cluster, for `eval`
	@$(EMBEDDED) env

.PHONY: install
install: $(BIN)/ready ## Install the operator, from an image of this tree by its chart, on the running cluster
	$(BIN)/python -m dev.install

.PHONY: shell
shell: $(BIN)/ready ## Open a shell in the cluster's network, with kubectl and helm
	$(EMBEDDED) shell

.PHONY: pictures
pictures: $(BIN)/ready ## Record the pictures of the docs on the running cluster
	eval "$$($(EMBEDDED) env)"; $(BIN)/python -m dev.pictures
	$(EMBEDDED) prometheus
	$(BIN)/python -m dev.dashboard_picture

endif

.PHONY: test-unit
test-unit: $(BIN)/ready ## Tests that need no cluster, in seconds
	$(BIN)/pytest -q -m "not e2e" -n auto

.PHONY: fuzz
fuzz: $(BIN)/ready ## Test the operator's code with thousands of random operations
	FUZZ=$${FUZZ:-3000} $(BIN)/pytest -q -n auto tests/unit/operator/test_fuzzing.py

.PHONY: check
check: $(BIN)/ready $(BIN)/docs-ready ## Format, lint, types, import rules, generated files, and links of the docs
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/mypy examples/samples-service/app.py
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m dev.generate --check
	$(SITE) --quiet

.PHONY: docs
docs: $(BIN)/docs-ready ## Build the site from docs/ into build/site; a dead link is an error
	$(SITE)

.PHONY: generate
generate: $(BIN)/ready ## Write the generated files: the CRD, the references, the examples' Workflows
	$(BIN)/python -m dev.generate

.PHONY: format
format: $(BIN)/ready ## Format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lock
lock: $(BIN)/ready ## Update the locked requirements
	sed -n '/^operator = \[/,/^\]/p' pyproject.toml | sed -n 's/^ *"\(.*\)",.*/\1/p' \
		| $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-header -o requirements/operator.txt -
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra operator --group dev -c requirements/operator.txt \
		-o requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		-c requirements/dev.txt -o requirements/client.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		-c requirements/dev.txt -o requirements/samples.txt --group samples
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		-c requirements/dev.txt -o requirements/docs.txt --group docs

.PHONY: clean
clean: ## Stop the cluster and remove the environment; the build cache is kept
	if [ -x $(BIN)/python ]; then $(EMBEDDED) down; fi
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The environment, anew whenever what it holds changes. Half of one has no `ready` in it.
$(BIN)/ready: requirements/dev.txt pyproject.toml
	@$(NEEDS_PYTHON)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 15))' || \
		echo "  $$($(PYTHON) --version) is newer than what this is tested with (3.11 to 3.14)"
	@echo "  Installing the locked requirements into .venv (once)"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What builds the site, on top of that: with it the environment is a third larger.
$(BIN)/docs-ready: requirements/docs.txt $(BIN)/ready
	@echo "  Installing the tools of the site into .venv (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

build/client-venv/bin/ready: requirements/client.txt
	@$(NEEDS_PYTHON)
	@echo "  Installing what the client needs into build/client-venv (once)"
	@rm -rf build/client-venv
	@$(PYTHON) -m venv build/client-venv
	@build/client-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

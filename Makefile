# Botyard's commands; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
export PYTHON

VENV := .venv
SETUP := $(VENV)/.complete
CLUSTER := PYTHONPATH=cluster $(VENV)/bin/python -m localcluster
# Options for pytest, for instance: make test-unit PYTEST="-k persona -x"
PYTEST ?=

##@ Try it
.PHONY: demo demo-clean
demo: cluster  ## A cluster if there is none, Botyard on it, a bot that answers. Again: seconds, changes nothing.
	@$(VENV)/bin/python -m demo up
demo-clean: $(SETUP)  ## Take the demo off the cluster again.
	@$(VENV)/bin/python -m demo down

##@ Work on it
.PHONY: setup generate lint format test-unit test-integration
setup: $(SETUP)  ## .venv with everything that requirements.lock lists.
	@echo ".venv is ready."
$(SETUP): requirements.lock operator/pyproject.toml runtime-image/pyproject.toml scripts/setup
	@scripts/setup
	@touch $@
generate: $(SETUP)  ## Write what is generated from the models: CRDs and the tables in docs.
	@$(VENV)/bin/python -m botyard_operator.api.crd --write
format: $(SETUP)  ## Format the code and fix what ruff can fix.
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .
lint: $(SETUP)  ## Format, lint, types, import contracts, drift of the CRDs.
	@scripts/lint
test-unit: $(SETUP)  ## Tests without any server: seconds.
	@$(VENV)/bin/pytest tests/unit $(PYTEST)
test-integration: $(SETUP)  ## Tests with a real Redis, real git and a real S3 server (built by Go once).
	@scripts/need redis-server valkey-server=valkey-server/backports faketime git openssl chromium pg_ctlcluster=postgresql tinyproxy
	@$(VENV)/bin/python -m tests.integration.s3.server
	@$(VENV)/bin/pytest tests/integration $(PYTEST)

##@ On Kubernetes
.PHONY: cluster cluster-down cluster-clean images test-cluster test
cluster: $(SETUP)  ## The cluster that KUBECONFIG reaches, or a local one at .cluster/kubeconfig.
	@$(CLUSTER) up
cluster-down: $(SETUP)  ## Stop the local cluster and remove its state.
	@$(CLUSTER) down
cluster-clean: $(SETUP)  ## cluster-down, and drop the built binaries and images too.
	@$(CLUSTER) clean
images: cluster  ## Build all images and load them into the local cluster.
	@$(CLUSTER) images
test-cluster: images  ## Tests on the real cluster.
	@$(VENV)/bin/pytest tests/cluster $(PYTEST)
test: lint images  ## Everything, from a fresh machine: lint, unit, integration, browser, cluster.
	@scripts/need redis-server valkey-server=valkey-server/backports faketime git openssl pg_ctlcluster=postgresql tinyproxy chromium
	@$(VENV)/bin/python -m tests.integration.s3.server
	@scripts/test $(PYTEST)

##@ Maintain it
.PHONY: lock clean help
lock: $(SETUP)  ## Resolve all dependencies anew: uv.lock and the committed requirements.lock files.
	@scripts/lock --upgrade
clean: demo-clean cluster-clean  ## Remove everything that these commands made, also .venv.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
help:  ## This list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# `make` lists the targets. Each one sets up what it needs; nothing is installed twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
AWS_TESTS ?= tests/e2e tests/cluster

# Many an image that has Python forbids it to keep what it has compiled. Then each of the processes
# that the tests start would compile all of it again, which takes longer than the tests themselves.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(READY) ## run Filmroll on http://127.0.0.1:8000, data in ./filmroll-data
	$(BIN)/filmroll serve

cluster: $(READY) ## run a whole cluster here: S3, SQS, DynamoDB, six processes, a load balancer
	$(BIN)/python -m deploy.local.cluster

test: $(READY) ## run all tests, three files at a time: most of their time they wait for services and disks
	@# In their order, which ends with many short ones; else it ends with single ones that take long.
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/cluster

test-aws: $(READY) ## run the end-to-end tests on S3, SQS and DynamoDB, and take clusters to pieces
	FILMROLL_E2E=aws $(BIN)/pytest -n 2 --dist loadfile $(AWS_TESTS)

check: $(READY) ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## measure against limits and peers; results go to benchmarks/results
	$(BIN)/python -m benchmarks

gallery: $(READY) ## make a page that shows every operation on real photographs
	$(BIN)/python -m gallery

lock: $(READY) ## renew requirements.lock, and what of it runs in production, from pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --extra aws --extra deploy --extra dev --extra faces --generate-hashes \
		--strip-extras --allow-unsafe --no-emit-find-links --no-emit-index-url --no-emit-trusted-host \
		--output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --extra aws --extra faces --generate-hashes --strip-extras \
		--no-emit-find-links --no-emit-index-url --no-emit-trusted-host \
		--constraint requirements.lock --output-file requirements-run.lock pyproject.toml

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Filmroll needs Python 3.11 or later; say which: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv is missing here; on Debian: apt-get install python3-venv"; exit 1; }
	@# What runs is compiled when it first runs; to compile all of it takes longer than to fetch it.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.PHONY: help serve cluster test test-aws check bench gallery lock clean

# Two commands are enough for a newcomer: `make demo` and `make test`. Both make the environment themselves.
PYTHON ?= python3
BIN := .venv/bin
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
  --custom-compile-command "make lock"

.PHONY: help demo test check format image container benchmark lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/pip:
	@echo "==> making the environment in .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12) and "Fraud Detect needs Python 3.12 or newer: make PYTHON=python3.13 ...")'
	@$(PYTHON) -m venv .venv && touch $@

.venv/core: .venv/pip requirements.lock pyproject.toml
	@echo "==> installing the product's own packages, pinned and hashed, from requirements.lock"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable . && touch $@

.venv/dev: .venv/core requirements-dev.lock
	@echo "==> installing the test tools from requirements-dev.lock"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock && touch $@

.venv/aws: .venv/dev requirements-aws.lock
	@echo "==> installing the SageMaker SDK from requirements-aws.lock"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-aws.lock && touch $@

demo: .venv/core ## train on the sample data, serve, score a few rows, show what came out
	@$(BIN)/python scripts/demo.py

test: .venv/dev ## run the tests, without Docker
	@echo "==> running the tests"
	@$(BIN)/pytest --ignore tests/container

check: .venv/dev ## the one gate: format, lint, types, tests with coverage, shell scripts
	@echo "==> format and lint" && $(BIN)/ruff format --check . && $(BIN)/ruff check .
	@echo "==> types" && $(BIN)/mypy
	@echo "==> shell scripts" && $(BIN)/shellcheck .ci/run *.sh local_test/*.sh
	@echo "==> tests" && $(BIN)/pytest --ignore tests/container --cov --cov-report=term-missing

format: .venv/dev ## write the code the way check wants it
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

image: ## build the image as fraud-detect
	docker build --tag fraud-detect .

container: .venv/aws ## run the tests of the built image; needs a Docker engine
	@echo "==> running the container tests"
	@$(BIN)/pytest tests/container tests/unit/test_train_job.py tests/unit/test_policies.py

benchmark: .venv/dev ## measure training and serving against their floors
	@$(BIN)/python benchmarks/training.py && $(BIN)/python benchmarks/serving.py && $(BIN)/python benchmarks/stages.py

lock: .venv/dev ## resolve every group together, then pin each in its own lock file
	@mkdir -p build
	@$(BIN)/$(UV_COMPILE) pyproject.toml --no-header --group dev --group aws --output-file build/all.lock
	@$(BIN)/$(UV_COMPILE) pyproject.toml --constraint build/all.lock --output-file requirements.lock
	@$(BIN)/$(UV_COMPILE) pyproject.toml --constraint build/all.lock --group dev --output-file requirements-dev.lock
	@$(BIN)/$(UV_COMPILE) pyproject.toml --constraint build/all.lock --group aws --output-file requirements-aws.lock
	@$(BIN)/$(UV_COMPILE) --constraint build/all.lock --group build --output-file requirements-build.lock

clean: ## remove everything that these commands made
	rm -rf .venv build dist test_dir/model test_dir/output .coverage .mypy_cache .pytest_cache .ruff_cache

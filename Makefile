# The two commands: make demo, make test. Each does all its own set-up.
SUITE ?= sm
RUNS ?= 1000000
PYTHON := .venv/bin/python
STAMP := .venv/.strongroom-stamp

.PHONY: help setup demo test coverage check bench fuzz tcb lock clean

help: ## List the commands.
	@awk -F': .*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything, pinned by hash.

$(STAMP): scripts/setup.sh requirements/dev.txt requirements/build.txt pyproject.toml
	@bash scripts/setup.sh
	@touch $@

demo: setup ## Run the main job live: insurance underwriting, five roles (SUITE=sm|intl).
	@$(PYTHON) -m examples.underwriting.demo --suite $(SUITE) --folder demo-run-$(SUITE)

test: setup ## Run the test suite.
	@$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/system  # apart: Arrow, once used, does not survive a fork without its pipes
	@$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/system

coverage: setup ## Tests with coverage of what runs in the tests' own process.
	@# Monitor, template and enclaves are processes of their own, and measured: a hook of
	@# coverage inside them would change their registers, so they show as not covered.
	@$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

check: setup ## Lint, types, layers.
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: setup ## Measure; the figures go to docs/benchmarks.md by hand.
	@$(PYTHON) benchmarks/run.py

fuzz: setup ## Fuzz every parser, then mutate every shared case (RUNS=1000000, takes an hour).
	@$(PYTHON) -m fuzz.run --runs $(RUNS) --jobs 2
	@$(PYTHON) -m fuzz.mutate --jobs 2

tcb: setup ## Count the lines of the trusted computing base from what is imported.
	@$(PYTHON) scripts/count_tcb.py

lock: ## Pin again (needs uv): names, versions and hashes, no registry's host name.
	uv pip compile pyproject.toml --universal --python-version 3.11 \
		--extra node --extra apps --extra tls --group build --group dev --group demo --group bench \
		--generate-hashes --no-header -q -o requirements/dev.txt
	uv pip compile --group build --universal --python-version 3.11 \
		--generate-hashes --no-header -q -c requirements/dev.txt -o requirements/build.txt

clean: ## Remove what set-up and runs left.
	rm -rf .venv demo-run-* .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Two commands matter: `make demo` shows the corridor at work, `make test` proves it.

PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
NODE_TOOLS := node_modules/.installed
# Ape's plugin for pytest expects that everything it meets is a Python test.
RUN_NOTEBOOKS := $(BIN)/pytest -n 2 --nbmake --nbmake-timeout=300 -p no:ape_test notebooks

export SOLCX_BINARY_PATH := $(CURDIR)/node_modules/.solcx
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
.PHONY: help demo test notebooks lint format contracts bench bench-gas bench-liquidity fuzz mutants mutants-sample prove \
	slither coverage lock clean

help: ## Show the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## Settle real payments between two Hong Kong and two Thai banks (needs Python only)
	@$(BIN)/python -m examples.demo

test: $(NODE_TOOLS) $(VENV)/.dev ## Run every test: Python, the notebooks and Foundry
	@$(BIN)/pytest -n 2 --dist loadgroup
	@$(RUN_NOTEBOOKS)
	@$(BIN)/python -m tools.foundry test

notebooks: $(VENV)/.dev ## Run the notebooks alone
	@$(RUN_NOTEBOOKS)

lint: $(NODE_TOOLS) $(VENV)/.dev ## Check format, style and types
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

contracts: $(NODE_TOOLS) $(VENV)/.dev ## Compile the contracts into corridor/artifacts
	@$(BIN)/python -m tools.compile_contracts

bench: $(NODE_TOOLS) $(VENV)/.dev ## Measure: liquidity, intake of 10,000 payments, gas
	@$(BIN)/python -m tools.bench

bench-gas: $(VENV)/.dev $(NODE_TOOLS) ## Measure what the contracts cost; rewrites docs/gas-snapshot.txt
	@$(BIN)/python -m tools.bench_gas

bench-liquidity: $(VENV)/.dev ## Measure netting, bounds and simulated days beside references; about four minutes
	@$(BIN)/python -m tools.bench_liquidity

fuzz: $(NODE_TOOLS) $(VENV)/.dev ## Let hostile actors make a million calls against the contracts' invariants; half an hour
	@$(BIN)/python -m tools.fuzz --calls 1000000 --seed 1 --jobs 2

mutants: $(NODE_TOOLS) $(VENV)/.dev ## Break each invariant on purpose and see its test notice
	@$(BIN)/python -m tools.mutants --jobs 2

mutants-sample: $(NODE_TOOLS) $(VENV)/.dev ## Break the settlement contract at random 240 times; hours
	@$(BIN)/python -m tools.mutants --sample 240 --seed 1 --jobs 2

prove: $(NODE_TOOLS) $(VENV)-halmos/.prove ## Prove the contracts' arithmetic and states with halmos
	@$(VENV)-halmos/bin/python -m tools.prove

slither: $(NODE_TOOLS) $(VENV)/.dev ## Let slither look for what is known to go wrong
	@$(BIN)/python -m tools.slither

coverage: $(NODE_TOOLS) $(VENV)/.dev ## Show which lines and branches of the contracts no test reaches
	@$(BIN)/python -m tools.coverage

lock: ## Make the locked requirements anew from pyproject.toml (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra corridor --extra liquidity --extra comparison --extra dev pyproject.toml requirements/build.in -o requirements/dev.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra corridor pyproject.toml requirements/build.in -c requirements/dev.txt -o requirements/run.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		requirements/prove.in -o requirements/prove.txt

clean: ## Remove what the set-up installed
	@rm -rf $(VENV) $(VENV)-halmos node_modules out cache .build

# A stamp is written only when its step has finished; a half-finished step starts over.
$(VENV)/.run: requirements/run.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is missing: install it, or name it with make PYTHON=..."; exit 1; }
	@echo "Setting up Python packages (about a minute, once) ..."
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Setting up test tools (about two minutes, once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# halmos wants other versions than eth-ape.
$(VENV)-halmos/.prove: requirements/prove.txt $(VENV)/.run
	@echo "Setting up halmos (a minute, once) ..."
	@rm -rf $(VENV)-halmos && $(BIN)/python -m venv $(VENV)-halmos
	@$(VENV)-halmos/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/prove.txt
	@touch $@

$(NODE_TOOLS): package-lock.json tools/solc.js
	@node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null || { echo "Node 20 or later is missing: install it; make test needs it, make demo doesn't."; exit 1; }
	@npm ci --silent --no-audit --no-fund
	@mkdir -p node_modules/.solcx && cp tools/solc.js node_modules/.solcx/solc-v0.8.30 && chmod +x node_modules/.solcx/solc-v0.8.30
	@touch $@

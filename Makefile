# `make demo` and `make test` need only make and Python 3.11 or newer; they install the rest into .venv.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
CASES ?= 2000
DEMO := KANPU_DEMO=1 KANPU_KEYRING=var/demo/keyring.json KANPU_VAULT_KEYS=var/demo/vault.json
PIP := $(BIN)/pip --disable-pip-version-check --quiet install

.DEFAULT_GOAL := help
.PHONY: help long demo demo-proof demo-rotate demo-payouts demo-schemes demo-fraud serve serve-production test fuzz bench bench-year chaos fuzz-bytes audit check requirements clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo: .venv/runtime ## the main job: a year of real purchases, from tills to verified refunds
	@$(DEMO) $(BIN)/python manage.py demo $(ARGS)

demo-proof: .venv/runtime ## the same with workers killed midway and everything sent twice
	@$(DEMO) $(BIN)/python manage.py demo --faults --twice
	@$(BIN)/python -m tests.independent var/demo/refunds.csv

demo-rotate: .venv/runtime ## the same with every kind of key rotated on the way
	@$(DEMO) $(BIN)/python manage.py demo --rotate
	@$(BIN)/python -m tests.independent var/demo/refunds.csv

demo-payouts: .venv/runtime ## pay 10,000 refunds over each rail while the office and the bank are killed, each once: ARGS="--seed 1"
	@$(BIN)/python -m bench payouts $(ARGS)

demo-schemes: .venv/runtime ## the demo year under every shipped scheme, each assessed twice: a minute a scheme
	@$(DEMO) $(BIN)/python manage.py demo_schemes $(ARGS)

demo-fraud: .venv/runtime ## a year with planted frauds of every kind: how many the alarms find, and what else they raise (docs/alarms.md)
	@$(DEMO) $(BIN)/python manage.py demo_fraud --write docs/alarms.md $(ARGS)

serve-production: .venv/runtime ## as in production, on this machine: TLS, roles of PostgreSQL, several processes, until Ctrl-C
	@$(BIN)/python manage.py serve_production $(ARGS)

serve: .venv/runtime ## web, workers, sweep and clock on the demo's data, until Ctrl-C
	@$(DEMO) $(BIN)/python manage.py serve $(ARGS)

test: .venv/dev ## all tests, two at a time, on a real PostgreSQL, Redis, workers, web server and browser; one by one: ARGS="tests/unit -x"
	@KANPU_CHROMIUM="$$(sh .ci/browser)" $(BIN)/python -m pytest $(or $(ARGS),--numprocesses 2 --dist worksteal)

long: .venv/dev ## proofs that take long: keys rotated and processes killed while shops sell, memory that stays flat
	@KANPU_LONG=1 KANPU_CHROMIUM="$$(sh .ci/browser)" $(BIN)/python -m pytest -m "long or property" $(ARGS)

fuzz: .venv/dev ## the long play of the API by its OpenAPI document: make fuzz CASES=2000 ARGS="--seed 1"
	@KANPU_FUZZ_CASES="$(CASES)" KANPU_FUZZ_ARGS="$(ARGS)" $(BIN)/python -m pytest -s tests/integration/test_openapi.py -k however_long

bench: .venv/runtime ## how fast it is, beside the usual and the least, each figure with its goal: make bench ARGS=--quick
	@$(BIN)/python -m bench all $(ARGS)

bench-year: .venv/runtime ## a national sample's year, 20 million purchases, and what it means for Japan: about an hour; ARGS=--quick
	@$(BIN)/python -m bench year $(ARGS)

chaos: .venv/dev ## tills sell while servers are killed a thousand times, then a year ends and is paid: make chaos ARGS="--quick --seed 1"
	@$(BIN)/python -m tests.chaos $(ARGS)

fuzz-bytes: .venv/fuzz ## any bytes for what reads tokens, seals, records, bank files and registers: make fuzz-bytes ARGS="--seconds 600"
	@$(BIN)/python -m tests.fuzz $(ARGS)

audit: .venv/dev ## known weaknesses of the libraries
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt --requirement requirements-dev.txt

check: .venv/dev ## lint, types, import rules, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	DATABASE_URL=postgresql://check@127.0.0.1:1/check REDIS_URL=redis://127.0.0.1:1 $(BIN)/mypy config apps bench sdk/kanpu_pos sdk/kanpu_verify tests
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive apps config sdk
	$(BIN)/python manage.py makemigrations --check --dry-run

requirements: ## compile requirements*.in again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11.2 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" requirements.in -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11.2 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11.2 --generate-hashes --no-emit-index-url --no-deps \
		--custom-compile-command "make requirements" requirements-data.in -o requirements-data.txt
	uv pip compile --quiet --universal --python-version 3.11.2 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" requirements-fuzz.in -o requirements-fuzz.txt

clean: ## remove .venv and all that the demo and the servers left
	-$(BIN)/python -m config.services stop
	rm -rf .venv var

.venv/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 2))' || { echo "Python 3.11.2 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

.venv/runtime: .venv/python requirements.txt requirements-data.txt sdk/pyproject.toml
	@echo "installing requirements.txt into .venv"
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --require-hashes --no-deps -r requirements-data.txt
	@$(PIP) --no-deps --no-build-isolation --editable ./sdk
	@touch $@

.venv/fuzz: .venv/dev requirements-fuzz.txt
	@echo "installing requirements-fuzz.txt into .venv"
	@$(PIP) --require-hashes -r requirements-fuzz.txt
	@touch $@

.venv/dev: .venv/runtime requirements-dev.txt
	@echo "installing requirements-dev.txt into .venv"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

# Two commands: `make run` (a release from a demo corpus) and `make test`. `make help` lists the rest.

OUTPUT ?= output
PORT ?= 3000
SPECIMENS ?= 300
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
CLIENTS := .venv-clients
BIN := $(VENV)/bin
# The detector's training and the benchmarks are code locations of their own.
CODE_OF_JOB = bioscan_etl.definitions$(if $(filter propose_reviews fine_tune_detector,$(JOB)),.training)$(if $(filter release_benchmarks,$(JOB)),.benchmarks)

.PHONY: help run dev job test test-slow test-thorough coverage docs lock clean
.DELETE_ON_ERROR:

help:
	@echo "make run    environment, demo corpus, pipeline, release   (OUTPUT=$(OUTPUT) SPECIMENS=$(SPECIMENS))"
	@echo "make dev    the Dagster UI on http://127.0.0.1:$(PORT)           (OUTPUT=$(OUTPUT) PORT=$(PORT))"
	@echo "make job    one job of the UI, run here   (OUTPUT=$(OUTPUT) JOB=propose_reviews CONFIG=run.yaml)"
	@echo "make test   ruff, mypy and the tests"
	@echo "make test-slow  the slow tests, training, and every client of a release (installs 6 GB)"
	@echo "make docs   the documentation site, into build/site; broken links are errors"
	@echo "make test-thorough  all examples of the property tests"
	@echo "make coverage  the tests of make test, with the lines that none of them runs"
	@echo "make lock   choose dependency versions anew (needs uv)"

# The environment of `make run`: the locked base. Made once; afterwards no network is needed.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing: apt-get install python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11: install python3.11, or make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.base: requirements-uv.lock requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock || \
	  { echo "no package could be fetched: the first run needs the network"; exit 1; }
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.base
	@echo "installing the locked test dependencies into $(VENV) …"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements-dev.lock
	@touch $@

# The clients and the detector's training have an environment of their own: both bring torch, and Great Expectations
# imports PySpark where it finds it, which ends a process that it takes for a doctest, such as pytest's workers.
$(CLIENTS)/.clients: requirements-clients.lock $(VENV)/.dev
	@echo "installing the locked clients of a release, and what trains a detector, into $(CLIENTS) (6 GB) …"
	@$(BIN)/python -m venv $(CLIENTS)
	@VIRTUAL_ENV=$(CURDIR)/$(CLIENTS) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements-clients.lock
	@VIRTUAL_ENV=$(CURDIR)/$(CLIENTS) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.docs: requirements-docs.lock $(VENV)/.dev
	@echo "installing what builds the site into $(VENV) …"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements-docs.lock
	@touch $@

run: $(VENV)/.base
	@test -e "$(OUTPUT)/landing" || $(BIN)/bioscan-etl demo --output "$(OUTPUT)" --specimens $(SPECIMENS)
	@$(BIN)/bioscan-etl run --output "$(OUTPUT)"
	@$(BIN)/bioscan-etl check "$(OUTPUT)/releases/latest"

dev: $(VENV)/.base
	@$(BIN)/bioscan-etl ui "$(OUTPUT)" --port $(PORT)

job: $(VENV)/.base
	@test -n "$(JOB)" || { echo "which job? make job JOB=propose_reviews"; exit 1; }
	@mkdir -p "$(OUTPUT)/.dagster"
	@output=$$(cd "$(OUTPUT)" && pwd) && home="$$output/.dagster" && { test -e "$$home/dagster.yaml" || home="$(CURDIR)"; } && \
	  DAGSTER_HOME="$$home" BIOSCAN_OUTPUT="$$output" \
	  BIOSCAN_DAGSTER_STORAGE="$$output/.dagster" PYTHONWARNINGS=ignore $(BIN)/dagster job execute -m $(CODE_OF_JOB) -j $(JOB) $(CONFIG:%=-c %)

test: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@command -v chromium >/dev/null || echo "chromium is missing, its tests are skipped: apt-get install chromium"
	@$(BIN)/pytest -n 2 --dist loadfile --instafail -m "not slow and not clients and not train"

docs: $(VENV)/.docs
	@$(BIN)/python -m bioscan_etl.reference docs
	@$(BIN)/zensical build --strict --clean --config-file mkdocs.yml

# The warnings of the clients and of torch are not ours to mend, so they are no errors there.
# Many slow tests wait for servers and browsers, so one more runs than there are cores.
test-slow: $(CLIENTS)/.clients $(VENV)/.docs
	@command -v java >/dev/null || echo "Java is missing, PySpark's tests are skipped: apt-get install default-jre-headless"
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --instafail -m "slow and not clients and not train"
	@$(if $(BIOSCAN_NO_SKIPS),BIOSCAN_NO_SKIPS=clients) $(CLIENTS)/bin/python -m pytest -n 2 --dist loadfile --instafail -W default -m "clients or train"

# Measuring makes the tests take twice as long, so CI leaves it out.
coverage: $(VENV)/.dev
	@$(BIN)/pytest -n 2 --dist loadfile --instafail --cov -m "not slow and not clients and not train"

# All examples of the property tests; `make test` tries a quarter of them.
test-thorough: $(VENV)/.dev
	@HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n 2 --dist loadfile --instafail -m "hypothesis and not clients and not train"

lock:
	echo uv | uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" - -o requirements-uv.lock
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --extra pipeline --extra postgres --group base-build -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --extra pipeline --extra postgres --group base-build --group dev -c requirements.lock \
	  -o requirements-dev.lock
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --extra pipeline --extra train -c requirements.lock -o requirements-train.lock
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --extra pipeline --group docs -c requirements.lock -c requirements-dev.lock \
	  -o requirements-docs.lock
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --extra pipeline --extra postgres --extra train --extra bench --group base-build --group dev --group clients \
	  -c requirements.lock -c requirements-dev.lock -o requirements-clients.lock

clean:
	rm -rf $(VENV) $(CLIENTS) output

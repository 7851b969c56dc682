# Everything a user, CI or pre-commit runs. Each target sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REFEREE := .venv-bench
PEERS := .venv-peers
SPARK := .venv-spark
CLIENTS := .venv-clients
AUDIT := .venv-audit
EVALUATOR := target/evaluator
TELEMETRY ?=
LINES ?= 100000 1000000
FOLDER ?=
# Two macros write each landing, seconds of linting where they are expanded: two sources stand for all.
ALIKE = $(filter-out models/staging/tokenest/% models/staging/otel/%,$(wildcard models/staging/*/base_*_lines.sql))
QUERIES = $(filter-out $(ALIKE),$(shell find models -name '*.sql')) tests/dbt/singular
# what it reads lives as long as it runs: to look through that less often saves a quarter of its time
SQLFLUFF := $(BIN)/python -c 'import gc; gc.set_threshold(100_000, 50, 100); from sqlfluff.cli.commands import cli; cli()'
HAS_JAVA = java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'
export DO_NOT_TRACK := 1
export PYTHONUTF8 := 1
# tests start hundreds of processes, each of which would compile the package
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup build test test-fast test-clients test-spark test-spark-cluster spark-sizes audit evaluator lint lint-macros format fields demo bench soak docs picture reference lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 22

setup: $(STAMP)  ## create .venv from the pinned versions

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tokenest needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@echo "setting up $(VENV) from requirements.lock (about a minute, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m tokenest_py.pipeline.plan.store
	@touch $(STAMP)

build: $(STAMP)  ## land, score, calibrate, export: make build TELEMETRY='logs/**/*.ndjson'
	@$(if $(TELEMETRY),TOKENEST_TELEMETRY='$(TELEMETRY)') $(BIN)/tokenest build

test: lint lint-macros  ## everything that CI runs
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	@$(MAKE) --no-print-directory test-clients
	@if $(HAS_JAVA); then $(MAKE) --no-print-directory test-spark; \
		else echo "left out: the parity with Spark, which needs Java 17 or newer on the path"; fi

test-fast: $(STAMP)  ## the runtime, the formulas and the sample build, in a minute
	@$(BIN)/python -m pytest --quiet --numprocesses 2 --dist loadfile -m 'not slow'

test-clients: $(CLIENTS)/.installed  ## sized() against the real client libraries, before a provider on loopback
	@cd tests/clients && ../../$(CLIENTS)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# 0.6 GB of client libraries; the everyday install stays without.
$(CLIENTS)/.installed: requirements-clients.lock
	@echo "setting up $(CLIENTS) from requirements-clients.lock (about a minute, once)"
	@$(PYTHON) -m venv --clear $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

test-spark: $(STAMP) $(SPARK)/.installed  ## build on DuckDB and on Spark, compare every table (Java 17)
	@PYTHONPATH=tests/support:tests/models:benchmarks $(BIN)/python tests/spark/parity.py $(SPARK)/bin/python

test-spark-cluster: $(STAMP) $(SPARK)/.installed  ## the same with two workers, one of them killed
	@PYTHONPATH=tests/support:tests/models:benchmarks $(BIN)/python tests/spark/parity.py --cluster $(SPARK)/bin/python

spark-sizes: $(STAMP) $(SPARK)/.installed  ## what a build costs on Spark and on DuckDB: make spark-sizes LINES=1000000
	@PYTHONPATH=tests/spark:tests/support:tests/models $(BIN)/python benchmarks/spark_sizes.py \
		$(SPARK)/bin/python $(LINES:%=--lines %) $(if $(FOLDER),--folder $(FOLDER))

# 0.6 GB that only these need; the everyday install stays without.
$(SPARK)/.installed: requirements-spark.lock
	@echo "setting up $(SPARK) from requirements-spark.lock (about a minute, once)"
	@$(PYTHON) -m venv --clear $(SPARK)
	@$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

audit: $(STAMP) $(AUDIT)/.installed  ## dbt-score and dbt-bouncer on the manifest (docs/decisions/0018)
	@$(BIN)/dbt parse --quiet
	@$(AUDIT)/bin/dbt-score lint --manifest target/manifest.json
	@$(AUDIT)/bin/dbt-bouncer run --show-all-failures

# Both read the manifest alone; dbt stays out of it, and their pins stay out of .venv.
$(AUDIT)/.installed: requirements-audit.lock
	@echo "setting up $(AUDIT) from requirements-audit.lock (half a minute, once)"
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# dbt's hub has it, and the package's users are spared it: a folder of links reads it (docs/decisions/0018).
evaluator: $(STAMP)  ## dbt-project-evaluator from dbt's hub on the project, in half a minute
	@mkdir -p $(EVALUATOR)/telemetry
	@ln -sfn $(addprefix $(CURDIR)/,models macros seeds tests profiles.yml selectors.yml) $(EVALUATOR)
	@cp tests/evaluator/packages.yml $(EVALUATOR)
	@# paths of nine steps: all of them are 55 million rows, and find the same
	@sed '/^vars:/a\  dbt_project_evaluator: {max_depth_dag: 9}' dbt_project.yml \
		| cat - tests/evaluator/dispatch.yml > $(EVALUATOR)/dbt_project.yml
	@cd $(EVALUATOR) && $(CURDIR)/$(BIN)/dbt deps && TOKENEST_DB=evaluator.duckdb TOKENEST_TELEMETRY=telemetry \
		$(CURDIR)/$(BIN)/dbt build --select package:dbt_project_evaluator

lint: $(STAMP)  ## ruff, mypy and sqlfluff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy & typed=$$!; \
		$(SQLFLUFF) lint --exclude-rules LT02 --disable-progress-bar macros tests/dbt/generic; \
		written=$$?; wait $$typed && exit $$written
	@$(SQLFLUFF) lint --processes 0 --disable-progress-bar models tests/dbt/singular

lint-macros: $(STAMP)  ## models with what their macros write, all but the layout
	@$(SQLFLUFF) lint --config .sqlfluff-expanded --processes 0 --disable-progress-bar $(QUERIES)

format: $(STAMP)  ## rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(SQLFLUFF) fix --disable-progress-bar models tests/dbt/singular

fields: $(STAMP)  ## write macros/record/source_fields.sql from models/staging/*/fields.csv
	@$(BIN)/python macros/record/source_fields.py

demo: $(STAMP)  ## plan, drain, build and report on a recorded agent that costs nothing
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

picture: $(STAMP)  ## draw docs/page.svg, the README's picture of the page, from calls that an example makes up
	@rm -rf target/picture && mkdir -p target/picture
	@$(BIN)/python examples/gateway_log.py > target/picture/gateway.ndjson
	@export TOKENEST_TELEMETRY=target/picture/gateway.ndjson TOKENEST_DB=target/picture/calls.duckdb \
		TOKENEST_EXPORTS=target/picture/exports; \
		$(BIN)/tokenest build > target/picture/build.log 2>&1 && $(BIN)/python examples/page_picture.py > docs/page.svg

bench: $(STAMP) $(REFEREE)/.installed $(PEERS)/.installed $(CLIENTS)/.installed  ## what proves the speed and the budgets: make bench LINES=10000000 FOLDER=/large
	-@$(BIN)/python benchmarks/estimator.py
	-@$(BIN)/python benchmarks/recorder.py
	-@$(BIN)/python benchmarks/service.py
	-@PYTHONPATH=.:tests/support:tests/clients $(CLIENTS)/bin/python benchmarks/clients.py
	-@$(BIN)/python benchmarks/pipeline.py $(LINES:%=--lines %) $(if $(FOLDER),--folder $(FOLDER))
	-@$(BIN)/python benchmarks/growth.py --most-lines $(lastword $(LINES)) $(if $(FOLDER),--folder $(FOLDER))
	-@$(BIN)/python benchmarks/sources.py --lines $(lastword $(LINES)) $(if $(FOLDER),--folder $(FOLDER))
	-@$(BIN)/python benchmarks/sessions.py --ccusage $(PEERS)/node_modules/.bin/ccusage --polars $(PEERS)/bin/python
	-@PYTHONPATH=tests/support $(BIN)/python benchmarks/calibration.py --referee $(REFEREE)/bin/python

# Where LightGBM cannot be installed the benchmark says so and leaves its columns out.
$(REFEREE)/.installed: benchmarks/requirements-calibration.lock
	@$(PYTHON) -m venv --clear $(REFEREE)
	@-$(REFEREE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# What users have instead; one that cannot be installed is left out, and the benchmark says so.
$(PEERS)/.installed:
	@$(PYTHON) -m venv --clear $(PEERS)
	@-$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0
	@-npm install --silent --no-audit --no-fund --prefix $(PEERS) ccusage@20.0.26
	@touch $@

soak: $(STAMP)  ## the trials in large: kills, histories of files, I/O errors, readers, commands
	@$(BIN)/python benchmarks/recorder_kill_trials.py --kills 5000 --control-kills 100
	@$(BIN)/python benchmarks/landing_kill_trials.py --dbt 250 --plan 250
	@$(BIN)/python benchmarks/publishing_kill_trials.py --kills 100
	@$(BIN)/python benchmarks/file_history_trials.py --histories 1000
	@$(BIN)/python benchmarks/io_error_trials.py --landing 120 --export 80
	@$(BIN)/python benchmarks/reader_trials.py --builds 50
	@$(BIN)/python benchmarks/frame_trials.py --signals 10

docs: $(STAMP)  ## the dbt documentation as one page: target/static_index.html
	@$(BIN)/dbt docs generate --static --quiet
	@echo "wrote target/static_index.html"

reference: $(STAMP)  ## print the pages of docs/reference again
	@$(BIN)/dbt run-operation print_vars --quiet --target lint > docs/reference/vars.md
	@for page in cli coefficients settings; do \
		$(BIN)/python -m tokenest_py.cli.reference $$page > docs/reference/$$page.md || exit 1; done
	@$(BIN)/python -m tokenest_py.service.openapi > docs/reference/openapi.json

lock: pyproject.toml  ## pin again what pyproject.toml asks for (needs uv)
	uv pip compile --quiet --python-version 3.11 --no-strip-extras --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --upgrade \
		--extra pipeline --extra report --extra serve --extra dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --python-version 3.11 --no-strip-extras --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --upgrade --constraint requirements.lock \
		--extra spark pyproject.toml -o requirements-spark.lock
	printf 'dbt-score\ndbt-bouncer\n' | uv pip compile --quiet --python-version 3.11 --no-strip-extras \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade \
		- -o requirements-audit.lock
	uv pip compile --quiet --python-version 3.11 --no-strip-extras --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --upgrade \
		tests/clients/requirements.in -o requirements-clients.lock
	uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url --upgrade \
		tests/contracts/resolved/clients.in -o tests/contracts/resolved/without.txt
	uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url --upgrade \
		--extra cli --extra clients --extra pipeline --extra report --extra serve \
		tests/contracts/resolved/clients.in pyproject.toml -o tests/contracts/resolved/with.txt

clean:  ## remove what can be made again, but no database and no telemetry
	@rm -rf target logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

# make run: set everything up and start Tempo. make test: the whole test suite. Both work on a bare checkout.
HOST ?= 127.0.0.1
PORT ?= 8000
PYTHON ?= python3
# Most tests wait for processes: two workers more than cores.
WORKERS ?= $(shell echo $$(( $$(nproc) + 2 )))
BIN := .venv/bin
CODE := tempo_site scripts_app runs_app notifications_app
# Byte code of both kinds: the second is for launcher and web alone (tempo_site/web/byte_code.py).
COMPILE := $(BIN)/python -m compileall -q -j 0
COMPILE_LEAN := $(BIN)/python -X no_debug_ranges -m compileall -q -j 0 -o 2

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: run upgrade dev test test-code image-test lint house bench chaos corpus screenshots setup setup-dev format

run: .venv/.ready
	@exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT)

# The newest version of this checkout. A Tempo that runs would load parts of two versions: it is stopped before, and
# started again behind it.
upgrade: .venv/.ready
	$(BIN)/python manage.py prepare --stopped
	$(BIN)/python manage.py backup
	git pull --ff-only
	$(MAKE) setup
	$(BIN)/python manage.py prepare

dev: .venv/.ready-dev
	@PYSCHED_DEBUG=true exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT) --reload

test: .venv/.ready-dev
	@$(COMPILE) $(CODE) || true
	@$(COMPILE_LEAN) $(CODE) || true
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# The byte code of the tests, which pytest writes: each of its workers would make it anew. What is wrong is said by these.
test-code: .venv/.ready-dev
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null || true

# The long series of kills, of which `make test` tries ten points each.
chaos: .venv/.ready-dev
	$(BIN)/python -m pytest -m chaos tests $(ARGS)

# Small real jobs with the packages that people use most, in real runs; it installs all of them.
corpus: .venv/.ready-dev
	$(BIN)/python -m pytest -m packages tests/corpus $(ARGS)

# The image, built and run for real: as root, with docker.io and mmdebstrap of Debian, or with the engine of DOCKER_HOST.
image-test: .venv/.ready-dev
	$(BIN)/python -m pytest -m image tests/image $(ARGS)

lint: .venv/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/biome format .
	$(BIN)/djhtml --check --tabwidth 2 templates
	$(BIN)/mypy .

format: .venv/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/biome format --write .
	$(BIN)/djhtml --tabwidth 2 templates

# How the code reads, beside the goals of its style. ARGS=--worst names the files to begin with.
house:
	@$(PYTHON) -m tests.house $(ARGS)

bench: .venv/.ready-dev
	$(BIN)/python -m tests.benchmarks $(ARGS)

screenshots: .venv/.ready-dev
	$(BIN)/python -m tests.screenshots $(ARGS)

setup: .venv/.ready
setup-dev: .venv/.ready-dev

# Byte code is written here, once: without it every start takes three times as long.
.venv/.ready: requirements.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tempo needs Python 3.11 or newer. hint: make run PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP_INSTALL) --requirement requirements.txt
	@$(COMPILE) .venv/lib $(CODE) >/dev/null || true
	@$(COMPILE_LEAN) .venv/lib $(CODE) >/dev/null || true
	@$(BIN)/python -m tempo_site.bootstrap.console_script
	@touch $@

.venv/.ready-dev: requirements-dev.txt .venv/.ready
	$(PIP_INSTALL) --requirement requirements-dev.txt
	@$(COMPILE) .venv/lib >/dev/null || true
	@touch $@

# Everything a user or a developer does with a checkout; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DATA ?= .pedigree
PETS ?=
MINUTES ?= 90
SEED ?= 1

# Of a shell's variables nothing that is meant for another Python reaches this one, and pip gets only what says where
# packages come from: PIP_USER, PIP_TARGET and the like would put them elsewhere.
PIP_KEPT := $(addprefix PIP_,INDEX_URL EXTRA_INDEX_URL NO_INDEX FIND_LINKS TRUSTED_HOST CERT CLIENT_CERT PROXY \
	CACHE_DIR NO_CACHE_DIR TIMEOUT DEFAULT_TIMEOUT RETRIES RESUME_RETRIES KEYRING_PROVIDER CONFIG_FILE ROOT_USER_ACTION)
unexport $(filter PYTHON% __PYVENV_LAUNCHER__,$(.VARIABLES))
unexport $(filter-out $(PIP_KEPT),$(filter PIP_%,$(.VARIABLES)))

# The scripts in .venv name the Python of the place where they were made; after a move or a copy they lead nowhere, or
# into the checkout that was copied.
made_here = python=$$(pwd -P)/.venv/bin/python; [ -x "$$python" ] && \
	grep -qsF -e "!$$python" -e "\"$$python" -e "' $$python" .venv/bin/pip
elsewhere := $(shell $(made_here) || echo elsewhere)

.PHONY: help install demo up check test test-all test-faults coverage bench clean elsewhere

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## make .venv with the pedigree command in it

# The mark is made last: an install that broke off goes on, one without a working pip or of another place begins again,
# and a changed lock file is followed.
.venv/.installed: requirements-dev.lock pyproject.toml client/pyproject.toml $(elsewhere)
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Pedigree needs Python 3.11, 3.12 or 3.13; name one with PYTHON=python3.12")'
	@$(if $(elsewhere),[ ! -e $@ ] || echo "This environment was made in another place. It is made again." >&2)
	@$(if $(elsewhere),false,$(BIN)/python -m pip --version >/dev/null 2>&1) || $(PYTHON) -m venv --clear .venv
	$(PIP) --require-hashes --requirement requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable . --editable client
	@touch $@

demo: install ## train, examine and serve on this machine (PETS=FOLDER for real photos)
	@exec $(BIN)/pedigree demo --data "$(DATA)" $(if $(PETS),--pets "$(PETS)") --again "make up$(if $(subst .pedigree,,$(DATA)), DATA='$(DATA)')"

up: install ## start the whole service on 127.0.0.1 (DATA=FOLDER for another data folder)
	@mkdir -p "$(DATA)" && exec $(BIN)/pedigree up --data "$(DATA)"

check: install ## ruff, mypy and the import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

# Three processes with one thread each for two cores: much of a test with workers is waiting, and processes that each use
# both cores spend their time waiting for each other. One that is done takes tests from the others.
test: install ## the tests that every change passes, with real Postgres, Redis and workers
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 3 --dist worksteal -m "not thorough"

test-all: install ## those and all that takes long: every family, every export, whole services, walks through the page
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 3 --dist worksteal

test-faults: install ## faults of the whole service, drawn by SEED, for MINUTES; prints the table of docs/reliability.md
	$(BIN)/python -m tests.faults --minutes "$(MINUTES)" --seed "$(SEED)"

coverage: install ## the test suite, and which lines and branches it never came to
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --cov --cov-report=term-missing

missing_for_bench = $(strip $(foreach name,PETS FASTAI_PYTHON PEER WEIGHTS,$(if $($(name)),,$(name))))

bench: install ## train beside fastai (PETS, FASTAI_PYTHON, PEER and WEIGHTS name what it needs)
	$(if $(missing_for_bench),$(error make bench needs $(missing_for_bench): make bench PETS=PHOTOS FASTAI_PYTHON=ENV/bin/python PEER=fastai_train.py WEIGHTS=FOLDER))
	$(BIN)/python -m benchmarks.train_vs_fastai "$(PETS)" --fastai-python "$(FASTAI_PYTHON)" --peer "$(PEER)" --weights "$(WEIGHTS)"

clean: ## remove what `make` made (never the data folder)
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.*

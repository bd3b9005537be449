# SPDX-License-Identifier: BSD-2-Clause
#
# The one table of commands, for people and for CI. Every command sets itself up; a fresh machine needs Python 3.11,
# git, a C++ compiler, make and perl.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.erbium-installed
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo bench test test-all coverage lint commands docs linkcheck format clean distclean

help:  ## show this table
	@echo "make COMMAND [ARGS='...'] [PYTHON=python3.12]"
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)$$/  \1	\2/p' Makefile | expand -t 14

setup: $(STAMP)  ## create .venv, install Erbium and the tests' needs; install Icarus where that needs no password
	@tools/setup-icarus.sh

demo: $(STAMP)  ## train MNIST on the simulated chip and write a report, in place of the last one; ARGS go to `erbium demo`
	@$(BIN)/erbium demo --overwrite $(ARGS)

bench: $(STAMP)  ## measure the numbers that the documentation quotes; ARGS go to `erbium bench`
	@$(BIN)/erbium bench $(ARGS)

PYTEST := $(BIN)/pytest -n auto --dist worksteal --durations 10 --durations-min 5

test: setup  ## lint, and the tests on every core, in 20 minutes on two; ARGS go to pytest, as in ARGS='-k encoder'
	@mkdir -p build; $(MAKE) -s lint > build/lint.log 2>&1 & lint=$$!; \
	$(PYTEST) $(ARGS); tests=$$?; \
	wait $$lint || { cat build/lint.log; exit 1; }; exit $$tests

test-all: setup lint  ## the same with the long tests: every case of every bench on its simulators; over an hour on two cores
	$(PYTEST) --all $(ARGS)

coverage: setup  ## `make test` with the lines of Python counted that it reaches; writes docs/python-coverage.json; an hour on two cores
	rm -rf build/coverage
	$(BIN)/coverage run -m pytest -n auto --dist worksteal $(ARGS)
	$(BIN)/python tools/python-coverage.py

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/typecheck.py

commands: $(STAMP)  ## type every command of README and docs where the wheel is, without extras; ARGS name pages
	@$(BIN)/python tools/try-commands.py $(ARGS)

docs: $(STAMP)  ## build the documentation into build/docs, with a page in which the chip learns and one of its neurons; a warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs
	@$(BIN)/erbium page erbp-mnist-100 --data mnist-12000 -o build/docs/teach --overwrite
	@$(BIN)/erbium gallery -o build/docs/gallery.html --overwrite > /dev/null
	@echo "build/docs/index.html"

linkcheck: $(STAMP)  ## ask the web for every link that leaves the documentation; needs a network
	$(BIN)/sphinx-build -q -W --keep-going -b linkcheck docs build/linkcheck

format: $(STAMP)  ## sort imports, lay out the code, fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove everything generated, but not .venv
	rm -rf build docs/generated dist out sim_build obj_dir results.xml .mypy_cache .pytest_cache .ruff_cache .hypothesis .numba_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## remove .venv, too
	rm -rf $(VENV) erbium_snn.egg-info

$(STAMP): pyproject.toml tools/setup-venv.sh
	@tools/setup-venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

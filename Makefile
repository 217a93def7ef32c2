# Each target sets up a virtual environment in .venv first, and again when the dependencies change.
# Nothing else is needed than Python 3.11 or newer, git and make.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
INSTALLED := .venv/installed
PYTEST_FLAGS ?= --numprocesses auto

# The checkout is the package nnx_codemod, whatever its folder is called: mypy is shown it under that name.
PACKAGE := build/types/nnx_codemod
PARTS := $(filter-out setup.py,$(wildcard *.py)) py.typed $(patsubst %/__init__.py,%,$(wildcard */__init__.py))

export JAX_PLATFORMS ?= cpu

.PHONY: demo test lint types format benchmark clean

demo: $(INSTALLED)
	$(BIN)/nnx-codemod demo

test: $(INSTALLED)
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	rm -rf $(PACKAGE) && mkdir -p $(PACKAGE)
	for part in $(PARTS); do ln -s ../../../$$part $(PACKAGE)/$$part; done
	cd $(PACKAGE)/.. && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml \
		--cache-dir $(CURDIR)/.mypy_cache --package nnx_codemod

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(INSTALLED)
	$(BIN)/python benchmarks/cost.py

clean:
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache nnx_codemod.egg-info

$(INSTALLED): pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

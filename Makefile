# Two commands suffice on a machine with Python >= 3.11 and pip: `make reproduce` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/run.stamp
DEV := .venv/dev.stamp
.DEFAULT_GOAL := help
.PHONY: help setup fmt lint test slow mutants notebooks docs figures bench reproduce clean

help:  ## say what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(RUN): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(RUN)

setup: $(DEV)  ## make .venv with everything a developer needs

fmt: $(DEV)  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(DEV)  ## style, types, and which room may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(DEV)  ## the tests, under five minutes on two cores
	$(BIN)/python -m pytest

slow: $(DEV)  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow || [ $$? -eq 5 ]

mutants: $(DEV)  ## plant sampled mistakes and see whether a test notices; an hour on two cores, resumed where it stopped
	$(BIN)/python -m mutants

notebooks: $(DEV)  ## execute notebooks/*.py into notebooks/*.ipynb
	$(BIN)/python notebooks/render.py

docs: $(DEV)  ## build the documentation site into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

figures: $(RUN)  ## draw the theory figures into figures/
	$(BIN)/python -m maetheory figure --out figures

bench: $(DEV)  ## every benchmark, as ratios to something named
	for b in benchmarks/*.py; do $(BIN)/python $$b || exit 1; done

reproduce: $(RUN)  ## train random/MAE/U-MAE on the embedded digits, measure, draw, write the report page
	$(BIN)/python -m maetheory reproduce

clean:  ## remove the environment and every cache
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .mutants build dist docs/_build docs/generated
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

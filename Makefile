# `make demo` and `make test` set everything up by themselves: they need Python 3.11+ and make.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
  $(shell $(p) -c 'import sys; print("$(p)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo check test test-slow lint format docs results clean
help:
	@echo "make demo       the main job on the embedded images; ends with a report"
	@echo "make check      lint, types, and tests of what differs from the last commit"
	@echo "make test       lint, types and tests"
	@echo "make test-slow  the slow checks too: browser, kill tests, long fuzzing"
	@echo "make format     put the code in the house's format"
	@echo "make docs       the documentation site, in site/"
	@echo "make results    the pages of results, and how long each takes; PAGES=\"study search\" makes"
	@echo "                these two again"

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with PYTHON=…"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/equipoise demo --out demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests of the rooms with files that differ from the last commit.
CHANGED = $(wildcard $(shell git status --porcelain -- src tests | \
  sed -nE 's!^.. (src/equipoise|tests)/([a-z_]+)(/.*|\.py)$$!tests/\2 tests/test_\2.py!p' | sort -u))

check: lint
	$(if $(CHANGED),$(BIN)/pytest -q -x -m "not slow" $(CHANGED))

test: lint
	$(BIN)/pytest -m "not slow"

test-slow: $(READY)
	$(BIN)/pytest -m slow

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

results: $(READY)
	$(BIN)/python benchmarks/results.py $(PAGES)

clean:
	rm -rf .venv demo site .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Two commands are the door: `make demo` and `make test`. Both set up first; a second call does not set up again.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV  ?= .venv
OUT   ?= out/demo
BIN   := $(VENV)/bin
READY := $(VENV)/.spinekit-ready
PIP   := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: help demo test lab check setup clean bench

help:
	@echo "make demo   set up, run the main job on a simulated case, print where the report is"
	@echo "make test   set up, check style, types and imports, run the tests"
	@echo "make lab    set up, open JupyterLab on the notebooks"
	@echo "make bench  set up, print every benchmark"
	@echo "make clean  remove the environment and what the demo wrote"

setup: $(READY)

# The name of the stamp's content is the pair of files that decide what is installed: if they change, set up again.
$(READY): pyproject.toml constraints.txt
	@bash .ci/check-prerequisites
	@echo "Setting up $(VENV); this takes a few minutes the first time and needs the package index."
	@test -x $(BIN)/python || "$$(bash .ci/check-prerequisites --python)" -m venv $(VENV)
	@$(PIP) numpy setuptools wheel
	@$(PIP) --no-build-isolation pyradiomics==3.0.1   # its sdist imports numpy while it is built
	@$(PIP) torch==2.13.0   # asked for by its exact version, so that an index with a CPU build gives that
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@$(BIN)/python -m spinekit.labextension >/dev/null   # the files of the 3-D viewer, so that it needs no network
	@$(BIN)/python -m spinekit.warm
	@touch $@

demo: $(READY)
	@echo "A small form of the study on simulated cases, then one case to its report."
	@$(BIN)/spinekit study --form small --no-networks --out $(OUT)-study
	@$(BIN)/spinekit demo --out $(OUT)

lab: $(READY)
	@cd notebooks && ../$(BIN)/jupyter lab

check: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: check
	@bash .ci/browser
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

bench: $(READY)
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) out build dist *.egg-info

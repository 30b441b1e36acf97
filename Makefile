# make demo | test | lint | bench | notebooks | clean; each makes the environment that it needs.
#   PYTHON  the interpreter that the environment is made with (3.11 to 3.13)
#   VENV    where the environment is
#   JOBS    test processes
#   FRESH   1: bench forgets what it has measured
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

BIN := $(VENV)/bin
STAMP := $(VENV)/.tkit-installed

.PHONY: demo test lint bench notebooks clean

demo: $(STAMP)
	$(BIN)/tkit run --recipe digits_cnn_edge

test: $(STAMP)
	$(BIN)/python -m pytest -rs -n $(JOBS) --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(if $(FRESH),rm -rf benchmarks/results/*)
	set -e; for script in $(sort $(wildcard benchmarks/[a-z]*.py)); do \
	  echo "== $$script"; $(BIN)/python $$script; \
	done

notebooks: $(STAMP)
	$(BIN)/python notebooks/execute.py

# Run folders stay.
clean:
	rm -rf $(VENV) build dist edge/dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml edge/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("tkit needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e './edge[images,litert]' -e '.[dev,ethos-u,onnx,tfds,tflm]'
# TFMOT asks for an absl-py that nothing else here does any more; it works with the newer one.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps tensorflow-model-optimization tf_keras mock
	@touch $@

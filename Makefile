# Two commands are all a newcomer needs: `make measure` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= quick

# CIFAR-10 for the training's benchmark; `parquet:FOLDER` where nothing can be downloaded.
DATA ?= cifar10

# `make evidence REHEARSE=1` tries every command line of it on the CPU, with budgets of a second.
DEVICE := $(if $(REHEARSE),cpu,cuda)
BUDGETS := $(if $(REHEARSE),--max-seconds 1 --epochs 1 --seeds 1 --out studies/rehearsal,--minutes 25)

# What an image with Python $(WHEELS_FOR), torch, pandas, scikit-learn and rich may lack for it.
WHEELS_FOR ?= 3.12
WHEELS := codecarbon zeus
WHEELS_FROM_SOURCE := fvcore iopath yacs termcolor torch-pruning
PLATFORMS := manylinux_2_28_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux1_x86_64

.PHONY: help measure test evidence wheels check bench-energy bench-count bench-layers bench-repeat bench-train bench-transforms bench-variants clean

help:
	@echo "make measure       install, measure the study's two models, write a report"
	@echo "make test          install with the test dependencies, run the whole suite"
	@echo "make evidence      what a GPU is asked in 25 minutes (REHEARSE=1: on the CPU first)"
	@echo "make wheels        what a machine without network lacks for that, to be carried there"
	@echo "make check         lint, types, architecture, and what the wheel holds"
	@echo "make bench-energy  the estimator against known truth and against its rivals"
	@echo "make bench-count   the MAC counter against torch's own"
	@echo "make bench-startup how long the verbs take to start"
	@echo "make bench-layers  whether time and joules of the layers add up to the whole"
	@echo "make bench-transforms every transform on torchvision's classifiers: works, or says why not"
	@echo "make bench-variants what compression and run-times gain here, beside their goals (ONLY=int8,runtimes OUT=DIR)"
	@echo "make bench-repeat  whether a number comes out the same again (ARGS=--full: a day)"
	@echo "make bench-train   training: rate, accuracy, cost of the ledger, and 20 SIGKILLs (DATA=...)"

# The stamps make a second run skip the installation.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed\nhint: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

measure: $(VENV)/.installed
	$(BIN)/python -m reports study $(STUDY)

evidence: $(VENV)/.installed
	$(BIN)/python -m reports study evidence --device $(DEVICE) --data $(if $(REHEARSE),digits,$(DATA)) $(BUDGETS)

wheels: $(VENV)/.installed
	$(BIN)/python -m pip download --quiet --only-binary=:all: --python-version $(WHEELS_FOR) \
		--implementation cp $(addprefix --platform ,$(PLATFORMS)) --dest wheels $(WHEELS)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir wheels $(WHEELS_FROM_SOURCE)
	# amdsmi writes to stdout when it is imported where there is no such GPU.
	rm -f wheels/amdsmi-* wheels/numpy-* wheels/scipy-* wheels/pandas-* wheels/scikit_learn-*

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py
	rm -rf build dist
	$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	$(BIN)/check-wheel-contents dist

bench-energy: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.energy
	$(BIN)/python -m tests.bench.real_time --seconds 120
	$(BIN)/python -m tests.bench.faults
	$(BIN)/python -m tests.bench.overhead

bench-count: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.count

bench-startup: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.startup

bench-layers: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.layers

bench-transforms: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.transforms $(if $(OUT),--out $(OUT))

bench-variants: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.variants $(if $(ONLY),--only $(ONLY)) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(if $(OUT),--out $(OUT))

bench-repeat: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.repeat $(ARGS)

bench-train: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench.train --data $(DATA)
	$(BIN)/python -m tests.bench.train_ledger --data $(DATA)
	$(BIN)/python -m tests.bench.train_kill

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

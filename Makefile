# A thin front: everything here can be typed by hand. The first call makes a virtual environment and installs into it.
#   make train | test | check | lint | docs | serve     PYTHON=python3.12 picks a Python, which gets a folder of its own
#   make serve PORT=8600 REST_PORT=8601          where others use 8500 (gRPC) and 8501 (REST and the page)
PYTHON ?=
EXTRAS ?= test
TESTS ?= tests
JOBS ?= 2
PORT ?= 8500
REST_PORT ?= 8501
VENV ?= .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
RUN := $(VENV)/bin/python
PYTEST := $(RUN) -m pytest -n $(JOBS) --dist worksteal
# Kept until what is to be installed changes, so that a second call starts at once.
INSTALLED := $(VENV)/.installed-$(EXTRAS)

.PHONY: train test check lint docs serve
train: $(INSTALLED)
	$(RUN) -m bms_tf.train --gin_file=gin/ring.gin --run_dir=runs/ring

# Three sessions: one that runs all tests holds three gigabytes in the end. The code 5 says that a folder has none of a kind.
test: $(INSTALLED)
	$(PYTEST) -m "not slow" $(TESTS) || test $$? -eq 5
	$(PYTEST) -m slow -k conformance $(TESTS) || test $$? -eq 5
	$(PYTEST) -m slow -k "not conformance" $(TESTS) || test $$? -eq 5

check: lint
	$(PYTEST) -m "not slow" $(TESTS)

serve: $(INSTALLED)
	$(RUN) -m bms_tf.serve --model_dir=savedmodels --port=$(PORT) --rest_port=$(REST_PORT)

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m basedpyright --pythonpath $(RUN)

# Not --quiet, which drops the warnings that --strict counts.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict
	@echo "open site/index.html"

$(INSTALLED): setup.py constraints.txt
	@python=$$(sh tools/find_python.sh "$(PYTHON)") && { test -x $(RUN) || "$$python" -m venv $(VENV); }
	@echo "installing into $(VENV), which takes minutes the first time; $(VENV)/pip.log says how far it is"
	@$(RUN) -m pip install --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]" \
		>$(VENV)/pip.log 2>&1 || { tail -n 20 $(VENV)/pip.log >&2; echo "all of it: $(VENV)/pip.log" >&2; exit 1; }
	@touch $@

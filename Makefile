# A thin front: everything here can be typed by hand. The first call makes a virtual environment and installs into it.
#   make train | test | check | lint | serve     PYTHON=python3.12 picks a Python, which gets a folder of its own
#   make serve PORT=8600 REST_PORT=8601          where others use 8500 (gRPC) and 8501 (REST and the page)
PYTHON ?=
EXTRAS ?= test
TESTS ?= tests
JOBS ?= 2
PORT ?= 8500
REST_PORT ?= 8501
VENV ?= .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
RUN := $(VENV)/bin/python
# Kept until what is to be installed changes, so that a second call starts at once.
INSTALLED := $(VENV)/.installed-$(EXTRAS)

.PHONY: train test check lint serve
train: $(INSTALLED)
	$(RUN) -m bms_tf.train --gin_file=gin/ring.gin --run_dir=runs/ring

test: $(INSTALLED)
	$(RUN) -m pytest -n $(JOBS) --dist worksteal $(TESTS)

check: lint
	$(RUN) -m pytest -n $(JOBS) --dist worksteal -m "not slow" $(TESTS)

serve: $(INSTALLED)
	$(RUN) -m bms_tf.serve --model_dir=savedmodels --port=$(PORT) --rest_port=$(REST_PORT)

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

$(INSTALLED): setup.py constraints.txt
	@python=$$(sh tools/find_python.sh "$(PYTHON)") && { test -x $(RUN) || "$$python" -m venv $(VENV); }
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@

# Two commands for a bare machine with Python 3.11 and make:
#   make demo   the main job in small: simulate, train, export, infer
#   make test   the test suite
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
DEMO ?= demo
WORKERS ?= 2
HIPSEG = $(VENV)/bin/hipseg
INSTALLED = $(VENV)/.installed

.PHONY: install demo test lint clean

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(INSTALLED)
	HIPSEG=$(HIPSEG) OUT=$(DEMO) sh scripts/demo.sh

test: $(INSTALLED) lint
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy hipseg

clean:
	rm -rf $(VENV) $(DEMO)

# RippleGate. `make help` lists what there is.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
TYPINGS := typings/.ready

.DEFAULT_GOAL := help
.PHONY: help setup sim test lint bench build deploy flash clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## ?(.*)/  make \1\t\2/' | expand -t 16

setup: $(READY) ## the Python environment and MicroPython (the others call it)
	@$(PY) tools/fetch_micropython.py >/dev/null

$(READY): requirements.lock
	@test -d .venv || echo "Setting up Python packages (once, about a minute) ..."
	@test -x $(PY) || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Python 3.11 or newer with venv is needed (on Debian: apt install python3-venv)."; exit 1; }
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(TYPINGS): requirements-stubs.lock | $(READY)
	@rm -rf typings
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes --no-deps --target typings -r requirements-stubs.lock
	@touch $@

sim: setup ## the firmware against a simulated installation [HEADLESS=1 PORT_BASE=18000 DURATION=60 SCENARIO= RUNTIME= PROFILE= BOARD= FRESH=1]
	@HEADLESS=$(HEADLESS) PORT_BASE=$(PORT_BASE) DURATION=$(DURATION) SCENARIO=$(SCENARIO) \
	 RUNTIME=$(RUNTIME) PROFILE=$(PROFILE) BOARD=$(BOARD) FRESH=$(FRESH) $(PY) -m tools.sim

test: setup $(TYPINGS) ## all checks and tests [ARGS="-k name"]
	@$(MAKE) --no-print-directory lint
	@$(PY) -m pytest host_tests $(ARGS)

lint: $(READY) $(TYPINGS) ## ruff, pyright with the ESP32 stubs, boards, import arrows
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet . || { echo "ruff format: these files are not formatted:"; $(PY) -m ruff format --check . ; exit 1; }
	@$(PY) -m pyright
	@$(PY) tools/check_boards.py

bench: setup ## the budgets: heap, contact to wire, formula, bus, /cnf [JSON=1]
	@JSON=$(JSON) $(PY) -m tools.bench

build: setup ## the compiled tree and its size
	@$(PY) tools/build.py --rom

deploy: $(READY) ## onto a board [PORT=/dev/ttyUSB0 BOARD=esp32-devkit]
	@$(PY) tools/deploy.py --port "$(PORT)" $(if $(BOARD),--board "$(BOARD)") $(DEPLOY)

flash: $(READY) ## MicroPython itself onto a board [PORT= BOARD= FIRMWARE=file.bin]
	@$(PY) tools/flash.py --port "$(PORT)" --board "$(BOARD)" $(if $(FIRMWARE),--firmware "$(FIRMWARE)") $(FLASH)

clean: ## removes what was built (not the simulated boards' flash)
	@rm -rf build

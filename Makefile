# RippleGate. `make help` lists what there is.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
TYPINGS := typings/.ready
PIP := $(PY) -m pip install -q --disable-pip-version-check --require-hashes

# $(call flag,NAME,--option): the option where NAME=1; anything but 1, 0 or nothing is refused.
flag = $(if $(filter-out 0 1,$($1)),$(error $1 is "$($1)"; allowed: 1, 0),$(if $(filter 1,$($1)),$2))

.DEFAULT_GOAL := help
.PHONY: help setup sim test lint bench year days journal build deploy flash clean

help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## /\1@/p' Makefile | awk -F' *@' \
	  '{ printf "  make %-8s %s\n", $$1, $$2; if ($$3) printf "  %-13s %s\n", "", $$3 }'

setup: $(READY) ## Python packages and MicroPython; the others call it
	@$(PY) tools/fetch_micropython.py >/dev/null

$(READY): requirements.lock
	@test -d .venv || echo "Setting up Python packages (once, about a minute) ..."
	@test -x $(PY) || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Python 3.11 or newer with venv is needed (on Debian: apt install python3-venv)."; exit 1; }
	@$(PIP) -r requirements.lock
	@touch $@

# The stubs lack asyncio.wait_for_ms, which MicroPython has on every port.
$(TYPINGS): requirements-stubs.lock Makefile | $(READY)
	@rm -rf typings
	@$(PIP) --no-deps --target typings -r requirements-stubs.lock
	@echo 'async def wait_for_ms(aw, timeout: int, /): ...' >> typings/stdlib/asyncio/__init__.pyi
	@touch $@

sim: setup ## the firmware against a simulated installation @[HEADLESS=1 PORT_BASE=18000 DURATION=60 SCENARIO= RUNTIME= PROFILE= BOARD= FRESH=1]
	@HEADLESS=$(HEADLESS) PORT_BASE=$(PORT_BASE) DURATION=$(DURATION) SCENARIO=$(SCENARIO) \
	 RUNTIME=$(RUNTIME) PROFILE=$(PROFILE) BOARD=$(BOARD) FRESH=$(FRESH) $(PY) -m tools.sim

test: setup lint ## all checks and tests @[ARGS="-k name"]
	@$(PY) -m pytest -n 4 --dist loadgroup host_tests $(ARGS)

lint: $(READY) $(TYPINGS) ## ruff, pyright with the ESP32 stubs, the boards' pins
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check --output-format concise .
	@$(PY) -m pyright
	@$(PY) tools/check_boards.py

bench: setup ## the budgets: heap, contact to wire, formula, bus, /cnf @[JSON=1]
	@JSON=$(JSON) $(PY) -m tools.bench

year: setup ## a simulated year of charging: figures and build/year/year.png @[DAYS=365 SEED=1 JOBS=2]
	@DAYS=$(DAYS) SEED=$(SEED) JOBS=$(JOBS) $(PY) -m tools.year

days: setup ## whole days with the sun: figures and a picture each in build/days @[DAY= SEED=1 SEEDS=1 JOBS=2]
	@DAY=$(DAY) SEED=$(SEED) SEEDS=$(SEEDS) JOBS=$(JOBS) $(PY) -m tools.days

journal: $(READY) ## checks an exported journal @[FILE=journal.bin]
	@$(PY) tools/journal_verify.py "$(FILE)"

build: setup ## the compiled tree and its size
	@$(PY) tools/build.py --rom

deploy: $(READY) ## RippleGate onto a board @[PORT=u0 BOARD=esp32-devkit DRY_RUN=1 NAMES="ripplegate.local 192.168.1.5"]
	@$(PY) tools/deploy.py --port "$(PORT)" $(if $(BOARD),--board "$(BOARD)") $(call flag,DRY_RUN,--dry-run) \
	  $(if $(NAMES),--names "$(NAMES)")

flash: $(READY) ## MicroPython itself onto a board @[PORT=u0 BOARD=esp32-devkit FIRMWARE=file.bin ERASE=1]
	@$(PY) tools/flash.py --port "$(PORT)" --board "$(BOARD)" $(if $(FIRMWARE),--firmware "$(FIRMWARE)") $(call flag,ERASE,--erase)

clean: ## removes what was built (not the simulated boards' flash)
	@rm -rf build

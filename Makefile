# plexmesh: start it, try it, test it. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SSLYZE := .venv-sslyze
PIP := $(BIN)/pip --disable-pip-version-check --quiet
MINUTES ?= 60

.DEFAULT_GOAL := help
.PHONY: help up down demo test lint deps bench bench-failover bench-tls soak drills test-ha test-eureka clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 16

up: $(VENV)/installed ## start a sysplex of two LPARs in the foreground; Ctrl-C stops all of it
	@exec $(BIN)/plexmesh up

down: $(VENV)/installed ## stop the sysplex from elsewhere
	@$(BIN)/plexmesh down

test: deps lint ## all checks and tests
	$(BIN)/pytest

lint: $(VENV)/installed-test ## style, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# $(call debian,COMMAND,PACKAGES): root gets them; else they are named, and the tests that need them skip by name.
define debian
	@command -v $(1) >/dev/null || if [ "$$(id -u)" = 0 ]; then echo "installing the Debian packages $(2)"; \
		apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(2) >/dev/null; \
		else echo "$(1) is missing, tests that need it are skipped: sudo apt-get install $(2)"; fi
endef

deps: $(VENV)/installed-test ## what the tests need besides Python packages
	$(call debian,npm,nodejs npm)
	$(call debian,chromium,chromium)
	$(call debian,redis-server,redis-server)
	$(call debian,etcd,etcd-server)
	$(call debian,cc,gcc libc6-dev)
	@! command -v npm >/dev/null || $(MAKE) -s --no-print-directory node_modules/installed
	@$(MAKE) -s --no-print-directory $(SSLYZE)/installed

# apart: it needs an older `cryptography` than plexmesh
$(SSLYZE)/installed: Makefile
	@echo "installing sslyze into $(SSLYZE)"
	@$(PYTHON) -m venv $(SSLYZE)
	@$(SSLYZE)/bin/pip --disable-pip-version-check --quiet install sslyze==6.3.1
	@touch $@

node_modules/installed: package.json package-lock.json
	@echo "installing what the tests need into node_modules"
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

bench: $(VENV)/installed-test ## measurements beside other people's software; results are kept in bench/README.md
	$(BIN)/python -P -m bench.gateway
	$(BIN)/python -P -m bench.registry
	$(BIN)/python -P -m bench.eureka
	$(BIN)/python -P -m bench.caching

bench-failover: $(VENV)/installed-test ## instances killed, hung, unreachable, refusing, slow: what callers of each proxy notice
	$(BIN)/python -P -m bench.failover

bench-tls: $(VENV)/installed-test ## handshakes and kept connections with TLS, beside HAProxy with the same certificate
	$(BIN)/python -P -m bench.tls

soak: $(VENV)/installed-test ## simulated histories, hostile clients, broken stores for MINUTES (60) each, with new seeds each time; long streams
	PLEXMESH_SIM_SECONDS=$$(($(MINUTES) * 60)) $(BIN)/pytest tests/sim -k more_histories -s --timeout 0
	PLEXMESH_HOSTILE_SECONDS=$$(($(MINUTES) * 60)) $(BIN)/pytest tests/integration/test_gateway_hostile_soak.py -s
	PLEXMESH_STREAM_MB=1024 $(BIN)/pytest tests/integration/test_gateway_streams.py -k long
	PLEXMESH_NEMESIS_SECONDS=$$(($(MINUTES) * 60)) $(BIN)/pytest tests/integration/test_caching_nemesis.py -s --timeout 0

test-ha: $(VENV)/installed-test ## compose on a real Docker engine: containers killed, cut off, silenced; split and hybrid
	PLEXMESH_HA=1 $(BIN)/pytest tests/ha -s

EUREKA_SERVER := tests/peers/eureka-server

test-eureka: $(VENV)/installed-test $(EUREKA_SERVER)/target/eureka-server.jar ## as peers of real Eureka servers (Java)
	PLEXMESH_EUREKA=1 $(BIN)/pytest tests/peers -s

$(EUREKA_SERVER)/target/eureka-server.jar: $(EUREKA_SERVER)/pom.xml $(shell find $(EUREKA_SERVER)/src -type f)
	$(call debian,mvn,maven default-jdk-headless)
	@echo "building a real Eureka server"
	@mvn -q -B -f $(EUREKA_SERVER)/pom.xml package

demo: $(VENV)/installed ## one minute: kill an LPAR under load, bring it back, see what the callers saw
	@exec $(BIN)/plexmesh demo

drills: $(VENV)/installed ## every drill on a sysplex of its own, each beside the model of what Zowe documents; about 20 minutes
	@$(BIN)/plexmesh drill --own all

clean: ## remove what was installed and all data
	rm -rf $(VENV) $(SSLYZE) node_modules $(EUREKA_SERVER)/target .plexmesh

$(VENV)/python:
	@test "$$(uname -s)" = Linux || { echo "make up needs Linux (or WSL2); elsewhere: docker compose up"; exit 2; }
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) -V); try make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv module is missing: apt-get install python3-venv"; exit 2; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml plexmesh/pyproject.toml constraints.txt
	@echo "installing plexmesh into $(VENV)"
	@$(PIP) install -c constraints.txt -e ./plexmesh -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) install -c constraints.txt -e ./plexmesh -e '.[test,lint]'
	@touch $@

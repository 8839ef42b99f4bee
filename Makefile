# Everything from a clean clone: `make demo`, `make test`, `make check`. Needs Python 3.10 or newer and make; `make collector` also Go.
#   make test PYTHON=python3.10             another Python, in a .venv of its own
#   make test ARGS="tests/journal -x"       arguments for pytest
#   make test CONSTRAINTS=.ci/lowest.txt    the oldest supported dependencies
PYTHON ?= python3
ARGS ?=
CONSTRAINTS ?=

# The default Python has .venv, any other one .venv-3.x, so that they stand side by side.
ifeq ($(PYTHON),python3)
VENV := .venv
else
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
ifneq ($(CONSTRAINTS),)
VENV := $(VENV)-$(basename $(notdir $(CONSTRAINTS)))
endif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL = $(PIP) install -q $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
PROJECT := pyproject.toml hatch_build.py $(CONSTRAINTS)
UI_SOURCES := $(shell find otel_taskflow/web/ui -name node_modules -prune -o -type f -print 2>/dev/null)
# The package, a sample of what users write against it, and the tests that are programs themselves.
TYPED := $(wildcard otel_taskflow grafana tests/typing tests/conftest.py tests/measured.py tests/program.py tests/architecture tests/backends tests/collector tests/compose tests/distribution tests/forkserver tests/grafana)
OTELCOL := .build/otelcol
OTELCOL_VERSION := v0.158.0
PROGRAMS := tests/backends/programs
BACKENDS := $(OTELCOL) .build/loki .build/prometheus .build/promtool .build/compose-spec
# Nothing is inlined, and nothing told to debuggers: they are run for minutes, and building them takes a third less.
QUICK_BUILD := all=-l -dwarf=false
SERVER_FLAGS := -trimpath -buildvcs=false -gcflags="$(QUICK_BUILD)" -ldflags="-s -w"
# QUICK=yes builds the collector so, too.
QUICK ?=
GCFLAGS := $(if $(QUICK),$(QUICK_BUILD))
# Without cgo and paths, as the collector's builder builds: what programs share is compiled once, the standard library first of all.
# The compiler's garbage collection is a tenth of a build.
GO_ENV := CGO_ENABLED=0 GOGC=400
# Prometheus without the clouds that it could ask for its targets.
PROMETHEUS_TAGS := -tags=remove_all_sd
COMPOSE_GO_VERSION := v2.16.2

NEEDS_GO = command -v go >/dev/null || { echo "$@ is built with Go 1.26 or newer, which is not on PATH: https://go.dev/dl/" >&2; exit 1; }
define NEEDS_DOCKER
lacks() { echo "make $@ $$1 (make demo shows the shop without Docker)" >&2; exit 1; }; \
	command -v docker >/dev/null || lacks "needs docker, which is not on PATH: https://docs.docker.com/get-docker/"; \
	docker compose version >/dev/null 2>&1 || lacks "needs Docker Compose 2.23 or newer, as the plugin 'docker compose': https://docs.docker.com/compose/install/"; \
	docker info >/dev/null 2>&1 || lacks "cannot reach Docker's daemon: start it, or let this user use it; 'docker info' says more"
endef

.NOTPARALLEL:
.PHONY: demo demo-observability install test test-failures test-backends check bench collector backends modules dashboards ui format clean

demo: $(VENV)/.demo $(VENV)/.ui ## run a small shop and its dashboard
	$(BIN)/otel-taskflow demo $(ARGS)

demo-observability: ## the same shop with a collector, Tempo, Loki, Prometheus and Grafana, in Docker
	@$(NEEDS_DOCKER)
	docker compose up --build --detach --wait
	@printf '\n  The shop     http://127.0.0.1:8000/tasks/dashboard?token=%s\n' "$$(docker compose exec -T shop cat /data/token)"
	@printf '  Grafana      http://127.0.0.1:3000/d/otel-taskflow-overview\n  Prometheus   http://127.0.0.1:9090/alerts\n\n'
	@printf '  docker compose down ends it; with --volumes it also forgets what it has.\n\n'

install: $(VENV)/.installed $(VENV)/.ui ## what tests, benchmarks and checks need

# Three at a time also on two cores, for much of their time is spent waiting; ARGS="-n 0" for one, as a debugger needs it.
test: $(VENV)/.test $(VENV)/.ui ## pass all tests
	$(BIN)/python -m pytest -n 3 --dist worksteal --cov --cov-report=term $(ARGS)

test-failures: MARK ?= failure
test-failures: $(VENV)/.test $(VENV)/.ui ## bring about every failure of docs/reliability.md
	$(BIN)/python -m pytest -m $(MARK) --durations=20 $(ARGS)

test-backends: $(VENV)/.test $(VENV)/.ui $(BACKENDS) ## compare what real backends hold with the store
	$(BIN)/python -m pytest -m backends --durations=20 $(ARGS)

check: $(VENV)/.dev ## format, lint, types, imports, limits
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:randomly tests/architecture

format: $(VENV)/.dev ## let ruff format and sort
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench ## compare with others, in one run
	$(BIN)/python -m tests.benchmarks $(ARGS)

ui: $(VENV)/.ui ## build the dashboard

collector: $(OTELCOL) ## build an OpenTelemetry Collector

backends: $(BACKENDS) ## build a collector, Loki and Prometheus

modules: ## fetch what Loki and Prometheus are built from
	@$(NEEDS_GO)
	$(GO_ENV) go list -C $(PROGRAMS)/loki -deps tool >/dev/null
	$(GO_ENV) go list -C $(PROGRAMS)/prometheus $(PROMETHEUS_TAGS) -deps tool >/dev/null

dashboards: $(VENV)/.test ## write grafana/dashboards anew
	$(BIN)/python -m grafana.generator

clean:
	rm -rf .venv .venv-* .build dist .coverage .coverage.* otel_taskflow/web/static otel_taskflow/web/ui/node_modules

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("otel-taskflow needs Python 3.10 or newer, and $(PYTHON) is %d.%d: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@$(PYTHON) -m venv --clear $(VENV) || { echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	@touch $@

# An install compiles the dashboard too (hatch_build.py).
$(VENV)/.demo $(VENV)/.test $(VENV)/.dev $(VENV)/.bench: $(VENV)/.created $(PROJECT)
	$(INSTALL) -e '.[$(subst .,,$(notdir $@))]'
	@touch $@ $(VENV)/.ui

# All of it at once, where all is wanted. What tests need is part of dev.
$(VENV)/.installed: $(VENV)/.created $(PROJECT)
	$(INSTALL) -e '.[bench,dev]'
	@touch $(VENV)/.test $(VENV)/.bench $(VENV)/.dev $@ $(VENV)/.ui

$(VENV)/.ui: $(VENV)/.created $(UI_SOURCES) hatch_build.py
	$(PIP) install -q --no-deps -e .
	@touch $@

$(OTELCOL): collector-config/builder.yaml
	@$(NEEDS_GO)
	$(GO_ENV) GOBIN=$(CURDIR)/.build/bin go install -trimpath -gcflags='$(GCFLAGS)' go.opentelemetry.io/collector/cmd/builder@$(OTELCOL_VERSION)
	$(GO_ENV) .build/bin/builder --config collector-config/builder.yaml --gcflags='$(GCFLAGS)'
	@mv .build/otelcol-src/otelcol $@

.build/loki: $(PROGRAMS)/loki/go.mod $(PROGRAMS)/loki/go.sum
	@$(NEEDS_GO)
	$(GO_ENV) go build -C $(PROGRAMS)/loki $(SERVER_FLAGS) -o $(CURDIR)/$@ github.com/grafana/loki/v3/cmd/loki

.build/prometheus .build/promtool: $(PROGRAMS)/prometheus/go.mod $(PROGRAMS)/prometheus/go.sum
	@$(NEEDS_GO)
	$(GO_ENV) go build -C $(PROGRAMS)/prometheus $(PROMETHEUS_TAGS) $(SERVER_FLAGS) -o $(CURDIR)/$@ github.com/prometheus/prometheus/cmd/$(@F)

# The loader of Docker Compose by itself: it reads and checks compose.yaml where there is no Docker.
.build/compose-spec: Makefile
	@$(NEEDS_GO)
	$(GO_ENV) GOBIN=$(CURDIR)/.build/bin go install -trimpath -gcflags='$(GCFLAGS)' github.com/compose-spec/compose-go/v2/cmd@$(COMPOSE_GO_VERSION)
	@mv .build/bin/cmd $@

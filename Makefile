# Needs Python 3.11 or newer with pip, and make. Nothing here needs root; `make test` uses it, where it has it, to
# install a Debian package for one of its tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests wait, for leases above all, and keep no core busy. Who is done takes over tests of who is not: the long
# ones stand side by side.
TEST_PROCESSES ?= 4

.PHONY: demo test lint format serve bench chaos soak gallery lock clean

demo: $(VENV)/.runtime
	$(BIN)/turnkeeper demo

test: $(VENV)/.dev $(VENV)/.chart
	scripts/debian-packages
	scripts/node-packages
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(VENV)/.runtime
	$(BIN)/turnkeeper serve

bench: $(VENV)/.dev
	$(BIN)/pytest tests/benchmarks -s -q -n 0 --benchmarks

# Replicas under load while something breaks every second or two: make chaos STORE=redis WORKERS=3 SECONDS=600 SEED=7
chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos $(if $(STORE),--store $(STORE)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

# Mixed traffic on both platforms that may break none of their limits: make soak SECONDS=600 SEED=1
soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# What every text of tests/channels/golden looks like on each platform, on one page.
gallery: $(VENV)/.dev
	$(BIN)/python -m tests.gallery gallery.html

# The environment. Made without ensurepip, which Debian ships apart; pip itself installs into it from outside.
$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Turnkeeper needs Python 3.11 or newer")'
	$(PYTHON) -m venv --without-pip $(VENV)
	touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml $(VENV)/.made
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Helm and what else judges the chart and the Dockerfile; about 45 s.
$(VENV)/.chart: scripts/chart-tools tests/chart/helm.lock tests/chart/tools.lock tests/chart/package-lock.json $(VENV)/.made
	$(PYTHON) scripts/chart-tools $(VENV)
	touch $@

# What a released gateway consists of, as CycloneDX: the runtime's packages alone, as the image has them.
SBOM := dist/turnkeeper.cdx.json
sbom: $(VENV)/.supply
	rm -rf $(VENV)/released && $(PYTHON) -m venv --without-pip $(VENV)/released
	$(PYTHON) -m pip --python $(VENV)/released/bin/python install -q --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	mkdir -p dist
	$(VENV)/supply/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible --output-file $(SBOM) $(VENV)/released/bin/python
	rm -rf $(VENV)/released

# Known vulnerabilities, where somebody can be asked for them.
audit: $(VENV)/.supply
	$(PYTHON) scripts/audit $(VENV)/supply/bin/python

$(VENV)/.supply: scripts/supply.lock $(VENV)/.made
	$(PYTHON) -m venv --without-pip $(VENV)/supply
	$(PYTHON) -m pip --python $(VENV)/supply/bin/python install -q --disable-pip-version-check --no-compile --require-hashes -r scripts/supply.lock
	touch $@

# Hash-pinned, for every platform and Python, without the address of any registry. Needs uv.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --extra otel --group build -o requirements.lock pyproject.toml
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --extra otel --group build --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o tests/chart/tools.lock tests/chart/tools.in
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o scripts/supply.lock scripts/supply.in

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist tests/chart/node_modules

# Every target does all of its own set-up. A machine needs Python 3.11 or newer with venv, and make; see `make help`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP = .venv/bin/python -m pip --disable-pip-version-check --quiet
# What is installed is exactly what the lock names; the project itself is built by the locked backend, without network.
INSTALL = $(PIP) install --require-hashes --no-deps -r
INSTALL_SELF = $(PIP) install --no-deps --no-build-isolation --editable .
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help run install test coverage check bench crashtest evidence mutation docs pictures lock sbom bundle bundle-check clean
.DELETE_ON_ERROR:

help:
	@echo "make run              local nodes and the demo; make run CONFIG=FILE runs the monitor on that configuration"
	@echo "make test             all tests, on real local nodes, Prometheus and Alertmanager"
	@echo "make coverage         the same, and which lines they reach; a third slower"
	@echo "make check            format, lint, types, import contracts, alert rules"
	@echo "make install          .venv/bin/porwatch"
	@echo "make bench            speed, set beside what one would use instead"
	@echo "make crashtest        kills a running monitor N times (N=200 SEED=1 LANES=1; WRITE=PAGE records the figures)"
	@echo "make evidence         what porwatch did in each attack and under each fault, written from a test run"
	@echo "make mutation         which changes of the judging code the tests would not notice (LANES=2); takes an hour"
	@echo "make docs             the generated reference pages, and the site in build/docs"
	@echo "make pictures         the dashboards, drawn by Grafana's own panels into docs/images"
	@echo "make lock             requirements/*.txt and package-lock.json anew"
	@echo "make sbom             build/sbom.json, what porwatch is made of (CycloneDX)"
	@echo "make bundle           build/porwatch-VERSION.tar.gz, for sites without network; make bundle-check installs it"
	@echo "make clean            removes everything that was made here, .venv and .components too"

run: .venv/run.stamp
ifdef CONFIG
	@exec .venv/bin/porwatch run "$(CONFIG)"
else
	@.venv/bin/python tools/components.py anvil bitcoin
	@exec .venv/bin/porwatch demo
endif

install: .venv/run.stamp

test: .venv/dev.stamp
	@.venv/bin/python tools/components.py
	.venv/bin/python -m pytest -n 4 --dist loadscope

coverage: .venv/dev.stamp
	@.venv/bin/python tools/components.py
	.venv/bin/python -m pytest -n 4 --dist loadscope --cov --cov-report=term

check: .venv/dev.stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	@.venv/bin/python tools/components.py prometheus prometheus-next
	.venv/bin/python -m tools.check_rules
	.venv/bin/python -m tools.mixin --check
	.venv/bin/python -m tools.dashboards --check
	.venv/bin/python -m tools.reference --check
	.venv/bin/python -m tools.compose --check

bench: .venv/dev.stamp
	@.venv/bin/python tools/components.py anvil bitcoin
	@for file in bench/[!_]*.py; do .venv/bin/python -m bench.$$(basename $$file .py) || exit 1; done

crashtest: .venv/dev.stamp
	@.venv/bin/python tools/components.py anvil bitcoin
	.venv/bin/python -m tools.crashtest -n $(or $(N),200) --seed $(or $(SEED),1) --lanes $(or $(LANES),1) $(if $(WRITE),--write $(WRITE))

evidence: .venv/dev.stamp
	@.venv/bin/python tools/components.py
	rm -rf build/evidence
	PORWATCH_REQUIRE_COMPONENTS=1 PORWATCH_EVIDENCE=build/evidence .venv/bin/python -m pytest tests/real/corpus tests/real/matrix
	.venv/bin/python -m tools.evidence build/evidence

# In a copy, because the mutated sources must not be found by anybody else.
mutation: .venv/dev.stamp
	rm -rf build/mutation
	mkdir -p build/mutation
	cp -R alerts bench chains config deploy docs monitor tests tools LICENSE README.md pyproject.toml build/mutation
	cd build/mutation && nice ../../.venv/bin/mutmut run --max-children $(or $(LANES),2)
	cd build/mutation && ../../.venv/bin/mutmut results

docs: .venv/dev.stamp
	.venv/bin/python -m tools.reference
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs build/docs

# Some 440 MB from npm, 1.5 GB of memory: not part of the tests.
pictures: .venv/dev.stamp
	@.venv/bin/python tools/components.py anvil bitcoin prometheus chromium
	.venv/bin/python -m tools.grafana_pictures

lock: .venv/dev.stamp
	$(LOCK) --upgrade --extra zmq --extra postgres --extra report --extra build pyproject.toml -o requirements/run.txt
	$(LOCK) --extra zmq --extra postgres --extra report --extra build --extra dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
	npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

sbom: .venv/dev.stamp
	.venv/bin/python -m tools.sbom

bundle: .venv/dev.stamp
	.venv/bin/python -m tools.bundle

bundle-check: bundle
	.venv/bin/python -m tools.bundle --check

clean:
	rm -rf .venv .components build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache
	rm -rf .hypothesis .import_linter_cache node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "porwatch needs Python 3.11 or newer: name one as in make PYTHON=/usr/bin/python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "This Python has no venv: on Debian, install the package python3-venv"; exit 2; }

.venv/run.stamp: requirements/run.txt pyproject.toml | .venv/bin/python
	$(INSTALL) requirements/run.txt
	$(INSTALL_SELF)
	@touch $@

.venv/dev.stamp: requirements/dev.txt pyproject.toml | .venv/bin/python
	$(INSTALL) requirements/dev.txt
	$(INSTALL_SELF)
	@touch .venv/run.stamp $@

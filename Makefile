# Two commands for a new machine: `make quickstart` and `make test`.
# Both need Python 3.11 to 3.13 and a package index; everything goes into .venv here.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
SUITE ?= suites/quickstart.toml

.PHONY: quickstart test soak phones lint docs benchmark constraints clean

quickstart: .venv/ready-to-run  ## compress, measure and report on this machine
	$(BIN)/mobilebench run $(SUITE)

test: .venv/ready-to-test  ## the whole test suite; installs what phones need where it may
	@bash tests/phone/install.sh || true
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not alone' $(TEST_OPTIONS)
	$(BIN)/python -m pytest -m alone $(TEST_OPTIONS)

soak: .venv/ready-to-test  ## 200 kills, 1000 power cuts, 100 times as many mutated inputs: an hour
	MOBILEBENCH_KILLS=200 MOBILEBENCH_POWER_CUTS=1000 MOBILEBENCH_FUZZ=100 \
		$(BIN)/python -m pytest -n 2 --dist loadfile tests/fuzz tests/store/test_power_cuts.py

phones: .venv/ready-to-test  ## build the app anew, raise virtual phones, run a suite on two at once
	@bash tests/phone/install.sh || true
	$(BIN)/python -m pytest -rs --require-phones tests/android_app/test_apk.py tests/devices/android/test_runs.py

lint: .venv/ready-to-test  ## what CI checks before the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/ready-to-test  ## the documentation as a site: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmark: .venv/ready-to-test  ## the project's own benchmarks: minutes
	$(BIN)/python benchmarks/fidelity.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/scale.py --models 200 800
	$(BIN)/python benchmarks/article.py
	$(BIN)/python benchmarks/adb_overhead.py
	$(BIN)/python benchmarks/answers.py

.venv/ready-to-run: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet -c constraints.txt -e '.[agent,compress,quality]'
	@touch $@

# Each package is the very file that requirements.lock names by its hash, those that build ours as well.
# The lock is whole, so there is nothing to resolve.
.venv/ready-to-test: pyproject.toml requirements.lock | .venv/bin/python
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/pip check
	@touch $@ .venv/ready-to-run

.venv/bin/python:
	@test -n "$(PYTHON)" || { \
		echo "MobileBench needs Python 3.11, 3.12 or 3.13 (TensorFlow has no wheel for others):"; \
		echo "install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv .venv

COMPILE := uv pip compile --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url

constraints:  ## pin anew what pyproject.toml asks for (needs uv)
	$(COMPILE) pyproject.toml --all-extras --upgrade --output-file constraints.txt
	$(COMPILE) pyproject.toml --all-extras -c constraints.txt --generate-hashes --output-file requirements.lock
	$(COMPILE) pyproject.toml .ci/release.in -c constraints.txt --generate-hashes --output-file .ci/release.lock
	$(subst 3.11,3.9,$(COMPILE)) .ci/board.in --generate-hashes --output-file .ci/board.lock

clean:
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis

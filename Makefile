# Each target sets up all that it needs; python3 and a package index are enough.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo drill test lint mutants check docs pictures lock wheel layer forwarder replay bundles release clean
help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv .venv

# pip compiles 4,400 files otherwise, of which the demo imports 400: 19 of 59 seconds of processor time.
.venv/tools.ready: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt -e '.[tools]'
	@touch $@

.venv/dev.ready: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/tools.ready $@

# Beside the other extras: the site needs none of them, because the API's page is made from the source.
.venv/docs.ready: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

demo: .venv/tools.ready  ## the talk's pipeline, end to end, on this machine
	$(BIN)/stepscope demo

drill: .venv/tools.ready  ## breaks a pipeline in every way; which monitor notices, and when
	$(BIN)/stepscope drill

test: .venv/dev.ready  ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/dev.ready  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutants: .venv/dev.ready  ## small harmful edits of the package, one at a time: do its tests notice?
	$(BIN)/python tests/mutants $(MUTANTS)

check: lint test  ## everything that a change has to pass

REVISION ?= HEAD
docs: .venv/docs.ready  ## the documentation as a site, in site/; with VERSION=0.3.0 in versions/, beside those of others
	$(if $(VERSION),$(BIN)/python tests/site_versions.py $(VERSION) --revision $(REVISION),$(BIN)/zensical build --strict)

pictures: .venv/dev.ready  ## the pictures of the documentation, in docs/images/
	$(BIN)/python tests/pictures.py

lock:  ## requirements.lock: constraints.txt with hashes, for what the extra [tools] needs; takes uv
	uv pip compile --quiet pyproject.toml --extra tools -c constraints.txt --generate-hashes --universal \
		--python-version 3.11 --no-header --no-annotate --no-emit-index-url -o requirements.lock

wheel: .venv/dev.ready  ## both distributions, in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist >/dev/null
	$(BIN)/python -m build --wheel --outdir dist deploy/function >/dev/null
	@ls -l dist

layer:  ## the hot path alone, as a Lambda layer: dist/stepscope-layer.zip
	$(PYTHON) deploy/layer.py

RUNTIME ?= 3.13
ARCHITECTURE ?= arm64
forwarder: .venv/tools.ready  ## the forwarder's code for deploy/forwarder.yaml: dist/stepscope-forwarder.zip
	$(BIN)/python deploy/forwarder/build.py --python $(RUNTIME) --architecture $(ARCHITECTURE)

replay: .venv/tools.ready  ## the code of deploy/replay.yaml: dist/stepscope-replay.zip
	$(BIN)/python deploy/forwarder/build.py --replay --python $(RUNTIME) --architecture $(ARCHITECTURE)

# What the example's functions carry in an account (deploy/template.yaml): boto3 is in Lambda's runtime already.
LAMBDA := --quiet --disable-pip-version-check --no-compile --upgrade --python-version 3.12 --only-binary=:all: \
	--platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64
bundles: .venv/tools.ready  ## the example's code for `sam deploy`, in build/
	rm -rf build
	$(BIN)/python -m pip install $(LAMBDA) --target build/steps ./deploy/function aws-lambda-powertools
	$(BIN)/python -m pip install $(LAMBDA) --target build/identify ./deploy/function aws-lambda-powertools numpy pillow
	$(BIN)/python -m pip install $(LAMBDA) --target build/forwarder '.[forwarder]'
	$(BIN)/python -m pip install $(LAMBDA) --target build/site ./deploy/function aws-lambda-powertools boto3
	for step in steps identify site; do cp -R handlers build/$$step/; done
	for part in steps forwarder site; do $(BIN)/python deploy/archive.py build/$$part build/$$part.zip; done

release: .venv/dev.ready  ## all that a release has, with SBOM, licences and checksums, in dist/
	rm -rf dist
	$(BIN)/python deploy/release.py

clean:  ## remove what was made
	rm -rf .venv dist build site versions .cache artifacts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

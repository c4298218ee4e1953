# The commands of this repository; `make` alone lists them.
PY = .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup run demo test live browser lint format bench golden pictures assets docs lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
setup: ## make .venv with everything pinned
	@bash -c '. tools/setup.sh dev'
run: ## start everything on this machine (tipstaff up)
	./run up
demo: ## play the example operator's day and leave the console open
	./run demo
test: ## everything that CI checks
	./test
live: setup ## only the tests with real daemons, network namespaces and a browser, and those that take long
	TIPSTAFF_TEST_SOAK=1 ./test -m "live or browser or thorough" -q
lint: setup ## style, types, arrows
	$(PY)/ruff check . && $(PY)/ruff format --check -q . && $(PY)/mypy src && $(PY)/lint-imports
format: setup ## bring style in order
	$(PY)/ruff check -q --fix . ; $(PY)/ruff format -q .
bench: setup ## all benchmarks, one JSON file each in bench/out/
	@.uv/bin/uv pip install -q --python $(PY)/python --require-hashes -r requirements-bench.lock || echo "without pytricia, which needs a C compiler"
	@mkdir -p bench/out; for b in bench/*.py; do n=$$(basename $$b .py); case $$n in _*) continue;; esac; \
	  echo "== $$n"; $(PY)/python $$b > bench/out/$$n.json && cat bench/out/$$n.json || exit 1; done
golden: setup ## write the golden files anew; review the difference as prose
	TIPSTAFF_UPDATE_GOLDEN=1 ./test tests/rooms/notices tests/rooms/intake -q
pictures: setup ## take the screenshots that the docs show
	TIPSTAFF_PICTURES=1 ./test tests/browser tests/live/test_whole_way.py -q -n 0
assets: ## build CSS and scripts into the package (needs Node; its output is committed)
	cd assets && npm install --no-package-lock --no-audit --no-fund && npm run build
docs: setup ## the docs as tests
	./test tests/docs -q
lock: setup ## renew the pinned requirements
	.uv/bin/uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -q --upgrade -o requirements.lock
	.uv/bin/uv pip compile pyproject.toml --group dev -c requirements.lock --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -q -o requirements-dev.lock
	.uv/bin/uv pip compile --group bench --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -q --upgrade -o requirements-bench.lock
clean: ## remove what setup made
	rm -rf .venv .uv bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis

# `make help` lists what can be done. On a fresh Debian or Ubuntu machine with Swift, `make run` and `make test` are
# all it takes: both install what is missing and say what they do.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PORT ?= 8000
VENV := .venv
# Swift's own, which knows how Swift calls functions.
CLANG = $(dir $(realpath $(shell command -v swift)))clang
# Tests beside which nothing may keep the machine busy but one other of them.
ALONE := alone or stress or faults
export LEADS_BINARY ?= $(CURDIR)/.build/release/leads-crm
PYTEST := $(VENV)/bin/python -m pytest -c Tests/Acceptance/pytest.ini
# What the program needs to be built, and to run with a PostgreSQL of its own.
PACKAGES := @deploy/packages-build postgresql

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: swift ## Install the system packages that are missing
	@deploy/install-packages $(PACKAGES)

swift:
	@command -v swift >/dev/null || { \
	  echo "Swift 6.2 or newer is missing: get it at https://www.swift.org/install/linux/"; \
	  echo "then make sure that 'swift --version' works in this shell and run make again."; exit 1; }

# Without it /docs only says how to get it, so being offline is no reason to stop.
.swagger-ui/.ready: deploy/swagger-ui.txt
	@echo "Fetching Swagger UI for /docs"
	@deploy/fetch-swagger-ui .swagger-ui || echo "Swagger UI could not be fetched: /docs will say how to get it."

run: setup .swagger-ui/.ready ## Build and start everything on http://127.0.0.1:$(PORT) (PORT= changes it)
	@echo "Building; the first time takes a few minutes."
	swift build -c release --product leads-crm
	@exec .build/release/leads-crm serve --port $(PORT) --examples

# On a port of its own, lest it fill somebody's instance.
demo: PORT = 8010
demo: setup ## Watch it work: invented customers and operators (RATE=5 FOR=60 SEED= PORT=8010)
	@echo "Building; the first time takes a few minutes."
	swift build -c release --product leads-crm
	@deploy/demo .build/release/leads-crm $(PORT) $(if $(RATE),--rate $(RATE)) $(if $(FOR),--for $(FOR)) $(if $(SEED),--seed $(SEED))

release: swift ## Build the program as the Dockerfile does: .build/leads-crm, with Swift's libraries inside
	@deploy/install-packages @deploy/packages-build
	swift package resolve
	swift build -c release --product leads-crm --static-swift-stdlib
	strip -o .build/leads-crm .build/release/leads-crm

build: setup ## Build the program and the tests as they are shipped: optimized
	swift build -c release --build-tests

lint: swift ## Check formatting, that each room keeps to itself and that every mutant can still be made
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks sql
	.ci/check-rooms
	@for patch in Tests/Mutants/*.patch; do git apply --check $$patch || exit; done

$(VENV)/.ready: Tests/Acceptance/requirements.txt
	@deploy/install-packages python3-venv curl openssl haproxy prometheus slowhttptest chromium chromium-driver
	@echo "Preparing the Python environment of the acceptance tests in $(VENV)"
	@python3 -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r Tests/Acceptance/requirements.txt
	@touch $@

test: lint build $(VENV)/.ready ## Run all tests, or FILTER=… for one file or test; TIMES=1 lists the slow ones
ifdef FILTER
	.ci/run-filtered-tests '$(FILTER)' $(PYTEST)
else
	swift test -c release --skip-build
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder -m 'not ($(ALONE))' $(if $(TIMES),--durations=50) Tests/Acceptance
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder -m '$(ALONE)' $(if $(TIMES),--durations=50) Tests/Acceptance
endif

test-tls: build ## The libpq wrapper and every statement over TLS, certificate and host name verified
	LEADS_TEST_TLS=1 swift test -c release --skip-build --filter 'PostgresTests|LeadStoreTests'

prove: test-tls sanitize stress mutants ## Everything at length: TLS, sanitizers, histories, fuzzing, browsers, 64 bodies at once, the product broken on purpose
	LEADS_AT_LENGTH=1 $(PYTEST) -s Tests/Acceptance

sanitize: setup ## The Swift tests with the address sanitizer, then with the thread sanitizer
	@# Leaks are not looked for: Swift's runtime keeps what it makes once, and libraries do.
	swift build --build-tests --sanitize address --scratch-path .build/address
	ASAN_OPTIONS=detect_leaks=0 swift test --skip-build --sanitize address --scratch-path .build/address
	swift build --build-tests --sanitize thread --scratch-path .build/thread
	$(CLANG) -O1 -Wall -shared -fPIC -o .build/thread/mutex.so Tests/Sanitizers/mutex.c
	@# All at once they would be so slow that the ones wait in vain for what the others keep from running.
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=16 LD_PRELOAD=$(CURDIR)/.build/thread/mutex.so \
	  TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/thread.supp swift test --skip-build --sanitize thread --scratch-path .build/thread

stress: build $(VENV)/.ready ## The guarantee at length, for 4 settings of the intake: histories of 20 000 and 7 000 commits, shares, a long queue; 500 sequences
	LEADS_INTAKES="1x512 2x512 4x512 2x1" LEADS_COMMITS=27000 LEADS_CONTACTS=20000 LEADS_MODEL_SEQUENCES=500 LEADS_KEYS=1000 \
	  $(PYTEST) -s -o faulthandler_timeout=600 Tests/Acceptance/test_stress.py Tests/Acceptance/test_concurrency.py \
	  Tests/Acceptance/test_shares.py Tests/Acceptance/test_drain.py Tests/Acceptance/test_model.py \
	  Tests/Acceptance/test_idempotency.py Tests/Acceptance/test_intake.py

mutants: setup $(VENV)/.ready ## Break the product on purpose, one thing at a time: the tests must notice each
	swift build --product leads-crm
	$(VENV)/bin/python Tests/Mutants/run

routes: ## Write into docs/SECURITY.md which role may make which call, as the instance at URL= has it (LEADS_KEY, where it is closed)
	@deploy/print-routes '$(if $(URL),$(URL),$(error URL= is missing: that of an instance that runs))' --into docs/SECURITY.md

screenshots: setup $(VENV)/.ready ## Take the pictures of README.md anew, in a real browser
	swift build -c release --product leads-crm
	$(VENV)/bin/python Tests/Acceptance/screenshots.py

bench: setup ## Measure: see Benchmarks/README.md
	@deploy/install-packages wrk postgresql-contrib haproxy python3
	Benchmarks/run

coverage: setup $(VENV)/.ready ## Line coverage of the Swift tests, by file
	swift test --enable-code-coverage
	@.ci/print-coverage

clean: ## Remove what was built; the data in .leads-crm stays
	rm -rf .build $(VENV) .swagger-ui

.PHONY: help setup swift run demo release build lint test test-tls prove sanitize stress mutants routes screenshots bench coverage clean

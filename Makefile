# SPDX-License-Identifier: BSD-3-Clause
# A front for meson, which does the work. `make help` lists the targets.

BUILD ?= build
MESON_FLAGS ?=
TESTS ?=
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
# The build to ship, and to measure.
RELEASE = --buildtype=release -Db_lto=true

.DEFAULT_GOAL := build
.PHONY: build demo check sim tidy coverage bench bench-build bench-compare bench-table soak fuzz models docs install clean help packages

build: packages $(BUILD)/build.ninja ## build the library, the tool and the plugin into build/
	@ninja -C $(BUILD) -j $(JOBS) --quiet

demo: build ## the main job on an emulated zoned drive, in about a minute, step by step
	@BUILD=$(BUILD) tools/demo.sh

check: build ## run the tests; TESTS='--suite core' runs some of them
	@tools/check.sh $(BUILD) $(TESTS)

tidy: build ## check the rules of the tree: who sees whom, symbols, sizes, formatting
	@tools/tidy.py --build $(BUILD)

coverage: packages ## how much of the engine the tests run; the report is in build-coverage/
	@tools/coverage.sh build-coverage

bench: bench-build ## measure against the bars, and keep it in bench/results; fails if one does not hold
	@tools/bench.py $(BUILD)-bench

bench-compare: bench-build ## the same beside the last results; fails if something got worse
	@tools/bench.py --compare $(BUILD)-bench

bench-table: bench-build ## a table of workloads: throughput, latencies, WAF
	@tools/bench-table.sh $(BUILD)-bench

bench-build: packages
	@if [ -f $(BUILD)-bench/build.ninja ]; then meson configure $(BUILD)-bench $(RELEASE); \
	    else meson setup $(BUILD)-bench $(RELEASE) $(MESON_FLAGS) >/dev/null; fi
	@ninja -C $(BUILD)-bench -j $(JOBS) --quiet bench

sim: build ## a thousand random runs in the simulator; SEED=0x5eed the same again, ARGS='--runs 9'
	@$(BUILD)/hostftl-sim swarm $(if $(SEED),--seed $(SEED)) $(ARGS)

soak: build ## run the long tests
	@tools/soak.sh $(BUILD)

fuzz: packages ## search with libFuzzer, FUZZ_SECONDS (60) of processor time a target
	@tools/fuzz.sh $(BUILD)-fuzz $(FUZZ_SECONDS)

models: packages ## have spin search all states of the models of the risky protocols
	@tools/models.sh $(BUILD)-models

docs: packages ## make the manual pages into build/man
	@tools/docs.sh $(BUILD)/man

install: build ## install; DESTDIR is honoured, MESON_FLAGS=--prefix=/usr sets the prefix
	@meson install -C $(BUILD) --no-rebuild

clean: ## remove the build folder
	@rm -rf $(BUILD)

help: ## list the targets
	@echo 'make [TARGET] [BUILD=folder]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/    \1|\2/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r target text; do printf '%-14s %s\n' "$$target" "$$text"; done

packages:
	@tools/packages.sh

$(BUILD)/build.ninja: | packages
	@meson setup $(BUILD) $(MESON_FLAGS) >$(BUILD)-setup.log 2>&1 || \
	    { cat $(BUILD)-setup.log >&2; rm -f $(BUILD)-setup.log; exit 1; }
	@rm -f $(BUILD)-setup.log

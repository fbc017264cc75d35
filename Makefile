# SPDX-License-Identifier: Apache-2.0
# An index: what each target does is in dev/.

.DEFAULT_GOAL := help
.PHONY: help setup build release test test-quiet demo examples lint format bench mutants sim nemesis generate clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
setup: ## Install what is missing on Debian 12
	@dev/setup.sh
build: setup ## Build everything, for debugging
	swift build --build-tests --explicit-target-dependency-import-check error
release: setup ## Build brokerfs as it is installed: .build/release/brokerfs
	swift build --configuration release --product brokerfs
test: ## Run all tests and examples, from nothing
	@dev/test.sh
test-quiet: setup ## Run the tests of the quiet rooms alone: no mount, no network, few dependencies
	BROKERFS_ROOMS=quiet swift test --scratch-path .build-quiet
demo: ## Mount sample identity state and show what to try
	@dev/demo.sh
examples: build ## Run the examples and compare what they print
	@dev/examples.sh
lint: setup ## Check format and house rules
	@dev/lint.sh
format: ## Format the Swift sources
	@dev/format.sh --fix
bench: ## Measure brokerfs beside other file systems (root)
	@dev/bench.sh
mutants: ## Plant known bugs, one by one: tests, simulated schedules or the nemesis must see each
	@dev/mutants.sh
sim: ## Run simulated clusters: [SEED=n] [RUNS=n] [PROFILE=plain|swarm|both]
	@dev/sim.sh
nemesis: ## Real nodes under every fault, for a quarter of an hour (root)
	@dev/nemesis.sh
generate: ## Make Sources/Identity/Generated from Protos again
	@dev/generate-protobuf.sh
clean: ## Remove what was built
	rm -rf .build .build-quiet .build-protoc Benchmarks/build

# The door to every task. `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Check the machine; add what a build needs (wasm target, C tools)
	@tests/setup.sh build

build: setup ## Build target/release/weir
	$(CARGO) build --release --locked -p weir-cli

run: build ## Build, start everything, and watch records flow
	@target/release/weir up --demo --data-dir weir-data

check: setup ## Formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

test: setup ## All tests that fit into CI, with each suite's minutes
	@tests/run.sh

clients: setup ## Real clients against the bundled broker: kcat, Java tools, Python, Node
	@tests/run.sh clients

faults: setup ## Kill, fill and tear: twenty rounds each
	@tests/run.sh faults

soak-connect: build ## Three workers, three Kafka nodes, 400 tasks, fifty rounds of faults
	WEIR_SOAK_ROUNDS=$${WEIR_SOAK_ROUNDS:-50} WEIR_SOAK_CONNECTORS=$${WEIR_SOAK_CONNECTORS:-100} \
		$(CARGO) test --release --locked --workspace --test soak -- --nocapture

bench: build ## One table from one run against Apache Kafka and Connect
	@tests/bench/run.sh

record: setup ## Record anew what Apache Connect answers to the scenarios in tests/conformance
	@tests/conformance/record.sh

docs: ## Renew the generated reference pages
	$(CARGO) run --locked -q -p weir-cli -- docs docs/config

ci: check test ## What CI runs

.PHONY: help setup build run check test clients faults soak-connect bench record docs ci

# One line a task; `make` lists them. CI is `make ci`.

.PHONY: help run demo test lint doc fmt ci sweep planted mutants fuzz release deny

PLANTED = RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/.ci/planted-rustc

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

run: ## The agent, with the settings of the environment
	cargo run --bin everbeat -- run

demo: ## The main job on the embedded platform, 20 seconds
	cargo run --bin everbeat -- demo

test: ## All tests
	cargo test --workspace

lint: ## Format and lints
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings

fmt: ## Formats everything
	cargo fmt --all

doc: ## The documentation of all crates, opened
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --open

sweep: ## A thousand simulated days under all faults
	cargo run --release --package everbeat-sim -- sweep --seeds 1000 --hours 24

planted: ## Each promise's own test catches its planted fault
	$(PLANTED) cargo test --workspace --test promises --test delivery_planted -- --nocapture

mutants: ## Plants every fault, sweeps, and says which promise caught it
	$(PLANTED) cargo run --bin everbeat-sim -- mutants

fuzz: ## The core's fuzz target (needs a nightly compiler and cargo-fuzz)
	cargo +nightly fuzz run handle -- -max_total_time=600

release: ## The release binary and its size
	cargo build --release --locked --bin everbeat && ls -l target/release/everbeat

deny: ## Licences, sources and duplicates (needs cargo-deny)
	cargo deny check licenses bans sources

ci: ## All that CI runs
	.ci/run

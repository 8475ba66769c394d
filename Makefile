# The commands of the project. Every one does its own set-up; `make` alone lists them.

CARGO ?= cargo
# Some tests boot a machine, change users and mount: they run as root. Building does not.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E env "PATH=$(PATH)")

.DEFAULT_GOAL := help
.PHONY: help demo quick test matrix setup check doc deb bench bench-large deny advisories clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## show a purge of a small camera database and its thumbnails, from plan to result
	@.ci/setup demo
	@$(CARGO) build --locked --quiet
	@.ci/demo

quick: ## run the tests that need no server and no root, in minutes
	@.ci/quick

test: setup check doc ## run every test, as the continuous integration does
	$(CARGO) test --locked --no-run
	$(AS_ROOT) $(CARGO) test --locked

matrix: setup ## run the tests of rows, trees and crash on newer PostgreSQL, MariaDB and MySQL
	$(CARGO) test --locked --test it --no-run
	$(AS_ROOT) env CARGO="$(CARGO)" .ci/matrix

setup: ## install what the tests need (Debian packages)
	@.ci/setup

check: ## check formatting and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

doc: ## build the code's documentation
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

deb: ## build the Debian package
	packaging/build-deb

bench: ## measure purges, scans and the daemon beside what else there is; writes docs/performance.md
	@.ci/setup bench
	$(CARGO) bench --locked --bench all --no-run
	$(AS_ROOT) $(CARGO) bench --locked --bench all -- --write $(ROWS)

bench-large: ## the same for up to 50 million rows and 10 million files: an hour or two, 40 GB
	@.ci/setup bench
	$(CARGO) bench --locked --bench all --no-run
	$(AS_ROOT) $(CARGO) bench --locked --bench all -- --large --write

deny: ## check licences, sources and bans of the dependencies (needs cargo-deny)
	$(CARGO) deny --locked check bans licenses sources

advisories: ## look for security advisories of the dependencies (needs cargo-deny, fetches their list)
	$(CARGO) deny --locked check advisories

clean: ## remove what was built
	$(CARGO) clean

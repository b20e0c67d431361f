# Daybook's commands. `make` alone lists them.

GO ?= go

# Pinned, so that a new release of the linter never fails a build by itself.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2

# Two packages at a time: the engines of more would compete for the same cores, and a test
# that starves is a test that fails for nothing.
TESTFLAGS ?= -race -p 2 -timeout 10m

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Serve with every engine embedded and demo data
	$(GO) run ./cmd/daybook serve --demo

.PHONY: build
build: ## Build the one binary, bin/daybook
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/daybook ./cmd/daybook

.PHONY: engines
engines: ## Install what the tests need (Debian: PostgreSQL, Redis, a C compiler), if absent
	@.ci/engines

.PHONY: test
test: engines ## Vet and run every test with the race detector on both ends of each engine
	$(GO) vet ./...
	$(GO) test $(TESTFLAGS) ./...

.PHONY: compat
compat: ## Run the suites of official clients against the served store, and read an export with DuckDB
	eventstore/esdbserver/compat/kurrentdb-go
	eventstore/esdbserver/compat/npm-eventstore
	projections/export/compat/duckdb

.PHONY: soak
soak: engines ## The same tests with the large counts; takes an hour or more
	DAYBOOK_SOAK=1 $(GO) test -race -p 1 -count=1 -timeout 3h ./...

.PHONY: bench
bench: engines ## Measure holds and reads beside the baseline, and print the ratios
	$(GO) run ./internal/bench

.PHONY: check
check: ## Look for what a formatter, the compiler's vet and the linters find
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	@# A cache of its own: the common one hands out findings under the path of another checkout.
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/lint-cache $(GO) run $(GOLANGCI_LINT) run --timeout 10m ./...

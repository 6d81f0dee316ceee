# bootyard. "make demo" shows it, "make test" proves it; both install what they
# need on a Debian machine (scripts/install-packages).
SHELL = /bin/bash
.ONESHELL:
.SHELLFLAGS = -eu -o pipefail -c
.DEFAULT_GOAL = build

GO ?= go
export CGO_ENABLED ?= 0
LDFLAGS = -s -w
BUILD = $(GO) build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: build packages demo test test-quick test-vm test-all conformance lint fuzz bench clean

build: ## both programs into bin/, and the agent for Windows
	$(BUILD) -o bin/ ./cmd/bootyard ./cmd/bootyard-agent
	GOOS=windows GOARCH=amd64 $(BUILD) -o bin/bootyard-agent.exe ./cmd/bootyard-agent

packages: ## Debian packages that build, test and demo need
	scripts/install-packages

demo: packages build ## deploy two virtual machines and show how (KEEP=1 leaves the lab up)
	bin/bootyard demo --build-dir build $(if $(KEEP),--keep)

lint: ## formatting, vet, the house's rules
	unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./cmd/bootyard-agent/... ./internal/agent/... ./tsengine/...

test-quick: ## unit and protocol tests with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 10m ./...

test-vm: build ## deployments of real virtual machines
	BOOTYARD_VM=1 CGO_ENABLED=1 $(GO) test -race -count=1 -v -timeout 28m -parallel 2 ./internal/e2e

test: packages build lint test-quick test-vm ## everything that proves it within half an hour

test-all: packages build lint ## also the boots that take longer
	BOOTYARD_VM=all CGO_ENABLED=1 $(GO) test -race -count=1 -p 1 -parallel 2 -timeout 120m ./...

conformance: packages build ## run the rows and write docs/conformance.md
	CGO_ENABLED=1 scripts/conformance

fuzz: ## every fuzzer for FUZZTIME (default 30s)
	scripts/fuzz $${FUZZTIME:-30s}

bench: ## benchmarks with their peers
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean:
	rm -rf bin build

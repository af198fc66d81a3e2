# What CI runs, by the same names. `make` lists nothing it does not do.
GO   ?= go
TOOL := $(GO) tool -modfile=.ci/tools/go.mod

.PHONY: all build man dist fmt lint test race cross bits32 nonats fuzz bench seeds licenses supply reproducible installs system endings capacity floor wide chaos soak ci


all: lint test build

build: ## one binary
	$(GO) build -trimpath -o comet ./cmd/comet

man: ## manual pages, in dist/man
	$(GO) run ./cmd/comet man dist/man

dist: ## what people take home, in dist: see .dist/release
	$(GO) run -C .dist/release . $(DIST)

reproducible: ## two builds have the same bytes
	.ci/reproducible

installs: ## the Debian package is installed and removed (root)
	.ci/installs

licenses: ## writes .dist/licenses.txt anew: read the licenses first
	$(GO) run -C .dist/release . -write-licenses

supply: ## modules are what go.sum says, under licenses that are allowed, without known holes
	$(GO) mod verify
	$(GO) test -C .dist/release .
	$(GO) run -C .dist/release . -check-licenses
	.ci/vulnerabilities

fmt:
	$(TOOL) golangci-lint fmt ./...

lint:
	$(TOOL) golangci-lint run ./...
	$(TOOL) golangci-lint run --build-tags system ./cmd/comet/...

seeds: ## the import rules refuse what they must
	.ci/seeds

test:
	$(GO) test ./...

race:
	$(GO) test -race -p 3 ./...

cross: ## the engine is Linux only, the rest works everywhere
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...
	GOOS=linux GOARCH=386 $(GO) vet ./...
	GOOS=linux GOARCH=arm $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/comet
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/comet

bits32: ## what meets the kernel or large numbers, run on 32 bits (Linux on amd64)
	GOOS=linux GOARCH=386 $(GO) test ./server/epoll ./server/wire ./flood/pace ./memlog/... ./cmd/internal/flags

nonats: ## without the router, a third smaller
	$(GO) vet -tags nonats ./server/natsrouter/...
	$(GO) test -count 1 -tags nonats -run NoNATS ./cmd/internal/cli

FUZZTIME ?= 10s
fuzz: ## each target for $(FUZZTIME)
	.ci/fuzz $(FUZZTIME)

bench:
	$(GO) test -run '^$$' -bench . ./...

# What needs root, a browser, namespaces or servers that are not ours. .ci/run
# installs them; a test that misses one says so and is skipped.
system:
	$(GO) test -tags system -count 1 -timeout 30m -parallel 4 -run System -v ./...

endings: ## all of the matrix of endings, of which system takes all pairs (root)
	COMET_ENDINGS=all $(GO) test -tags system -count 1 -timeout 3h -parallel 4 -run 'TestSystemEndings' -v ./cmd/comet

capacity: ## searches servers with each kind of limit, of which system takes one (root)
	COMET_CAPACITY=all $(GO) test -tags system -count 1 -timeout 30m -run 'TestSystemCapacity' -v ./cmd/comet

# Comet against the least that a push server costs, in turn on this machine. The
# settings are variables of the environment: COMET_FLOOR_BINARIES=./a,./b
# measures those instead of this tree, _CLIENTS=./a has the flood and msggen of
# that one drive all (each binary's own; the floor has those of the first),
# _ROWS=http,fanout (all), _SECONDS (5) and _REPEATS (3) of each row,
# _CONNECTIONS (15000) and _FANOUT (10000) to one id. It needs gcc and strace.
floor: build
	COMET_FLOOR_BINARIES=$${COMET_FLOOR_BINARIES:-$(CURDIR)/comet} $(GO) test -tags system -count 1 -timeout 2h -v -run '^TestFloor$$' ./cmd/comet

wide: build ## an event to 10,000 followers, and what others notice of it: see .ci/wide
	.ci/wide $(CURDIR)/comet

# Three front ends and three brokers under 1000 messages per second, to which random
# faults happen: CHAOS_SECONDS (300), CHAOS_SEED (printed). Cables and a full disk take
# root.
chaos:
	$(GO) test -tags system -count 1 -timeout 2h -v -run '^TestChaos$$' ./cmd/comet

# 10,000 connections for SOAK_MINUTES (60); the log and its picture stay in SOAK_OUT.
soak:
	SOAK_OUT=$${SOAK_OUT:-$(CURDIR)/comet-soak} $(GO) test -tags system -count 1 -timeout 12h -v -run '^TestSoak$$' ./cmd/comet

ci:
	bash .ci/run

# `make` lists the targets. `make demo` and `make test` need Go, git and make,
# and nothing set up by hand; `make generate` and `make lint` build their tools
# from tools/*/go.mod (about three minutes the first time, kept in .cache).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Go refuses to build where git refuses to answer (no git, or a checkout that
# belongs to somebody else), unless a flag says not to ask for the revision.
VCS := $(shell git rev-parse --verify --quiet HEAD >/dev/null 2>&1 && echo auto || echo false)
# One set of flags for all, so that compiled packages are shared:
# where nothing has been compiled before, that is most of the time.
export GOFLAGS := $(filter-out -buildvcs% -trimpath,$(GOFLAGS)) -buildvcs=$(VCS) -trimpath

ARGS ?=
ONLY ?=
SEED ?=
BENCH ?= .
BENCHTIME ?= 1s
FUZZTIME ?= 10s
FUZZBUDGET ?= 0
DURATION ?= 10m
KILLS ?= 300
QUICK ?=
# That of packages which are built to be tried; a release has its own.
VERSION ?= 0.1.0-dev
RELEASE := $(if $(filter command line,$(origin VERSION)), -X main.release=$(VERSION))
OUTDATED ?= 2m
# The vendor's OpenAPI description is not part of the repository; its SDK comes from the registry.
OPENAPI ?= $(wildcard ../shared/upstream/admin-openapi-2026-11.json)
SDK ?= pinned

# A tool is built once for each Go version and content of the module that pins
# it. $(call tool,NAME,MODULE) is its path.
GOVERSION := $(shell go env GOVERSION)
tool = .cache/bin/$(1)-$(shell { echo $(GOVERSION); cat tools/$(2)/go.mod tools/$(2)/go.sum; } | cksum | cut -d' ' -f1)
BUF := $(call tool,buf,buf)
LINTER := $(call tool,golangci-lint,lint)
SUITE := $(call tool,connectconformance,conformance)
SBOM := $(call tool,cyclonedx-gomod,sbom)

# The modules beside the root that hold Go code, and those that have tests.
MODULES := $(sort $(dir $(foreach m,$(wildcard tools/*/go.mod tests/*/go.mod),$(firstword $(wildcard $(dir $(m))*.go)))))
TESTED := $(sort $(dir $(wildcard $(addsuffix *_test.go,$(MODULES)))))
# Those that mostly wait come first, so that others run beside them.
WAITING := $(filter tests/% tools/vaultclients/,$(TESTED))
TESTED := $(WAITING) $(filter-out $(WAITING),$(TESTED))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the static binary bin/gateway (VERSION=1.2.3 of a release)
	CGO_ENABLED=0 go build -ldflags '-s -w$(RELEASE)' -o bin/gateway ./cmd/gateway

.PHONY: demo
demo: build ## Run the demo: fake upstream and gateway (ARGS=--once ends after the sample calls)
	bin/gateway demo $(ARGS)

.PHONY: test
test: ## Test every module, the product with the race detector (TEST_LIMIT=20m a package)
	@tools/test.sh $(TESTED)

.PHONY: attacks
attacks: ## Attack a gateway at its full speed: without the race detector, which slows both down
	CGO_ENABLED=0 go test -vet=off -ldflags=-w -count=1 -timeout 5m -run '^TestAttacks$$' ./cmd/gateway

.PHONY: conformance
conformance: $(SUITE) ## Run the connectrpc conformance suite against the doors and the bare library
	@cd tools/conformance && CGO_ENABLED=0 go build -o $(CURDIR)/bin/conformance . && go mod download connectrpc.com/conformance
	@bin/conformance -runner $(SUITE) -protos "$$(cd tools/conformance && go list -m -f '{{.Dir}}/proto' connectrpc.com/conformance)"

.PHONY: sdk
sdk: ## Run the vendor's SDKs for Python and Node against the REST door
	@tools/sdk.sh

.PHONY: vaultclients
vaultclients: ## Run Vault's clients for Python and Node against the gateway with leases
	@tools/vaultclients.sh

.PHONY: console
console: ## Open every page of the console in a browser
	@tools/console.sh

.PHONY: vendortests
vendortests: ## Run the vendor's own tests against the REST door, with a mock of its description (OPENAPI=file)
	@tools/vendortests.sh $(OPENAPI)

.PHONY: bodies
bodies: ## Send random bodies of the vendor's description through the codec and the REST door (SEED=number)
	@$(if $(OPENAPI),,echo "bodies: SKIPPED: the vendor's description is not here; OPENAPI=file names it"; exit 0;) \
	cd tools/bodies && CGO_ENABLED=0 ADMIN_OPENAPI=$(abspath $(OPENAPI)) $(if $(SEED),BODIES_SEED=$(SEED)) go test -count=1 -vet=off .

.PHONY: stubs
stubs: build $(BUF) ## Generate stubs in other languages from the schema, and call the demo (ONLY='python rust')
	@BUF=$(abspath $(BUF)) tools/stubs.sh $(ONLY)

.PHONY: clients
clients: $(BUF) third_party/.stamp ## Build the packages for other languages into dist/ (ONLY='python go', VERSION=1.2.3)
	@BUF=$(abspath $(BUF)) tools/clients.sh build dist/clients $(VERSION) $(ONLY)

.PHONY: test-clients
test-clients: build $(BUF) third_party/.stamp ## Build each package, install it in an empty project; run its example and the script against a gateway
	@BUF=$(abspath $(BUF)) tools/clients.sh test dist/clients $(VERSION) $(ONLY)
	@BUF=$(abspath $(BUF)) tools/clients.sh earlier dist/earlier $(or $(ONLY),python)

.PHONY: release
release: $(BUF) $(SBOM) third_party/.stamp ## Build all of a release into dist/release (VERSION=1.2.3)
	$(if $(RELEASE),,$(error make release needs VERSION=1.2.3))
	@BUF=$(abspath $(BUF)) SBOM=$(abspath $(SBOM)) tools/release.sh $(VERSION) dist/release

.PHONY: golden
golden: ## Write the inventory of RPCs anew, for review
	go test ./service/catalog -run Golden -update

.PHONY: manifests
manifests: ## Render deploy/kubernetes anew from the Helm chart, and copy alerts and dashboard into it
	cd tools/deploy && CGO_ENABLED=0 go test -vet=off -run '^TestGenerated$$' -update .

.PHONY: reference
reference: ## Write docs/config.md and docs/cli.md anew, from the config and the commands that the code has
	go test ./cmd/gateway -run ReferencePage -update

.PHONY: bench
bench: build ## Measure the gateway beside other servers, and write docs/performance.md (QUICK=1, ONLY='fast rest')
	@tools/bench.sh $(if $(QUICK),-quick) -only '$(ONLY)' $(if $(QUICK)$(ONLY),,-page docs/performance.md -result .cache/bench.json)

.PHONY: microbench
microbench: ## Run the Go benchmarks (BENCH=regexp, BENCHTIME=1s)
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for a short time (FUZZTIME=10s each)
	tools/fuzz.sh $(FUZZTIME) $(FUZZBUDGET)

.PHONY: mutants
mutants: ## Make faults in the code, one at a time, and run the tests that must notice (ONLY='authn cache/')
	@cd tools/mutants && CGO_ENABLED=0 go build -o $(CURDIR)/bin/mutants . && $(CURDIR)/bin/mutants -root $(CURDIR) -only '$(ONLY)'

.PHONY: outdated
outdated: ## List modules of which there is a newer version, security-relevant ones first (OUTDATED=2m)
	@cd tools/outdated && CGO_ENABLED=0 go run . -limit $(OUTDATED) $(sort $(dir $(wildcard $(CURDIR)/tools/*/go.mod))) $(CURDIR)

.PHONY: soak
soak: ## Keep a gateway busy for DURATION (10m), and report what it holds
	SOAK=$(DURATION) go test -run '^TestSoak$$' -v -timeout 0 ./cmd/gateway

.PHONY: neighbours
neighbours: build ## Measure what two hostile neighbours take from a caller (DURATION=1m)
	@cd tools/neighbours && go build -o $(CURDIR)/.cache/neighbours .
	@.cache/neighbours -gateway bin/gateway $(if $(filter command line environment,$(origin DURATION)),-duration $(DURATION))

.PHONY: histories
histories: ## Play random faults on three gateways for DURATION (10m), and check what callers saw (SEED=number)
	@tools/redis.sh >/dev/null
	@cd tests/histories && CGO_ENABLED=0 HISTORIES=$(DURATION) HISTORIES_SEED=$(SEED) go test -count=1 -vet=off -run '^TestMixed$$' -v -timeout 0 .

.PHONY: lease-kills
lease-kills: ## Kill gateways at KILLS (300) points on each ledger of leases, and look at every key (SEED=number)
	@tools/redis.sh >/dev/null
	@cd tests/leases && CGO_ENABLED=0 LEASES_KILLS=$(KILLS) LEASES_SEED=$(SEED) go test -count=1 -vet=off -run '^TestKills$$' -v -timeout 0 .

.PHONY: spec
spec: ## Check the specification of the cache's coherence in all its states (ARGS=--large)
	@cd docs/spec && CARGO_TARGET_DIR=$(CURDIR)/.cache/spec cargo run --quiet --release --locked -- $(ARGS)

.PHONY: tools
tools: $(BUF) $(LINTER) $(SUITE) ## Build the pinned tools into .cache

.PHONY: generate
generate: $(BUF) third_party/.stamp ## Generate gen/ from proto/
	$(BUF) generate

.PHONY: lint
lint: $(BUF) $(LINTER) third_party/.stamp ## Run every linter: Go, Protobuf, shell
	@tools/lint.sh $(BUF) $(abspath $(LINTER)) . $(MODULES)

.PHONY: breaking
breaking: $(BUF) third_party/.stamp ## Compare proto/ with what landed last (BASE=commit)
	@tools/breaking.sh $(BUF)

.PHONY: drift
drift: ## Compare proto/ with the vendor's SDK, and with OPENAPI=file (SDK=latest only reports)
ifeq ($(SDK),latest)
	@cd tools/drift && CGO_ENABLED=0 go run . -sdk latest
else
	@$(if $(OPENAPI),,echo "drift: no OpenAPI description is here: compared with the SDK alone")
	@cd tools/drift && CGO_ENABLED=0 go run . -sdk $(SDK) $(if $(OPENAPI),-openapi $(abspath $(OPENAPI)))
endif

.PHONY: clean
clean: ## Remove everything that make made
	rm -rf bin .cache dist third_party

.cache/bin/buf-%:
	CGO_ENABLED=0 go build -modfile=tools/buf/go.mod -o $@ github.com/bufbuild/buf/cmd/buf

.cache/bin/cyclonedx-gomod-%:
	CGO_ENABLED=0 go build -modfile=tools/sbom/go.mod -o $@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

.cache/bin/golangci-lint-%:
	CGO_ENABLED=0 go build -modfile=tools/lint/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.cache/bin/connectconformance-%:
	cd tools/conformance && CGO_ENABLED=0 go build -o $(CURDIR)/$@ connectrpc.com/conformance/cmd/connectconformance

third_party/.stamp: tools/protodeps/main.go tools/protodeps/go.mod tools/protodeps/go.sum
	rm -rf third_party
	cd tools/protodeps && go run . $(CURDIR)/third_party/proto
	@touch $@

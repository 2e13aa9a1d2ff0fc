# Run `make` to see what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PROGRAMS    := assim-probe assim-relay assim-saas assim
# What the service hands out, see saas/internal/downloads.
DOWNLOADS   := assim-probe assim-relay assim
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
# Functions start at 16 bytes, as on arm64 and in C: the default of 32 makes 50 kB of
# filling in the probe.
LDFLAGS     := -s -w -funcalign=16 $(foreach cli,probe/cli relay/cli saas/cli cmd/assim/internal/cli,-X assimilation/$(cli).Version=$(VERSION))
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4
OAPI        := github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2
TEMPL       := github.com/a-h/templ/cmd/templ@v0.3.977
# Nothing here needs a C compiler, but the race detector does.
export CGO_ENABLED := 0
FUZZTIME    ?= 20s
FUZZ        ?= .
# Which Postgres: 17 or 18. Each has its own directory under .dev/.
PG          ?= 17
export ASSIM_POSTGRES := $(PG)

.PHONY: help build dist packages e2e-packages cross units up down logs test test-race test-pg18 e2e e2e-backup e2e-rotation e2e-netns e2e-install e2e-oidc e2e-otel e2e-loss e2e-deletion e2e-rest e2e-browser fuzz generated-cypher bench bench-cypher bench-discovery bench-estate bench-probe bench-swim loadtest isolation lint generate check-generated check-truth

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the programs, static, into bin/
	@ops/dev/console.sh
	go build -trimpath -buildvcs=false -ldflags='$(LDFLAGS)' -o bin/ $(PROGRAMS:%=./cmd/%)

dist: ## what hosts download, for linux/amd64 and arm64, vetted, into dist/
	@for arch in amd64 arm64; do \
	    GOOS=linux GOARCH=$$arch go vet $(DOWNLOADS:%=./cmd/%) ./probe/... ./relay/... ./discovery/...; \
	    for program in $(DOWNLOADS); do \
	        GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags='$(LDFLAGS)' \
	            -o dist/$$program-linux-$$arch ./cmd/$$program; \
	    done; \
	done
	@stat -c '%9s bytes  %n' dist/*-linux-*

packages: dist ## deb and rpm of each program, for amd64 and arm64, into dist/packages/
	@ops/dev/console.sh
	@for arch in amd64 arm64; do \
	    GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags='$(LDFLAGS)' -o dist/assim-saas-linux-$$arch ./cmd/assim-saas; \
	done
	@ops/packages/build.sh dist dist/packages '$(VERSION)' go run $(NFPM)

e2e-packages: packages ## install, upgrade, remove and purge the packages on a Debian root; needs root and the Debian mirror
	@command -v mmdebstrap >/dev/null || apt-get -qq install -y --no-install-recommends mmdebstrap
	@command -v rpm >/dev/null || apt-get -qq install -y --no-install-recommends rpm
	@e2e/rest/root.sh .dev/rest/root
	@ops/packages/check.sh dist/packages .dev/rest/root

cross: ## vet and build the probe and the command line for Windows, macOS and FreeBSD, with the kinds that make sense there
	@for target in windows/amd64 darwin/arm64 freebsd/amd64; do \
	    export GOOS=$${target%/*} GOARCH=$${target#*/}; \
	    go vet ./cmd/assim-probe ./probe/... ./discovery ./discovery/collectors ./discovery/portable ./cmd/assim/...; \
	    for program in assim-probe assim; do \
	        go build -trimpath -buildvcs=false -ldflags='$(LDFLAGS)' -o dist/cross/$$program-$$GOOS-$$GOARCH ./cmd/$$program; \
	    done; \
	done
	@stat -c '%9s bytes  %n' dist/cross/*

units: ## how exposed systemd finds each unit, of 10; fails above 3.0
	@for unit in ops/systemd/*.service; do \
	    systemd-analyze security --offline=true --threshold=30 --no-pager "$$unit" | tail -1; \
	done

up: ## start everything on this machine and print the dashboard's address; PG=18 on Postgres 18
	@ops/dev/up.sh

down: ## stop what `make up` started and remove it
	@ops/dev/down.sh

logs: ## follow what the programs say
	@ops/dev/logs.sh

# The programs that the tests of the whole build are built so, too: one cache serves
# them and the tests. lint has vetted everything. Most of those tests wait.
test: export GOFLAGS += -trimpath
test: lint check-generated ## everything that must hold; needs root for the tests with network namespaces
	@ops/postgres/up.sh
	go test -vet=off -p $$(($$(nproc) + 1)) -timeout 20m ./...

test-race: ## all tests under the race detector (needs gcc and libc6-dev)
	@ops/postgres/up.sh
	CGO_ENABLED=1 go test -race ./...

test-pg18: ## the tests that use Postgres, on Postgres 18 with AGE 1.8, and a backup of 17 brought there
	@ASSIM_POSTGRES=18 ops/postgres/up.sh
	@ASSIM_POSTGRES=17 ops/postgres/up.sh
	ASSIM_POSTGRES=17 ASSIM_NEWER_DATABASE_URL="$$(cat .dev/postgres18/url)" go test -count=1 -run Newer ./saas/internal/backup
	ASSIM_POSTGRES=18 go test -count=1 $$(go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | awk '/internal\/pgtest|store\/storetest|e2e\/world/ { print $$1 }')

e2e-browser: ## a newcomer's way to the first map, and every page in light and dark, wide and narrow, in a real Chromium; pictures in .dev/screenshots/; PAGES=regexp chooses pages; needs root
	@ops/postgres/up.sh
	@command -v chromium >/dev/null || apt-get -qq install -y --no-install-recommends chromium
	@command -v sudo >/dev/null || apt-get -qq install -y --no-install-recommends sudo
	@mkdir -p .dev/screenshots
	ASSIM_SCREENSHOTS=$(CURDIR)/.dev/screenshots go test -count=1 -v -timeout 30m $(if $(PAGES),-run 'TestEveryPage/$(PAGES)') ./e2e/browser

e2e: ## only the tests of the whole, with the real programs
	@ops/postgres/up.sh
	go test -count=1 -v ./e2e/...

fuzz: ## every fuzz target for FUZZTIME (20s); FUZZ=regexp chooses
	@ops/dev/fuzz.sh '$(FUZZ)' '$(FUZZTIME)'

generated-cypher: ## a million made-up questions to the graph, in about half an hour; QUESTIONS=1000000, SEED=1, FROM=0 goes on where one ended; PG=18
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 6h -run TestGeneratedQuestions ./saas/internal/cypher -args \
	    -generate $(or $(QUESTIONS),1000000) -generate-seed $(or $(SEED),1) -generate-from $(or $(FROM),0)

bench: ## ingest beside plain tables and UNWIND MERGE SET, and the rest, beside the goals; PG=18, HOSTS=2000
	@ops/postgres/up.sh
	@go run ./e2e/bench $(if $(HOSTS),-hosts $(HOSTS))

# A server of its own, which no test may crash meanwhile.
ESTATE := .dev/estate/postgres$(PG:17=)

bench-cypher: ## questions in Cypher through the service and through AGE's own cypher(), ROUNDS=50 each; PG=18
	@ops/postgres/up.sh
	@go test -run '^$$' -bench BesideAGE -benchtime $(or $(ROUNDS),50)x ./saas/internal/cypher

bench-estate: ## questions, pages and looks back on a large estate; HOSTS=100000, KEEP=1 keeps the database, ONLY=regexp, REBUILD=1 rebuilds the graph instead; OUT=json
	@ops/postgres/up.sh $(ESTATE)
	@trap 'ops/postgres/down.sh $(ESTATE)' EXIT; go run ./saas/benchestate -server "$$(cat $(ESTATE)/url)" \
	    -hosts $(or $(HOSTS),100000) -o $(or $(OUT),table) $(if $(KEEP),-keep) $(if $(ONLY),-only '$(ONLY)') $(if $(REBUILD),-rebuild)

bench-discovery: ## a first discovery of this host, kind by kind, and beside facter, fusioninventory and lynis; needs root; RUNS=5
	@go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./e2e/benchdiscovery $(if $(RUNS),-runs $(RUNS))

bench-probe: ## a quiet probe beside node_exporter and zabbix-agent2; needs root; WINDOW=2m
	@ops/postgres/up.sh
	@go test -run '^$$' -bench . -benchtime 1x ./e2e/benchprobe $(if $(WINDOW),-window $(WINDOW))

e2e-netns: ## a site of 3 switches with real lldpd: a host dies 30 times, all else happens 5 times; needs root, lldpd and nft
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 60m ./e2e/netns -args -deaths 30 -others 5 -strict

e2e-loss: ## the same site while 5 % of all datagrams are lost and probes freeze: nobody may die; WINDOW=30m
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 120m -run TestNobodyDiesOfLoss ./e2e/netns -args -lossy $(or $(WINDOW),30m)

e2e-deletion: ## two tenants with real programs: one is exported, deleted with the service killed in the middle, and looked for in the whole database; needs root
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 15m ./e2e/deletion -args -whole

e2e-rest: ## a Debian with its own systemd is watched at rest, then changed in five ways; needs root and the Debian mirror; REST=10m, up to 40 minutes
	@ops/postgres/up.sh
	@command -v mmdebstrap >/dev/null || apt-get -qq install -y --no-install-recommends mmdebstrap
	@e2e/rest/root.sh .dev/rest/root
	go test -count=1 -v -timeout 90m -run TestAHostAtRest ./e2e/rest -rest $(or $(REST),10m) -root $(CURDIR)/.dev/rest/root

e2e-backup: ## the database dropped and restored: nothing lost, nothing twice, one gap per stream; the master key replaced under way; needs root
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 60m ./e2e/backup -args -whole

e2e-rotation: ## the keys of a site and of a tenant replaced under way: no host lost, no gap, the old ones open nothing; needs root
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 60m ./e2e/rotation -args -whole

e2e-install: ## the install lines, upgrade and removal on hosts that reach nothing but their relay, without and with a systemd of their own; needs root and the Debian mirror
	@ops/postgres/up.sh
	@command -v mmdebstrap >/dev/null || apt-get -qq install -y --no-install-recommends mmdebstrap
	@e2e/rest/root.sh .dev/rest/root
	@e2e/rest/installer.sh .dev/rest/root .dev/rest/installer
	go test -count=1 -v -timeout 30m ./e2e/install -whole
	go test -count=1 -v -timeout 30m -run TestInstallUnderSystemd ./e2e/rest -install -root $(CURDIR)/.dev/rest/installer

e2e-oidc: ## single sign-on with a real provider, made of ory/fosite; its first build takes two minutes
	@ops/postgres/up.sh
	go build -C e2e/oidc/provider -o $(CURDIR)/bin/oidc-provider .
	ASSIM_OIDC_PROVIDER=$(CURDIR)/bin/oidc-provider go test -count=1 -v -run TestARealProviderLetsPeopleIn ./saas

e2e-otel: ## real OpenTelemetry Collectors by gRPC and HTTP: a host death, a package change and metrics; while they are down nothing is lost; needs root; the collector's first build takes two minutes
	@ops/postgres/up.sh
	go build -C e2e/otel/collector -o $(CURDIR)/bin/otel-collector .
	go test -count=1 -v -timeout 20m ./e2e/otel -collector $(CURDIR)/bin/otel-collector

bench-swim: ## time to detection and bytes per host beside memberlist's LAN defaults, N=16, 64, 256; needs root; KILLS=6
	@ops/postgres/up.sh
	@go test -run '^$$' -bench . -benchtime 1x ./e2e/benchswim $(if $(KILLS),-kills $(KILLS))

loadtest: ## power on PROBES=2000 at once against a real relay and service: clean, a bad network, attacked, flooded
	@ops/postgres/up.sh
	go test -count=1 -v -timeout 60m ./e2e/load -args -probes $(or $(PROBES),2000) -forge 20000 -flood 20000 -within 10m

lint: ## gofmt, go vet, staticcheck; shellcheck where it is installed
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	    if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	@if command -v shellcheck >/dev/null; then shellcheck -x $$(git ls-files '*.sh' 'ops/scripts/*' .ci/run); else echo "shellcheck is not installed: scripts are not linted"; fi

generate: ## write generated files anew: pages (templ), the probe's list of packages, descriptions of the API and its client, of queries, kinds and the graph
	@for dir in $$(git ls-files -co --exclude-standard '*.templ' | xargs -n 1 dirname | sort -u); do \
	    (cd "$$dir" && go run $(TEMPL) generate -log-level=error); done
	ops/dev/probe-deps.sh >cmd/assim-probe/deps.txt
	go run ./cmd/assim-saas openapi >docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json
	go run $(OAPI) -config api/generate.yaml docs/openapi.json
	go run ./saas/internal/query/document >docs/queries.md.new && mv docs/queries.md.new docs/queries.md
	go run ./discovery/document

check-generated:
	@ops/dev/check-generated.sh

isolation: ## a stranger, and everybody with a lesser role, attack everything; then each guard is broken and the attack must notice; 6 minutes
	@ops/postgres/up.sh
	@rm -rf .dev/isolation && mkdir -p .dev/isolation && go run ./tenancy/tenancytest/mutants/generate $(CURDIR) $(CURDIR)/.dev/isolation
	go test -count=1 -v -timeout 60m -run 'TestAttacksInSQL|TestMutantsOfTheDatabase' ./tenancy/store -args -mutants -summary $(CURDIR)/.dev/isolation/summary
	go test -count=1 -v -vet=off -timeout 60m -overlay .dev/isolation/overlay.json -run 'TestIsolation|TestMethodsOfFeatures|TestMutantsOfTheCode' ./saas \
	    -args -every-case -workers 2 -mutants $(CURDIR)/.dev/isolation/mutants.json -summary $(CURDIR)/.dev/isolation/summary
	@cat .dev/isolation/summary

check-truth: ## what the service says of this host, and of one with something of everything, against their own tools; needs root; MUTATE=1 proves that it can fail
	@ops/postgres/up.sh
	@go test -count=1 -v -timeout 30m ./e2e/furnished -args -check $(if $(MUTATE),-mutate)

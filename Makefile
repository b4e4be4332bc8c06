# Rollcall is built, tested and run from here. `make` alone lists what can be made.
.DEFAULT_GOAL := help
SHELL := /bin/bash

TOOL := go tool -modfile=.ci/tools/go.mod
FUZZTIME ?= 3s
CHAOSTIME ?= 10m
PKG ?= ./...

.NOTPARALLEL:
.PHONY: help build test unit race lint fuzz acceptance vuln sbom bench-budget bench-query chaos demo clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary: bin/rollcall
	CGO_ENABLED=0 go build -trimpath -o bin/rollcall ./cmd/export

test: lint fuzz acceptance race ## all that a change must pass, in a few minutes; needs gcc for the race detector

unit: ## the unit tests alone, without the race detector
	$(TOOL) gotestsum --format pkgname-and-test-fails -- -shuffle=on -timeout 30m $(PKG)

race: ## the unit tests in random order under the race detector
	CGO_ENABLED=1 $(TOOL) gotestsum --format pkgname-and-test-fails -- -race -shuffle=on -timeout 30m $(PKG)

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l cmd pipeline schema sinks sources); \
	  if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...

fuzz: ## every fuzz target for FUZZTIME each (3s): make fuzz FUZZTIME=10m
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

acceptance: ## the sealed snapshot as its readers see it: DuckDB, an S3 server, a killed run
	@if [ -x .ci/acceptance ]; then .ci/acceptance; else echo "acceptance: there is no .ci/acceptance, skipped"; fi

vuln: ## known vulnerabilities in what is linked; skipped, and said so, where the database can't be reached
	@.ci/vuln

sbom: build ## what bin/rollcall was built from, with versions and licences: bin/rollcall.cdx.json (CycloneDX)
	go run .ci/sbom/main.go bin/rollcall cmd/export/dependencies.txt > bin/rollcall.cdx.json

bench-budget: ## is the budget kept, and used? every budget, latency and share against a counting server, beside two other limiters
	cd pipeline/budget/bench && go run .

bench-query: ## what order, row groups and bloom filters are worth to a lookup in DuckDB; needs a C compiler
	cd cmd/export/acceptance && CGO_ENABLED=1 go run ./querybench

chaos: ## nights of crashes, kills, broken networks and clocks for CHAOSTIME (10m); prints the table of pipeline/CHAOS.md
	@CHAOSTIME=$(CHAOSTIME) .ci/chaos

demo: ## the whole job with no account, into ./rollcall-demo
	go run ./cmd/export demo

clean: ## remove what was built and what the demo wrote
	rm -rf bin rollcall-demo

# Thin calls into scripts/, for people with make at hand.
.DEFAULT_GOAL := help
.PHONY: build test demo demo-down bench pack clean help

build: ## bin/medforge and bin/medforged
	sh scripts/build
test: ## everything the tests need, then go test -race ./... (ARGS=...)
	sh scripts/test $(ARGS)
demo: ## from a fresh machine to VS Code in the browser (DEMO_BROWSER=0 asks nothing)
	sh scripts/demo
demo-down: ## stop the demo; nothing keeps running or mounted
	sh scripts/demo-down
bench: ## measurements, as ratios within one run
	sh scripts/bench
pack: ## the default Pack's archive; prints its path
	sh packs/default/build
clean: ## remove what was built here; the cache folder stays
	rm -rf bin dist web/out web/.next
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

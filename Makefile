# Thin calls into scripts/, for people with make at hand.
.DEFAULT_GOAL := help
.PHONY: build test demo demo-down bench pack deb vm test-vm test-gpu clean help

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
deb: ## dist/medforge_VERSION_amd64.deb
	sh scripts/deb
vm: ## the virtual machine that stands for a production host; kept in the cache folder
	sh test/vm/build
test-vm: ## install the .deb in it as docs/install.md says, and test it end to end
	bash test/vm/run
test-gpu: ## on a machine with an NVIDIA driver: sessions on its GPUs, end to end, without a network
	sh scripts/test-gpu
clean: ## remove what was built here; the cache folder stays
	rm -rf bin dist web/out web/.next
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

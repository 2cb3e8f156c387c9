# Builds the native addon and every BPF object. `make bpf` builds the objects alone.
CLANG ?= $(firstword $(call on_path,clang) $(call on_path,clang-2[0-9]) $(call on_path,clang-1[4-9]) clang)
STRIP ?= $(firstword $(call on_path,llvm-strip) $(call on_path,llvm-strip-2[0-9]) $(call on_path,llvm-strip-1[4-9]))
on_path = $(foreach folder,$(subst :, ,$(PATH)),$(wildcard $(folder)/$(1)))

# This clone's own; npm passes on a NODE that need not be.
own_node := $(firstword $(wildcard node_modules/node-linux-*/bin/node) node)

# Where Debian keeps <asm/types.h>; other distributions have it in /usr/include.
multiarch := $(wildcard /usr/include/$(shell uname -m)-linux-gnu)

# Line information names files as from here, so that objects built in another folder are the same.
BPF_CFLAGS := -ffile-prefix-map=$(CURDIR)=. -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Ibpf/include $(multiarch:%=-I%)
objects := $(patsubst %.bpf.c,%.bpf.o,$(wildcard bpf/*/*.bpf.c plugins/*/*.bpf.c bench/bpf/*.bpf.c))

.PHONY: all bpf native clean
all: bpf native viewer/dist/app.js
bpf: $(objects)

# BTF stays, DWARF goes. Without an llvm-strip the objects work as well, and are larger.
%.bpf.o: %.bpf.c Makefile
	@echo "  clang $<"
	@$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@.part
	@$(if $(STRIP),$(STRIP) -g $@.part)
	@mv $@.part $@

# The page; esbuild is an npm package.
viewer/dist/app.js: viewer/build.ts tools/bundle.ts viewer/index.html viewer/icon.svg package-lock.json $(wildcard viewer/src/*.* viewer/src/*/*.*)
	@echo "  page viewer/dist"
	@$(own_node) viewer/build.ts

native:
	@+$(MAKE) --no-print-directory -C native

clean:
	rm -rf $(objects) $(objects:=.d) viewer/dist
	$(MAKE) -C native clean

-include $(wildcard $(addsuffix /*.bpf.o.d,bpf/* plugins/* test/bpf bench/bpf))

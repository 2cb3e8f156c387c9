# libbpf, libelf and zlib as one static library, out of the sources that the crate libbpf-sys brings. Their own builds require
# autotools, flex and bison; the files that the addon requires are plain C.
#   make -f libraries.mk SOURCES=... OUT=... CC="zig cc -target ..." AR="zig ar"

CFLAGS := -O2 -g0 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -w -ffile-prefix-map=$(SOURCES)=.
HERE := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))

z := $(wildcard $(SOURCES)/zlib/*.c)
elf := $(wildcard $(SOURCES)/elfutils/libelf/*.c) $(SOURCES)/elfutils/lib/next_prime.c
bpf := $(wildcard $(SOURCES)/libbpf/src/*.c)
objects := $(patsubst $(SOURCES)/%.c,$(OUT)/%.o,$(z) $(elf) $(bpf))

$(OUT)/libbpf.a: $(objects)
	@rm -f $@
	@$(AR) rcsD $@ $^

$(OUT)/zlib/%.o: FLAGS = -DHAVE_UNISTD_H
$(OUT)/elfutils/%.o: FLAGS = -std=gnu99 -DHAVE_CONFIG_H -I$(HERE) -I$(SOURCES)/elfutils/libelf -I$(SOURCES)/elfutils/lib
$(OUT)/libbpf/%.o: FLAGS = -D_LARGEFILE64_SOURCE -D_FILE_OFFSET_BITS=64 -I$(SOURCES)/libbpf/include \
	-I$(SOURCES)/libbpf/include/uapi -I$(SOURCES)/elfutils/libelf

$(OUT)/%.o: $(SOURCES)/%.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(FLAGS) -I$(SOURCES)/zlib -c $< -o $@

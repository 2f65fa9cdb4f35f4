# SPDX-License-Identifier: MIT
# `make help` lists the targets. Settings: V=1 shows commands, CC=, CLANG=, LIBBPF_DIR=, SANITIZE=1, COVERAGE=1,
# CROSS=aarch64-linux-gnu- builds for arm64.

VERSION := $(shell cat VERSION)
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build$(if $(SANITIZE),/sanitize,$(if $(COVERAGE),/coverage))
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
PYTHON  ?= python3

include libbpf/libbpf.mk

ifneq ($(V),1)
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
endif

ifdef CROSS
CC := $(CROSS)gcc
TRIPLE := $(CROSS:-=)
else
TRIPLE := $(shell $(CC) -dumpmachine)
endif
ARCH := $(if $(filter aarch64%,$(TRIPLE)),arm64,x86)
# clang says x86_64-pc-linux-gnu, Debian x86_64-linux-gnu
UAPI := $(firstword $(wildcard /usr/include/$(firstword $(subst -, ,$(TRIPLE)))-linux-gnu /usr/$(TRIPLE)/include) /usr/include)

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
INCLUDES := -Iinclude -Iinclude/events -Isrc -I$(BUILD)/include $(LIBBPF_CFLAGS)
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
HARDEN   += $(if $(filter x86,$(ARCH)),-fcf-protection,-mbranch-protection=standard)
CFLAGS   ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) $(WERROR) -D_GNU_SOURCE -DEBPFMON_VERSION='"$(VERSION)"' $(INCLUDES)
LDLIBS   := -pthread $(LIBBPF_LIBS) -lelf -lz -lcjson -lm $(SECCOMP_LIBS)
ifdef SANITIZE
ALL_CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
ALL_LDFLAGS := $(LDFLAGS) -fsanitize=address,undefined
else ifdef COVERAGE
ALL_CFLAGS += -O0 --coverage -fprofile-abs-path
ALL_LDFLAGS := $(LDFLAGS) --coverage
else
ALL_CFLAGS += $(HARDEN)
ALL_LDFLAGS := $(LDFLAGS) -pie -Wl,-z,relro,-z,now
endif

BPF_OBJECTS := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
BPF_CFLAGS  := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra $(WERROR) \
	-Wno-unused-parameter $(BPF_DEFINES) -Iinclude -Iinclude/events -Ivmlinux $(LIBBPF_CFLAGS) -idirafter $(UAPI)
SKELETONS   := $(BPF_OBJECTS:%=$(BUILD)/include/%.skel.h) $(BUILD)/include/skeletons.h

SOURCES := $(wildcard src/*.c src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
# all that a unit test links: everything but main() and what talks to the kernel
LIBRARY := $(filter-out $(addprefix $(BUILD)/src/,main.o loader.o source.o recorder.o bpf_objects.o cmd_%.o),$(OBJECTS))

EXE := $(if $(SANITIZE)$(COVERAGE),$(BUILD)/,)ebpfmon

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all
all: $(EXE)

$(EXE): $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/src/%.o: src/%.c | $(SKELETONS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# bpftool's linker step strips what is only for debuggers: skeletons carry no bulk
$(BUILD)/bpf/%.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $(@:.o=.tmp.o) $<
	$(Q)$(BPFTOOL) gen object $@ $(@:.o=.tmp.o)

$(BUILD)/include/%.skel.h: $(BUILD)/bpf/%.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# one function per object, so that the loader treats all alike
$(BUILD)/include/skeletons.h: $(BPF_OBJECTS:%=$(BUILD)/include/%.skel.h)
	$(Q){ for o in $(BPF_OBJECTS); do echo "#include \"$$o.skel.h\""; done; \
	for o in $(BPF_OBJECTS); do \
	echo "const void *$${o}_elf(size_t *len);"; \
	echo "const void *$${o}_elf(size_t *len) { return $${o}_bpf__elf_bytes(len); }"; done; } > $@

-include $(OBJECTS:.o=.d) $(BPF_OBJECTS:%=$(BUILD)/bpf/%.d)

include tests/tests.mk

##@ Build and use
.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	      /^[a-z_-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## install what building and running needs (Debian packages; root)
	$(Q)deploy/deps.sh build

.PHONY: run
run: ## install what is missing, build, record a real workload, show the summary (root)
	$(Q)deploy/deps.sh build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)deploy/run.sh ./$(EXE)

.PHONY: install
install: $(EXE) $(BUILD)/ebpfmon.8 $(BUILD)/ebpfmon.bash ## install the executable, manual page and completion (DESTDIR=, PREFIX=)
	install -D -m 0755 $(EXE) $(DESTDIR)$(PREFIX)/sbin/ebpfmon
	install -D -m 0644 $(BUILD)/ebpfmon.8 $(DESTDIR)$(PREFIX)/share/man/man8/ebpfmon.8
	install -D -m 0644 $(BUILD)/ebpfmon.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ebpfmon
	install -D -m 0644 docs/report.schema.json $(DESTDIR)$(PREFIX)/share/ebpfmon/report.schema.json

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/sbin/ebpfmon $(DESTDIR)$(PREFIX)/share/man/man8/ebpfmon.8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ebpfmon
	rm -rf $(DESTDIR)$(PREFIX)/share/ebpfmon

$(BUILD)/ebpfmon.8: $(EXE)
	$(Q)./$(EXE) --man > $@

$(BUILD)/ebpfmon.bash: $(EXE)
	$(Q)./$(EXE) --completion bash > $@

.PHONY: docs
docs: $(EXE) ## make the generated documents again (events, manual page)
	./$(EXE) list events -f markdown > docs/manual/events.md
	./$(EXE) --man > docs/manual/ebpfmon.8

.PHONY: expand
expand: ## show what the event declarations expand to
	$(Q)$(CC) -E -P -Iinclude -Iinclude/events -include linux/types.h include/events.h

.PHONY: clean
clean: ## remove what was built
	rm -rf build ebpfmon

# only compiles: for another compiler beside the everyday build
.PHONY: $(BUILD)/ebpfmon-check
$(BUILD)/ebpfmon-check: $(OBJECTS)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

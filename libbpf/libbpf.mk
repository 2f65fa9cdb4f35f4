# SPDX-License-Identifier: MIT
# Which libbpf is linked, and how: see README.md beside this file.
LIBBPF_MIN := 1.1

# `make clean`, `make help` and `make deps` must do without
ifneq ($(filter-out clean help deps run test uninstall format,$(or $(MAKECMDGOALS),all)),)
LIBBPF_CHECK := y
endif

ifdef LIBBPF_DIR
LIBBPF_CFLAGS := -I$(LIBBPF_DIR)/include
LIBBPF_LIBS   := $(firstword $(wildcard $(addprefix $(LIBBPF_DIR)/,lib*/libbpf.a lib/*/libbpf.a libbpf.a)))
LIBBPF_HEADER := $(LIBBPF_DIR)/include/bpf/libbpf_version.h
ifeq ($(LIBBPF_LIBS),)
$(if $(LIBBPF_CHECK),$(error LIBBPF_DIR=$(LIBBPF_DIR): there is no lib/libbpf.a below it (libbpf/README.md)))
endif
else
LIBBPF_CFLAGS :=
LIBBPF_LIBS   := -l:libbpf.a
LIBBPF_HEADER := /usr/include/bpf/libbpf_version.h
endif

# a version before 0.6 has no such header; a machine without libbpf is told so by the compiler
ifneq ($(and $(LIBBPF_CHECK),$(wildcard $(dir $(LIBBPF_HEADER))bpf.h)),)
LIBBPF_VERSION := $(subst $() ,.,$(shell sed -nE 's/^.define LIBBPF_M(AJOR|INOR)_VERSION //p' $(LIBBPF_HEADER) 2>/dev/null))
ifneq ($(shell printf '%s\n' $(LIBBPF_MIN) '$(LIBBPF_VERSION)' | sort -V | head -n 1),$(LIBBPF_MIN))
$(error $(dir $(LIBBPF_HEADER)): libbpf is $(or $(LIBBPF_VERSION),before 0.6), and $(LIBBPF_MIN) or newer is needed (libbpf/README.md))
endif
endif
# libseccomp names system calls; static, so that the executable needs nothing unusual beside it
SECCOMP_LIBS  := -l:libseccomp.a

# SPDX-License-Identifier: MIT
# Which libbpf is linked, and how: see README.md beside this file.
ifdef LIBBPF_DIR
LIBBPF_CFLAGS := -I$(LIBBPF_DIR)/include
LIBBPF_LIBS   := $(firstword $(wildcard $(LIBBPF_DIR)/lib*/libbpf.a $(LIBBPF_DIR)/libbpf.a))
else
LIBBPF_CFLAGS :=
LIBBPF_LIBS   := -l:libbpf.a
endif
# libseccomp names system calls; static, so that the executable needs nothing unusual beside it
SECCOMP_LIBS  := -l:libseccomp.a

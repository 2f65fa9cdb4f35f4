// SPDX-License-Identifier: MIT
/* The BPF objects, inside the executable: bpftool's skeletons hold their bytes. */
#include <stddef.h>
#include <bpf/libbpf.h>
#include <bpf/bpf.h>
#include <linux/types.h>
#include "config.h"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "skeletons.h"

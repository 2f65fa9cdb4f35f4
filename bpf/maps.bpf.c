// SPDX-License-Identifier: GPL-2.0
/* The maps that several objects have, and nothing else: the loader makes them before it loads those. */
#include "check.bpf.h"
#include "io.bpf.h"
#include "leader.bpf.h"
#include "namespace.bpf.h"
#include "resolved.bpf.h"
#include "sys.bpf.h"
#include "traced.bpf.h"

char LICENSE[] SEC("license") = "GPL";

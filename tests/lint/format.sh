#!/bin/bash
# SPDX-License-Identifier: MIT
# The C code is formatted as .clang-format says.
set -euo pipefail
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

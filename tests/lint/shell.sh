#!/bin/bash
# SPDX-License-Identifier: MIT
# Shell scripts have no findings.
set -euo pipefail
git ls-files '*.sh' .ci/run | xargs shellcheck -x

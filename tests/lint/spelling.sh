#!/bin/bash
# SPDX-License-Identifier: MIT
# No misspelt words in code and documents. The words that are ours: .codespellignore.
set -euo pipefail
git ls-files | grep -vE '^tests/fuzz/corpus/' | xargs codespell -I .codespellignore

# SPDX-License-Identifier: MIT
##@ Test

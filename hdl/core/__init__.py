# SPDX-License-Identifier: BSD-2-Clause
"""The core: one machine that walks the tables of any graph."""

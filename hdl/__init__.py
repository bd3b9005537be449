# SPDX-License-Identifier: BSD-2-Clause
"""The array in Amaranth, one public component per file."""

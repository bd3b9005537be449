# SPDX-License-Identifier: BSD-2-Clause
"""The core: one machine for every network. Tables say what is computed, one loop walks them."""

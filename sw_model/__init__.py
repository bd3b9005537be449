# SPDX-License-Identifier: BSD-2-Clause
"""The definition: the integer model that the hardware has to equal."""

# SPDX-License-Identifier: BSD-2-Clause
"""Samples beside the chip: it learns and tests by itself from the data in its board's SPI flash."""

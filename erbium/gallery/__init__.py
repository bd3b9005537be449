# SPDX-License-Identifier: BSD-2-Clause
"""Neurons of the machine beside the floating-point equations that they stand for."""

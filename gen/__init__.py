# SPDX-License-Identifier: BSD-2-Clause
"""From a network description to artefacts: presets, register map, Verilog, manifest."""

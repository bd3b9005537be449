# SPDX-License-Identifier: BSD-2-Clause
"""The reference model of a graph: its populations, rules and readouts, joined by the declared channels."""

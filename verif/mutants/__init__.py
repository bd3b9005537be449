# SPDX-License-Identifier: BSD-2-Clause
"""Faults sampled by Yosys: which of them the benches notice, and which of the others change nothing."""

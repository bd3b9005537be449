# SPDX-License-Identifier: BSD-2-Clause
"""Plasticity rules and neurons as text: formulas are compiled to the parts of the machine, or refused by a sentence."""

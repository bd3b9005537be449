# SPDX-License-Identifier: BSD-2-Clause
"""Proofs of components: claims written as hardware, and the solver that finds no way to break them."""

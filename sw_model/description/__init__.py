# SPDX-License-Identifier: BSD-2-Clause
"""The description of a network as a graph: sources, populations and projections, joined by declared channels."""

# SPDX-License-Identifier: BSD-2-Clause
"""The compiled path of a graph: the integers of the reference model, for many samples."""

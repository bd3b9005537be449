# SPDX-License-Identifier: BSD-2-Clause
"""Boards, their tops, the memory planner, builds, and the host's driver."""

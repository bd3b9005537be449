# SPDX-License-Identifier: BSD-2-Clause
"""Benches, stream drivers and monitors, scoreboards, and the simulators they run on."""

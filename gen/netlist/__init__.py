# SPDX-License-Identifier: BSD-2-Clause
"""From the RTLIL of Amaranth to Verilog that people and linters read."""

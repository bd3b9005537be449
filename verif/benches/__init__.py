# SPDX-License-Identifier: BSD-2-Clause
"""The cocotb benches, one module per component."""

# SPDX-License-Identifier: BSD-2-Clause
"""One command for each number that the documentation quotes."""

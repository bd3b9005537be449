# SPDX-License-Identifier: BSD-2-Clause
"""``python -m erbium`` is the command line."""

from erbium.cli import main

main()

# SPDX-License-Identifier: BSD-2-Clause
"""The commands of the command line, one file each. What they do lies elsewhere; they ask, call and print."""

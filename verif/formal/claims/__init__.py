# SPDX-License-Identifier: BSD-2-Clause
"""What is claimed of each component, with its definition written down a second time."""

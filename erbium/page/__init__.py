# SPDX-License-Identifier: BSD-2-Clause
"""A page in which the hardware itself, as WebAssembly, learns what is drawn: ``erbium page``."""

from erbium.page.contents import Options
from erbium.page.render import FILE, write_page
from erbium.page.replay import Replayed, replay

__all__ = ["FILE", "Options", "Replayed", "replay", "write_page"]

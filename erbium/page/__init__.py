# SPDX-License-Identifier: BSD-2-Clause
"""A page in which the hardware itself, as WebAssembly, learns what is drawn: ``erbium page``."""

from erbium.page.contents import Options
from erbium.page.render import FILE, write_page
from erbium.page.replay import Replayed, replay, replay_file
from erbium.page.serve import Server

__all__ = ["FILE", "Options", "Replayed", "Server", "replay", "replay_file", "write_page"]

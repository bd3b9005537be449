# SPDX-License-Identifier: BSD-2-Clause
"""Packs the part of MNIST that comes with Erbium, anew from all of it.

usage: python tools/pack-mnist.py FOLDER     (with MNIST's four files)
"""

import sys
from pathlib import Path

from erbium.sw_model.datasets import load
from erbium.sw_model.datasets.mnist_part import FILE, packed

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").strip())
    data = packed(load(Path(sys.argv[1])))
    FILE.write_bytes(data)
    print(f"{FILE}: {len(data):,} bytes")

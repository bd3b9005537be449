# SPDX-License-Identifier: BSD-2-Clause
"""Add up which lines of the Python the tests have reached, and write the record that the documentation shows.

``make coverage`` runs the tests and then this. What runs inside of simulators and in commands is counted, too.
Functions that numba compiles cannot be: their files are counted apart.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "coverage"
RECORD = ROOT / "docs" / "python-coverage.json"
COMPILED = re.compile(r"^\s*@(?:numba\.)?(?:njit|jit|compiled)\b", re.MULTILINE)
LISTED = 25
"""Files with the most lines that nothing reaches."""


def counted() -> dict[str, tuple[int, int]]:
    """Return for each file its lines and those that were reached."""
    tool = [sys.executable, "-m", "coverage"]
    subprocess.run([*tool, "combine", "-q", "--keep"], cwd=ROOT, check=True)
    subprocess.run([*tool, "json", "-q", "-o", str(FOLDER / "all.json")], cwd=ROOT, check=True)
    files = json.loads((FOLDER / "all.json").read_text())["files"]
    return {
        name: (one["summary"]["num_statements"], one["summary"]["covered_lines"])
        for name, one in sorted(files.items())
    }


def main() -> int:
    """Write the record; return 1 if there is nothing to add up."""
    if not any(FOLDER.glob("data*")):
        print("python-coverage: no test has counted anything; run 'make coverage'.", file=sys.stderr)
        return 1
    files = counted()
    compiled = [name for name in files if COMPILED.search((ROOT / name).read_text())]
    totals: dict[str, Counter[str]] = {}
    for name, (lines, reached) in files.items():
        package = name.split("/")[0] if name not in compiled else "compiled by numba"
        totals.setdefault(package, Counter()).update(lines=lines, reached=reached)
    gaps = sorted(
        ((lines - reached, name) for name, (lines, reached) in files.items() if name not in compiled),
        reverse=True,
    )
    whole: Counter[str] = sum((one for name, one in totals.items() if name != "compiled by numba"), Counter())
    share = round(100 * whole["reached"] / whole["lines"], 1)
    record = {
        "command": "make coverage",
        "share": share,
        "packages": totals,
        "compiled": compiled,
        "largest": [{"file": name, "lines": missing} for missing, name in gaps[:LISTED] if missing],
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(
        f"{whole['reached']:,} of {whole['lines']:,} lines of Python reached, {share} %: {RECORD.relative_to(ROOT)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

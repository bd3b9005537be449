# SPDX-License-Identifier: BSD-2-Clause
"""Runs one bench on many mutants: a cocotb test that goes before those of the bench.

All mutants are in one netlist, of which the input ``mutant`` picks one. Before the bench begins, the simulation forks
once for each: so the design is compiled once, Python and the simulator are started once, and no mutant sees what
another one has left in a memory. A child ends at the first test that fails; the parent notes what it came to.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import cocotb
import cocotb.regression

from erbium.verif.mutants.netlist import SELECT

PLAN_VARIABLE = "ERBIUM_MUTANTS"
"""Names a JSON file: ``numbers`` of the mutants, the file of ``results``."""

SLOWER = 3
"""A mutant may take so many times as long as the hardware without one, and :data:`SPARE` seconds, of the processor."""
SPARE = 3.0

_LONGEST = 3600.0
"""Seconds that the hardware without a mutant may take."""
_LOOK_SECONDS = 20.0
"""How often it is looked whether a mutant still does something."""

_SAYS = 300
"""Characters of what a test says that are kept."""


@cocotb.test()
async def serve(dut: Any) -> None:
    """Run the tests that come after this one on each mutant, in a process of its own."""
    plan = json.loads(Path(os.environ[PLAN_VARIABLE]).read_text())
    manager: Any = cocotb.regression._manager_inst
    getattr(dut, SELECT).value = 0
    results = open(plan["results"], "a")  # noqa: SIM115 - it stays open in every child
    child = _forked(dut, manager, 0, _LONGEST)
    if child is None:
        return
    if child["test"]:
        raise AssertionError(f"without a mutant, {child['test']} fails: {child['says']}")
    # The short tests first, since most mutants fail any.
    times = child["times"]
    manager._test_queue.sort(key=lambda test: times.get(test.fullname, 0.0))
    for number in plan["numbers"]:
        verdict = _forked(dut, manager, number, SLOWER * sum(times.values()) + SPARE)
        if verdict is None:
            return
        del verdict["times"]
        results.write(json.dumps({"number": number} | verdict) + "\n")
        results.flush()
    manager._test_queue.clear()


def _forked(dut: Any, manager: Any, number: int, seconds: float) -> dict[str, Any] | None:
    """Run the bench on a mutant in a process of its own; return None in that process, and what it came to in this."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        # A hang of whatever kind, in Python or in the simulator, ends by this signal.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        getattr(dut, SELECT).value = number
        _Child(manager, writing)
        return None
    os.close(writing)
    said = bytearray()
    # Longer than the time of the processor, for a machine that does other things too, but not for ever.
    deadline = time.monotonic() + 20 * seconds + 60
    stopped, spent = False, -1
    while True:
        ready, _, _ = select.select([reading], [], [], _LOOK_SECONDS)
        if not ready:
            # One that waits for what never comes, as a simulator may that ends on an error, spends no time.
            before, spent = spent, _spent(pid)
            if spent == before or time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                stopped = True
                break
            continue
        if not (piece := os.read(reading, 65536)):
            break
        said += piece
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if said:
        return dict(json.loads(said))
    hung = stopped or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF)
    says = (
        f"no end within {seconds:.0f} s of the processor, or it did nothing any more"
        if hung
        else f"the simulation ended with status {status}"
    )
    return {"test": "hang" if hung else "crash", "says": says, "times": {}}


def _spent(pid: int) -> int:
    """Return how much of the processor a process has used, in ticks of the system; where none is told, it goes on."""
    if not Path("/proc/self/stat").exists():
        return time.monotonic_ns()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class _Child:
    """Ends this process at the first test that fails, or after the last one, and says which through a pipe."""

    def __init__(self, manager: Any, writing: int) -> None:
        self._manager, self._writing = manager, writing
        self._times: dict[str, float] = {}
        self._began = time.process_time()
        self._passed = manager._record_test_passed
        manager._record_test_passed = self.passed
        manager._record_test_failed = self.failed
        manager._tear_down = lambda: self.end("", "")

    def passed(self, **what: Any) -> None:
        """Note how much of the processor the test took."""
        now = time.process_time()
        self._times[self._manager._test.fullname] = now - self._began
        self._began = now
        self._passed(**what)

    def failed(self, *, result: BaseException | None = None, msg: str | None = None, **what: Any) -> None:
        """Say which test failed and how."""
        self.end(self._manager._test.name, " ".join(str(result or msg or "failed").split())[:_SAYS])

    def end(self, test: str, says: str) -> None:
        """Say it, and end without what a simulator does at its end."""
        os.write(self._writing, json.dumps({"test": test, "says": says, "times": self._times}).encode())
        os._exit(0)

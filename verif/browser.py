# SPDX-License-Identifier: BSD-2-Clause
"""A headless Chromium that is driven over a pipe: it opens a page, runs scripts in it, takes its picture.

Nothing but the browser is needed: what is said and answered is JSON of the Chrome DevTools Protocol, each message ended
by a byte of 0. Every wait has an end.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from erbium.sw_model.temporary import temporary_folder
from erbium.verif.environment import tool_environment
from erbium.verif.simulators import ToolError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What Chromium is called on different systems."""

HINT = "sudo apt-get install chromium"
"""How to get one."""

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--remote-debugging-pipe"),
)

# No shell: not every one knows pipes of two digits.
_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class PageError(RuntimeError):
    """A script failed in the page; the text is what the browser says of it."""


def find_browser() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a browser of its own; leaving it ends the browser.

    Parameters
    ----------
    folder : Path
        Where the browser may keep what it keeps, until it ends.
    seconds : float
        How long an answer may take.

    Raises
    ------
    ToolError
        If there is no Chromium, or if it does not answer.
    """

    def __init__(self, folder: Path, seconds: float = 60) -> None:
        self._folder, self._seconds = folder, seconds
        self._number, self._held = 0, b""
        self._session: str | None = None
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        path = find_browser()
        if path is None:
            raise ToolError(f"no Chromium was found; get it with '{HINT}'")
        self._profile = temporary_folder(self._folder, "browser-")
        profile = self._profile.__enter__()
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Out of the way of 3 and 4, which the protocol's pipes have in the browser.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
        os.close(theirs_in)
        os.close(theirs_out)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *map(str, ends), path, *_FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=ends,
            env=tool_environment(),
            process_group=0,
        )
        for end in ends:
            os.close(end)
        try:
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.send(f"{domain}.enable")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait()
        os.close(self._out)
        os.close(self._in)
        self._profile.__exit__(None, None, None)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return the answer to it."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        end = time.monotonic() + self._seconds
        while True:
            answer = self._receive(end, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self, end: float, method: str) -> dict[str, Any]:
        """Return the next message, and remember what it says of errors in the page."""
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._in, 1 << 16) if ready else b""
            if not data:
                what = "ended" if ready else f"gave no answer within {self._seconds:g} s"
                raise ToolError(
                    f"Chromium {what} while it did {method}; try again on a machine that has less to do"
                )
            self._held += data
        text, _, self._held = self._held.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        details = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(_explained(details["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.errors.append(details["entry"]["text"])
        return message

    def screen(self, width: int, height: int = 900, *, dark: bool = False, phone: bool = False) -> None:
        """Be a screen of so many pixels, that prefers dark pages or light ones."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Go to a page."""
        self.errors.clear()
        self.send("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; a promise is waited for.

        Raises
        ------
        PageError
            If it throws.
        """
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise PageError(_explained(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> Any:
        """Wait until an expression is true, and return its value.

        Raises
        ------
        ToolError
            If it is not within the time of an answer.
        """
        end = time.monotonic() + self._seconds
        while not (value := self.run(condition)):
            if time.monotonic() > end:
                raise ToolError(
                    f"in the page {condition!r} was not true within {self._seconds:g} s; it says: "
                    f"{' | '.join(self.errors) or 'nothing'}"
                )
            time.sleep(0.02)
        return value

    def press(self, key: str) -> None:
        """Press a key, such as ``"5"``, ``"ArrowLeft"`` or ``" "``."""
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **(text if kind == "keyDown" else {}))

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG picture."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


def _explained(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details.get("text"))

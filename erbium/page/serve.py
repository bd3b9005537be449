# SPDX-License-Identifier: BSD-2-Clause
"""A server for one page on this computer: the model stands behind it, and a board if there is one.

The page posts what it does, and gets the model's verdict; a board's bytes go to and fro as they are. Nobody else may
ask: it listens on this computer only, answers to its own name only, and wants a token that only its page knows.
"""

from __future__ import annotations

import errno
import json
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from erbium.fpga.transport import LinkError, Transport
from erbium.gen.presets import Preset
from erbium.page.contents import Options, images_of
from erbium.page.render import check_together, render
from erbium.page.replay import replay
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.programs import DescriptionError, check_range

HOST = "127.0.0.1"

READ_SECONDS = 0.25
"""How long a request for a board's bytes waits for some."""

MOST_BYTES = 64 << 20
"""What a page may post at once; the weights of the largest preset are a tenth of it."""


class RequestError(Exception):
    """What a request gets in place of an answer: a status and a sentence."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Server:
    """Shows the page of one network, or of two, until it is stopped.

    Parameters
    ----------
    chosen : sequence of Preset
    options : Options
    port : int
        0 ... 65535; 0 takes any that is free.

    Attributes
    ----------
    address : str
        Of the page.
    line : Transport, optional
        To a board that holds the network.
    board : str, optional
        What people call that board.

    Raises
    ------
    DescriptionError
        If the port cannot be had, or the networks do not go together.
    """

    def __init__(self, chosen: Sequence[Preset], options: Options, port: int) -> None:
        check_range("the port of --serve", port, 0, 65535)
        check_together(chosen)
        self.chosen, self.options = chosen, options
        self.line: Transport | None = None
        self.board: str | None = None
        self.token = secrets.token_urlsafe()
        self._page = b""
        self._session = 0
        self._working, self._reading = threading.Lock(), threading.Lock()
        self._datasets: dict[str, Dataset] = {}
        try:
            self._http = ThreadingHTTPServer((HOST, port), _handler(self))
        except OSError as error:
            raise DescriptionError(_why(port, error)) from None
        self._http.daemon_threads, self._http.block_on_close = True, False
        self.address = f"http://{HOST}:{self._http.server_port}/"

    def make(self) -> None:
        """Make the page: the port is held meanwhile, and a mistake about it was told before."""
        served = {"token": self.token, "board": self.board, "check": True}
        self._page = render(self.chosen, self.options, served).encode()

    def serve(self) -> None:
        """Answer until an exception, such as that of Ctrl-C, or until :meth:`stop` in another thread."""
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """End :meth:`serve`."""
        self._http.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.server_close()

    def names(self) -> set[str]:
        """Return what the server may be called in a request: by another name, another's page asks."""
        return {f"{host}:{self._http.server_port}" for host in (HOST, "localhost")}

    def page(self) -> bytes:
        """Return the page."""
        return self._page

    def post(self, what: str, session: str, body: bytes) -> bytes:
        """Answer what the page posts.

        Raises
        ------
        RequestError
            With a sentence.
        """
        try:
            match what:
                case "/check":
                    return self._check(body)
                case "/board/open":
                    return self._open()
                case "/board/read":
                    return self._read(session)
                case "/board/write":
                    self._held(session).write(body)
                    return b""
        except LinkError as error:
            raise RequestError(HTTPStatus.BAD_GATEWAY, str(error)) from None
        except DescriptionError as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, str(error)) from None
        raise RequestError(HTTPStatus.NOT_FOUND, "There is nothing here but the page.")

    def _check(self, body: bytes) -> bytes:
        """Do again with the model what the page has done."""
        try:
            text = body.decode()
            digest = json.loads(text)["digest"]
        except (ValueError, KeyError, TypeError):
            raise DescriptionError("what the page sent cannot be read; load the page again") from None
        chosen = next((each for each in self.chosen if each.network.digest == digest), self.chosen[0])
        # One at a time: two would only wait for each other.
        with self._working:
            if digest not in self._datasets:
                self._datasets[digest] = images_of(chosen, self.options)
            found = replay(text, chosen, self.options, dataset=self._datasets[digest])
        return json.dumps(asdict(found)).encode()

    def _open(self) -> bytes:
        """Give the board to a page; whichever had it has it no more."""
        if self.line is None:
            raise RequestError(HTTPStatus.NOT_FOUND, "There is no board behind this page.")
        self._session += 1
        with self._reading:
            # What was meant for another page.
            for _ in range(100):
                if not self.line.read(0.02):
                    break
        return str(self._session).encode()

    def _held(self, session: str) -> Transport:
        if self.line is None or session != str(self._session):
            raise RequestError(
                HTTPStatus.CONFLICT, "Another window of this page has taken the board; close that one."
            )
        return self.line

    def _read(self, session: str) -> bytes:
        self._held(session)
        with self._reading:
            return self._held(session).read(READ_SECONDS)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    """Return what answers the requests of one connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        # A request and its answer are a packet each.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path != "/":
                self._answer(HTTPStatus.NOT_FOUND, b"There is nothing here but the page.")
            elif self._is_ours():
                self._answer(HTTPStatus.OK, server.page(), "text/html; charset=utf-8")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > MOST_BYTES:
                self.close_connection = True
                self._answer(HTTPStatus.BAD_REQUEST, b"This is longer than what a page posts.")
                return
            body = self.rfile.read(int(length))
            if not self._is_ours():
                return
            if not secrets.compare_digest(self.headers.get("X-Erbium", ""), server.token):
                self._answer(HTTPStatus.FORBIDDEN, b"The server was started anew; load the page again.")
                return
            what, _, session = self.path.partition("?")
            try:
                self._answer(HTTPStatus.OK, server.post(what, session, body), "application/octet-stream")
            except RequestError as error:
                self._answer(error.status, str(error).encode())

        def _is_ours(self) -> bool:
            """Whether the page is asked for by its own name; if not, say so."""
            if self.headers.get("Host", "") in server.names():
                return True
            self._answer(HTTPStatus.FORBIDDEN, f"The page is at {server.address}".encode())
            return False

        def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: whoever looks at the page sees what it does."""

    return Handler


def _why(port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} is in use by another program; name another one, or 0 for any that is free"
        case errno.EACCES | errno.EPERM:
            return f"you may not serve at port {port}; name one from 1024 on, or 0 for any that is free"
    return f"port {port} cannot be had ({error.strerror}); name another one, or 0 for any that is free"

# SPDX-License-Identifier: BSD-2-Clause
"""``erbium page --serve`` and Web Serial in Chromium: a board learns beside the page's chip; the model looks on."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress

import numpy as np
import pytest

from erbium.bench.page import STROKE
from erbium.chip import open_chip
from erbium.fpga.driver_protocol import frame, message_of, pack_pixels
from erbium.fpga.simulated import simulated_board
from erbium.fpga.simulated_port import SimulatedPort
from erbium.fpga.transport_serial import SerialTransport
from erbium.gen.presets import preset
from erbium.page import Options, Server
from erbium.page.contents import images_of
from erbium.sw_model.network import Hardware
from erbium.verif.browser import Browser, find_browser

pytestmark = [
    pytest.mark.verilator,
    pytest.mark.skipif(
        not find_browser(),
        reason="the page was not opened: no Chromium was found; get it with 'sudo apt-get install chromium'",
    ),
]

TINY = preset("tiny")
OPTIONS = Options(images=300, hardware=Hardware())
FREE = "!document.getElementById('ask').disabled"
SAID = "document.getElementById('desk-verdict').textContent"
FOLLOWED = "document.getElementById('followed').textContent"
CONNECT = "document.getElementById('connect').click()"

BROWSERS_PORT = """(() => {
  erbium.served.board = null;
  Object.defineProperty(navigator, "serial",
    { configurable: true, value: { requestPort: async () => window.port = new erbium.ServedPort() } });
})()"""
"""In place of the browser's port: one whose bytes go to the pseudo-terminal of the simulated board."""


@pytest.fixture(scope="module")
def terminal() -> Iterator[SimulatedPort]:
    port = SimulatedPort(simulated_board("ulx3s-85f", TINY.network))
    port.start()
    yield port
    port.close()


@pytest.fixture(scope="module")
def server(terminal: SimulatedPort) -> Iterator[Server]:
    line = SerialTransport(terminal.path)
    with Server([TINY], OPTIONS, 0) as server, closing(line):
        server.line, server.board = line, "the simulated ULX3S 85F"
        server.make()
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
        server.stop()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(server: Server, browser: Browser) -> Iterator[Browser]:
    """Return the page, opened anew."""
    browser.screen(1400)
    browser.open(server.address)
    browser.wait_for("document.documentElement.dataset.ready")
    browser.wait_for(FREE)
    yield browser
    assert browser.errors == []


def connected(page: Browser) -> str:
    page.run(CONNECT)
    page.wait_for(FREE)
    return str(page.run(SAID))


def weights_of(page: Browser, whose: str) -> list[list[int]]:
    found: list[list[int]] = page.run(f"erbium.{whose}.weights().then(all => all.map(values => [...values]))")
    return found


def test_frames_are_those_of_the_driver(page):
    rng = np.random.default_rng(3)
    messages = [b"\1", bytes(300), bytes([1] * 254), bytes([7] * 600)]
    messages += [rng.integers(0, 3, n, dtype=np.uint8).tobytes() for n in (2, 249, 250, 251, 700)]
    for message in messages:
        framed = bytes(page.run(f"[...erbium.framed({list(message)})]"))
        assert framed == frame(message)
        assert message_of(framed[:-1]) == message == bytes(page.run(f"erbium.unframed({list(framed[:-1])})"))
        spoiled = bytes([framed[0], framed[1] ^ 1, *framed[2:-1]])
        assert message_of(spoiled) is None
        assert page.run(f"erbium.unframed({list(spoiled)})") is None
    for image in (
        np.zeros(64, dtype=np.uint8),
        np.where(np.arange(64) % 3, 255, 0).astype(np.uint8),
        np.where(np.arange(64) == 9, 17, 0).astype(np.uint8),
        rng.integers(0, 256, 64, dtype=np.uint8),
        np.arange(64, dtype=np.uint8) // 8 % 3,
        np.tile(np.array([0, 0, 9, 0, 9, 9, 0, 0], dtype=np.uint8), 60),
        np.repeat(np.array([0, 7, 0, 0], dtype=np.uint8), 200),
    ):
        form, data = pack_pixels(image)
        formats = "erbium.facts.link.formats"
        assert page.run(f"erbium.packedPixels(Uint8Array.from({image.tolist()}), {formats})") == [
            form,
            list(data),
        ]


def test_a_board_learns_what_the_page_learns(page):
    page.run(BROWSERS_PORT)
    assert re.match(
        r"Connected: \d+ lanes at 80 MHz\. 0 samples on the board, of which 0 differ", connected(page)
    )
    assert page.run("document.getElementById('connect').textContent") == "Disconnect the board"
    page.run("erbium.chip.study(100, false)")
    assert re.search(r"100 samples on the board, of which 0 differ from the chip", page.run(SAID))
    split = images_of(TINY, OPTIONS).train
    with open_chip(TINY.network) as model:
        model.learn(split.images[:100].reshape(100, -1), split.labels[:100])
        expected = [values.ravel().tolist() for values in model.weights]
    assert weights_of(page, "desk") == expected == weights_of(page, "chip")

    # What is drawn and taught, and what is begun anew.
    page.run(STROKE)
    page.run("erbium.teach(1)")
    page.run("erbium.begin('trained')")
    page.run("erbium.teach(2)")
    page.run("erbium.ask()")
    assert re.search(
        r"105 samples on the board, of which 0 differ.*The last took [\d,]+ clocks", page.run(SAID)
    )
    page.run("document.getElementById('read').click()")
    page.wait_for(FREE)
    assert page.run(SAID) == "Equal: 256 weights of the board, every one."
    assert weights_of(page, "desk") == weights_of(page, "chip") != expected

    # A difference is seen: another weight in the board only, a sample that it alone does not learn.
    page.run("erbium.chip.weights().then(all => { all[0][5] += 1; return erbium.desk.load(all); })")
    assert page.run("erbium.cable.compare()") == {"compared": 256, "wrong": 1}
    page.run(CONNECT)
    page.wait_for(FREE)
    assert page.run(SAID).startswith("Disconnected.")
    page.run("erbium.ask()")


def test_lost_and_damaged_frames_cost_nothing(page):
    """Every so many bytes are spoiled or lost, both ways, and each sample is learned once."""
    page.run(BROWSERS_PORT)
    connected(page)
    page.run("""(() => {
      const { line } = erbium.desk.link, { write, bytes } = line;
      erbium.desk.link.patience = 600;
      let sent = 0, got = 0;
      line.write = data => { sent += 1; if (sent % 23 === 0) return Promise.resolve();
        if (sent % 17 === 0) data[2] ^= 64; return write.call(line, data); };
      line.bytes = async time => { const data = await bytes.call(line, time); got += data ? 1 : 0;
        if (data && got % 19 === 0) { data[0] ^= 64; window.spoiled = (window.spoiled ?? 0) + 1; } return data; };
    })()""")
    page.run("erbium.chip.study(80, false)")
    assert re.search(r"80 samples on the board, of which 0 differ from the chip", page.run(SAID))
    assert page.run("window.spoiled") > 0
    page.run(
        "(({ link }) => { delete link.line.write; delete link.line.bytes; link.patience = 5000; })(erbium.desk)"
    )
    assert weights_of(page, "desk") == weights_of(page, "chip")
    page.run("erbium.desk.leave()")


def test_a_board_that_goes_silent_or_away_loses_nothing(page):
    page.run(BROWSERS_PORT)
    for gone, words in (
        (
            "erbium.desk.link.line.write = () => Promise.resolve()",
            "The board gives no answer after 4 attempts",
        ),
        ("erbium.desk.link.line.reader.cancel()", "The line to the board is gone"),
    ):
        connected(page)
        page.run("erbium.desk.link.patience = 100")
        page.run(STROKE)
        page.run("erbium.teach(1)")
        page.run(f"void ({gone})")
        weights = weights_of(page, "chip")
        start = time.monotonic()
        page.run("erbium.teach(2)")
        assert time.monotonic() - start < 10
        said = page.run(SAID)
        assert said.startswith(words)
        assert "save what it knows, or connect the board again" in said
        # The page's chip has learned it; and the board comes back to what it knows.
        assert weights_of(page, "chip") != weights
        assert json.loads(page.run("erbium.saved()"))["steps"][-2]["label"] == 2
        assert connected(page).startswith("Connected")
        assert weights_of(page, "desk") == weights_of(page, "chip")
        page.run("erbium.desk.leave()")


def test_what_cannot_be_connected_is_a_sentence(page):
    page.run(BROWSERS_PORT)
    for change, back, words in (
        (
            "facts.digest = '0'.repeat(16)",
            f"facts.digest = '{TINY.network.digest}'",
            "The board holds tiny, and",
        ),
        ("facts.link.magic = 7", "facts.link.magic = 0x4d425245", "is no Erbium chip"),
        ("facts.link.protocol = 9", "facts.link.protocol = 2", "speaks version 2"),
    ):
        page.run(f"erbium.{change}")
        assert words in connected(page)
        assert page.run("erbium.desk.link") is None
        page.run(f"erbium.{back}")
    for port, words in (
        ("Promise.reject(new DOMException('x', 'NotFoundError'))", "No port was chosen."),
        ("Promise.resolve({ open: () => Promise.reject(new Error('busy')) })", "cannot be opened (busy)"),
        (
            "Promise.resolve({ close: async () => 0, async open() { this.readable = new ReadableStream(); "
            "this.writable = new WritableStream(); } })",
            "Nothing at this port answers at",
        ),
    ):
        page.run(f"navigator.serial.requestPort = () => {port}")
        assert words in connected(page), port
    page.run("erbium.ask()")


def test_the_model_looks_on(page):
    page.run(STROKE)
    page.run("erbium.teach(1)")
    page.run("erbium.ask()")
    assert page.run(FOLLOWED) == (
        "Done again by the model as it went: 3 samples, every answer and, after each step, all 256 weights equal."
    )
    page.run("void erbium.watch()")
    page.wait_for("erbium.chip.position > 60")
    page.run("document.getElementById('watch').click()")
    page.wait_for(FREE)
    page.run("erbium.begin('trained')")
    page.run("erbium.teach(3)")
    text = page.run(FOLLOWED)
    (samples,) = re.findall(r"([\d,]+) samples", text)
    assert int(samples.replace(",", "")) > 60
    assert "256 weights equal" in text
    # A weight of which the model knows nothing.
    page.run("""erbium.chip.weights().then(weights => { weights[0][3] += 1;
        return erbium.chip.thread.call("load", { chip: "own", weights, position: erbium.chip.position }); })""")
    page.run("erbium.ask()")
    assert re.match("Not equal: [1-9]", page.run(FOLLOWED))


def test_the_board_of_a_second_window_is_its_own(page, server):
    assert connected(page).startswith("Connected")
    post(server, "/board/open")
    page.run(STROKE)
    page.run("erbium.ask()")
    assert "Another window of this page has taken the board" in page.run(SAID)
    page.run("erbium.ask()")
    page.errors.clear()


def post(server: Server, path: str, token: str | None = None, body: bytes = b"", **headers: str) -> bytes:
    request = urllib.request.Request(
        server.address.rstrip("/") + path,
        body,
        {"X-Erbium": server.token if token is None else token, **headers},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize(
    ("path", "more", "code", "words"),
    [
        ("/check", {"token": "other"}, 403, "load the page again"),
        ("/check", {"Host": "example.org"}, 403, "The page is at"),
        ("/check", {"body": b"{}"}, 400, "cannot be read"),
        ("/check", {"body": b"\xff"}, 400, "cannot be read"),
        ("/check", {"body": b'{"digest": "0"}'}, 400, "nothing that a page has saved"),
        ("/board/read?0", {}, 409, "Another window"),
        ("/elsewhere", {}, 404, "nothing here but the page"),
    ],
)
def test_what_the_server_does_not_do_is_a_sentence(server, path, more, code, words):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, path, **more)
    with closing(caught.value):
        assert caught.value.code == code
        assert words in caught.value.read().decode()


def test_mistakes_are_sentences(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for line, words in (
            (f"page tiny --serve {taken}", f"port {taken} is in use by another program"),
            ("page tiny --serve 70000", "the port of --serve is 70000"),
            ("page tiny --serve -1", "the port of --serve is -1"),
            ("page tiny --serve x", "'x' is not a valid integer"),
            ("page tiny --serve 0 -o there", "a page is written with -o DIR or shown with --serve PORT"),
            ("page tiny -o there --board auto", "give that, too"),
            ("page tiny --serve 0 --board sim:nothing", "nothing"),
            ("page tiny --serve 0 --board /dev/ttyNONE", "there is no port /dev/ttyNONE"),
            ("page tiny erbp-digits --serve 0 --board auto", "name one"),
            ("page erbp-mnist-200-200 --serve 0 --board sim:icebreaker", "iCEBreaker has 30"),
        ):
            code, out, err = run(line)
            assert (code, out) == (2, ""), line
            assert words in err
            assert err.count("\n") == 1, err


def test_it_is_shown_until_ctrl_c(run):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    seen = []

    def look() -> None:
        # As soon as the port is held it waits for the page.
        for _ in range(600):
            with (
                suppress(urllib.error.URLError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page,
            ):
                seen.append(page.read().decode())
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=look)
    person.start()
    code, out, err = run(f"page tiny --serve {port} --images 300")
    person.join()
    assert (code, out) == (0, f"http://127.0.0.1:{port}/\n")
    assert err == "Open it in a browser on this computer; Ctrl-C ends it.\n\nThe page is shown no more.\n"
    assert "<h1>Teach a chip to read digits</h1>" in seen[0]

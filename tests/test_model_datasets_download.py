# SPDX-License-Identifier: BSD-2-Clause
"""The download of a data set: checked, kept, mended, and given up soon where there is no network."""

import contextlib
import hashlib
import socket
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from erbium.sw_model.datasets import DatasetError, Remote, download, load, mnist_part, write_idx
from erbium.sw_model.datasets.download import REMOTES

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
FILE_NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

# An address that no machine listens on: port 1 of this one.
DEAD_MIRROR = "http://127.0.0.1:1/"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


class Mirror:
    """A folder served on this machine, with a list of the files that were fetched from it."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.fetched = fetched = []

        class Handler(QuietHandler):
            def do_GET(self):
                fetched.append(self.path.removeprefix("/"))
                super().do_GET()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.thread = threading.Thread(target=partial(self.server.serve_forever, poll_interval=0.01))
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Return a function that serves a folder of tmp_path by its name."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mirrors = []

    def serve(name):
        mirrors.append(Mirror(tmp_path / name))
        return mirrors[-1]

    yield serve
    for each in mirrors:
        each.close()


@pytest.fixture
def published(tmp_path):
    """Return a tiny data set as published: its folder and its checksums."""
    folder = tmp_path / "published"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for part, n in (("train", 12), ("t10k", 4)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 5, 3), dtype=np.uint8))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(n, dtype=np.uint8) % 4)
    sums = {
        name: "md5:" + hashlib.md5((folder / f"{name}.gz").read_bytes()).hexdigest() for name in FILE_NAMES
    }
    return folder, sums


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


IN_CACHE = sorted(f"tiny/{name}.gz" for name in FILE_NAMES)


def test_a_download_is_checked_and_kept(tmp_path, mirror, published):
    folder, sums = published
    served = mirror("published")
    remote = Remote("Tiny", [served.address], sums)
    cache = tmp_path / "cache"
    dataset = load(environ={}, cache_dir=cache, remote=remote)
    assert (dataset.name, dataset.notice) == ("Tiny", "")
    assert dataset.source == f"the download in {cache / 'tiny'}"
    assert load(folder).digest == dataset.digest
    assert files_in(cache) == IN_CACHE
    assert len(served.fetched) == 4
    # The second time, and where downloads are off, the cache is enough.
    for allow_download in (True, False):
        again = load(environ={}, cache_dir=cache, remote=remote, allow_download=allow_download)
        assert again.digest == dataset.digest
    assert len(served.fetched) == 4


def test_a_dead_mirror_is_passed_over(tmp_path, mirror, published):
    remote = Remote("Tiny", [DEAD_MIRROR, mirror("published").address], published[1])
    dataset = load(environ={}, cache_dir=tmp_path / "cache", remote=remote)
    assert (dataset.name, dataset.notice) == ("Tiny", "")


def test_a_damaged_file_on_a_mirror_comes_from_the_next(tmp_path, mirror, published):
    bad, good = mirror("bad"), mirror("published")
    for path in published[0].iterdir():
        (bad.folder / path.name).write_bytes(path.read_bytes())
    (bad.folder / f"{TEST_IMAGES}.gz").write_bytes(b"damaged")
    (bad.folder / f"{TRAIN_LABELS}.gz").unlink()
    remote = Remote("Tiny", [bad.address, good.address], published[1])
    dataset = load(environ={}, cache_dir=tmp_path / "cache", remote=remote)
    assert load(published[0]).digest == dataset.digest
    assert sorted(good.fetched) == sorted([f"{TEST_IMAGES}.gz", f"{TRAIN_LABELS}.gz"])
    assert files_in(tmp_path / "cache") == IN_CACHE


def test_damaged_everywhere(tmp_path, mirror, published):
    served = mirror("published")
    (published[0] / f"{TEST_LABELS}.gz").write_bytes(b"damaged")
    other = mirror("without files")
    cache = tmp_path / "cache"
    remote = Remote("Tiny", [served.address, other.address], published[1])
    dataset = load(environ={}, cache_dir=cache, remote=remote)
    assert dataset.name == mnist_part.NAME
    assert f"no mirror gave an intact {TEST_LABELS}.gz" in dataset.notice
    assert f"{served.address}: wrong checksum" in dataset.notice
    assert f"{other.address}: HTTPError 404" in dataset.notice
    assert f"{TEST_LABELS}.gz" not in "".join(files_in(cache))
    assert set(files_in(cache)) < set(IN_CACHE)


def test_a_broken_transfer_leaves_nothing(tmp_path, published, mirror, monkeypatch):
    def break_off(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"\x1f\x8b only the beginning")

    monkeypatch.setattr(QuietHandler, "do_GET", break_off)
    monkeypatch.setattr(QuietHandler, "do_HEAD", break_off, raising=False)
    cache = tmp_path / "cache"
    dataset = load(
        environ={}, cache_dir=cache, remote=Remote("Tiny", [mirror("published").address], published[1])
    )
    assert dataset.name == mnist_part.NAME
    assert "no mirror gave an intact" in dataset.notice
    assert files_in(cache) == []


@pytest.mark.parametrize("content", [b"damaged", None])
def test_a_damaged_cache_is_mended(tmp_path, mirror, published, content):
    served = mirror("published")
    remote = Remote("Tiny", [served.address], published[1])
    cache = tmp_path / "cache"
    first = load(environ={}, cache_dir=cache, remote=remote)
    served.fetched.clear()
    path = cache / "tiny" / f"{TRAIN_IMAGES}.gz"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert load(environ={}, cache_dir=cache, remote=remote, allow_download=False).name == mnist_part.NAME
    assert load(environ={}, cache_dir=cache, remote=remote).digest == first.digest
    assert served.fetched == [path.name]


@pytest.mark.parametrize(
    "mirrors", [[DEAD_MIRROR], ["http://mirror.invalid/", "http://another.invalid/"], ["no address"], []]
)
def test_without_a_network_the_part_of_mnist_comes_soon(tmp_path, published, mirrors, monkeypatch):
    real_lookup = socket.getaddrinfo

    def refuse_names(host, *args, **kwargs):
        if host == "127.0.0.1":
            return real_lookup(host, *args, **kwargs)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse_names)
    monkeypatch.setenv("NO_PROXY", "*")
    start = time.monotonic()
    dataset = load(environ={}, cache_dir=tmp_path / "cache", remote=Remote("Tiny", mirrors, published[1]))
    assert time.monotonic() - start < 10
    assert dataset.name == mnist_part.NAME
    assert dataset.notice.startswith("Tiny is not available (no mirror answered), so the 12,000 images")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("what", "limit"), [("Timeout", "_SLOWEST"), ("RequestException", "_LARGEST")])
def test_a_mirror_that_never_ends(tmp_path, mirror, published, monkeypatch, what, limit):
    """It sends a byte now and then, and so is never silent; or it sends without end."""
    patience = {"_WHILE": 0.3} if limit == "_SLOWEST" else {limit: 10_000}
    for name, value in patience.items():
        monkeypatch.setattr(download, name, value)

    class Endless(QuietHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x" * (1 if limit == "_SLOWEST" else 5_000))
                    self.wfile.flush()
                    time.sleep(0.05)

        def do_HEAD(self):
            super().do_HEAD()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    start = time.monotonic()
    dataset = load(environ={}, cache_dir=tmp_path / "cache", remote=Remote("Tiny", [address], published[1]))
    assert time.monotonic() - start < 8
    assert f"({address}: {what})" in dataset.notice
    assert files_in(tmp_path / "cache") == []
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_mirror_that_never_answers(tmp_path, published, monkeypatch):
    import requests

    release = threading.Event()

    def hang(*args, **kwargs):
        release.wait(30)
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", hang)
    start = time.monotonic()
    dataset = load(environ={}, cache_dir=tmp_path, remote=Remote("Tiny", [DEAD_MIRROR] * 3, published[1]))
    release.set()
    assert time.monotonic() - start < 10
    assert "no mirror answered" in dataset.notice


def test_the_cache_cannot_be_written(tmp_path, mirror, published):
    (tmp_path / "cache").write_text("a file where the folder should be")
    remote = Remote("Tiny", [mirror("published").address], published[1])
    dataset = load(environ={}, cache_dir=tmp_path / "cache", remote=remote)
    assert dataset.name == mnist_part.NAME
    assert (
        f"Tiny is not available (the cache {tmp_path / 'cache' / 'tiny'} cannot be used: " in dataset.notice
    )


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_published_set(name):
    remote = REMOTES[name]
    assert remote.name.lower() == name
    assert len(remote.mirrors) >= 3
    assert all(address.endswith("/") for address in remote.mirrors)
    assert remote.mirrors[0].startswith("https://")
    assert set(remote.checksums) == set(FILE_NAMES)
    assert all(len(bytes.fromhex(sum.removeprefix("md5:"))) == 16 for sum in remote.checksums.values())


def test_data_that_is_named_is_downloaded_and_never_replaced(tmp_path, mirror, published, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remote = Remote("Tiny", [mirror("published").address], published[1])
    monkeypatch.setitem(REMOTES, "tiny", remote)
    cache = tmp_path / "cache"
    # Without it, MNIST's place is not taken by what somebody named, nor the other way round.
    with pytest.raises(DatasetError, match=r"Tiny \(named by --data\) is not available \(downloads are off"):
        load(Path("tiny"), environ={}, cache_dir=cache, allow_download=False)
    for arguments, environ in (((Path("tiny"),), {}), ((), {"ERBIUM_DATA": "tiny"})):
        dataset = load(*arguments, environ=environ, cache_dir=cache)
        assert (dataset.name, dataset.notice) == ("Tiny", "")
        assert dataset.digest == load(published[0]).digest
    (cache / "tiny" / f"{TEST_LABELS}.gz").unlink()
    with pytest.raises(DatasetError, match=r"Tiny \(named by ERBIUM_DATA\) is not available"):
        load(environ={"ERBIUM_DATA": "tiny"}, cache_dir=cache, allow_download=False)
    # A folder of that name goes first.
    published[0].rename(tmp_path / "tiny")
    assert load(Path("tiny"), environ={}, cache_dir=cache).source == "the folder tiny"

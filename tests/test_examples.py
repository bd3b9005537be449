# SPDX-License-Identifier: BSD-2-Clause
"""The clients and the testbench of examples/, started as a person does, come to the numbers of docs/constants.md."""

from __future__ import annotations

import ast
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import tty
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from contract import pages  # type: ignore[import-not-found,unused-ignore]

from erbium.gen.c_header import c_header
from erbium.gen.presets import preset
from erbium.sw_model.network import Network
from erbium.verif.model_board import Fault, ModelBoard
from erbium.verif.simulators import find_verilator

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
README = (EXAMPLES / "README.md").read_text()
RUNS = {
    name: [count, answers, ticks, crc, counters]
    for name, count, answers, ticks, crc, counters in pages.table("constants", "runs")
}


def printed(name: str) -> str:
    """Return what a client prints of a whole run."""
    _, answers, ticks, crc, counters = RUNS[name]
    return f"answers {answers}\nticks {ticks}\nweights {crc}\ncounters {counters}\n"


@contextmanager
def model_port(board: ModelBoard) -> Iterator[str]:
    """Serve a board with the model in it at a pseudo-terminal."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([master], [], [], 0.02)[0]:
                board.write(os.read(master, 4096))
            while data := board.read(0.0):
                os.write(master, data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)


Client = Callable[..., subprocess.CompletedProcess[str]]


def called(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("python")

    def run(port: str, network: Network, *options: str) -> subprocess.CompletedProcess[str]:
        file = folder / f"{network.name}.json"
        file.write_text(network.to_json())
        return called(sys.executable, EXAMPLES / "python" / "client.py", port, file, *options)

    return run


@pytest.fixture(scope="session")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The client, compiled with the header of each network by its own Makefile, with warnings as errors."""
    folder = tmp_path_factory.mktemp("c")

    def run(port: str, network: Network, *options: str) -> subprocess.CompletedProcess[str]:
        place = folder / network.digest
        if not (place / "client").exists():
            place.mkdir(exist_ok=True)
            (place / "erbium.h").write_text(c_header(network, "erbium"))
            made = called("make", "-C", EXAMPLES / "c", f"BUILD={place}", f"HEADER={place}/erbium.h")
            assert made.returncode == 0, made.stderr
        words = dict(zip(options[::2], options[1::2], strict=True))
        return called(place / "client", port, words.get("--count", "20"))

    return run


@pytest.fixture(params=["python", "c"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue(f"{request.param}_client")
    return found


@pytest.mark.parametrize("name", RUNS)
def test_a_client_does_a_whole_run(client: Client, name: str) -> None:
    network = preset(name).network
    with model_port(ModelBoard(network)) as port:
        done = client(port, network, "--count", RUNS[name][0])
    assert (done.returncode, done.stdout, done.stderr) == (0, printed(name), "")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """With this environment's 'erbium' and 'python' on the path, as after activating it."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def commands() -> list[tuple[str, str]]:
    """Return what examples/README.md tells to type: folder and command."""
    folder, found = ".", []
    for line in re.sub(r"<!-- printed -->.*?<!-- end -->", "", README, flags=re.DOTALL).splitlines():
        if named := re.search(r"[Ii]n `examples/(\w+)`:$", line):
            folder = named[1]
        elif line.startswith("    "):
            found.append((folder, line.split("#")[0].strip()))
    return found


@pytest.mark.slow
@pytest.mark.verilator
def test_the_commands_of_the_readme_run_on_the_simulated_board(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Each as it stands, at the port that the first one prints; the last two have tests of their own."""
    place = tmp_path / "examples"
    shutil.copytree(EXAMPLES, place, ignore=shutil.ignore_patterns("build"))
    (_, simulate), *others, testbench, system = commands()
    assert simulate == "erbium simulate ulx3s-85f tiny"
    assert (testbench, system) == (("verilog", "make"), ("litex", "python run.py"))
    (shown,) = re.findall(r"<!-- printed -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert re.sub("^ {4}", "", shown, flags=re.MULTILINE) == printed("tiny")
    seen = []
    with subprocess.Popen(
        simulate.split(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as board:
        try:
            assert board.stdout is not None
            port = board.stdout.readline().strip()
            for folder, command in others:
                words = command.replace("/dev/pts/5", port)
                done = subprocess.run(
                    ["sh", "-c", words],
                    cwd=place / folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{command}: {done.stderr}"
                seen += [done.stdout] if port in words else []
        finally:
            board.send_signal(signal.SIGINT)
            board.wait(30)
    assert seen == [printed("tiny")] * 2


def test_wide_weights_and_a_layer_more(client: Client) -> None:
    """A weight of two bytes, three layers: both clients still agree with the model of the board."""
    tiny = preset("tiny").network
    hidden = replace(tiny.layers[0], weight_width=11)
    network = replace(tiny, name="wide", layers=(hidden, hidden, tiny.layers[1]))
    board = ModelBoard(network)
    with model_port(board) as port:
        done = client(port, network, "--count", "3")
    assert (done.returncode, done.stderr) == (0, "")
    counters = list(board.array.counters().values())
    assert done.stdout.endswith(f"\ncounters {' '.join(map(str, counters))}\n")
    assert counters[0] == 6


@pytest.mark.parametrize("fault", Fault)
def test_a_bad_line_changes_nothing(client: Client, fault: Fault) -> None:
    """Frames that are lost, damaged, doubled or late, in both directions: nothing is learned twice, or not at all."""
    network = preset("first-spike-tiny").network
    faults = dict.fromkeys(range(5, 400, 31), fault)
    replies = dict.fromkeys(range(8, 400, 23), fault)
    with model_port(ModelBoard(network, faults=faults, reply_faults=replies)) as port:
        done = client(port, network)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed(network.name), "")


def test_another_chip_is_refused(client: Client) -> None:
    tiny, other = preset("tiny").network, preset("first-spike-tiny").network
    with model_port(ModelBoard(other)) as port:
        done = client(port, tiny)
    assert done.returncode == 1
    assert f"the chip has digest {other.digest} and the network {tiny.digest}" in done.stderr
    assert done.stderr.count("\n") == 1


@contextmanager
def talker(data: bytes, seconds: float) -> Iterator[str]:
    """Serve something that talks by itself; without data it is silent."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(seconds):
            if data and select.select([], [master], [], 0)[1]:
                os.write(master, data)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "seconds"), [(b"", 0.1), (b"hello\r\n", 0.2), (b"x", 0.005), (b"\0", 0.05)], ids=str
)
def test_whatever_else_is_on_the_line_ends_in_a_sentence(client: Client, data: bytes, seconds: float) -> None:
    with talker(data, seconds) as port:
        done = client(port, preset("tiny").network)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "check port, baud rate and bitstream" in done.stderr or "does not fall silent" in done.stderr


def test_bad_words_are_answered_by_a_sentence(client: Client, python_client: Client, tmp_path: Path) -> None:
    done = client("/dev/ttyNONE", preset("tiny").network)
    assert done.returncode == 1
    assert "/dev/ttyNONE" in done.stderr
    assert "Traceback" not in done.stderr
    done = client("/dev/ttyNONE", preset("tiny").network, "--count", "0")
    assert done.returncode == 2
    assert "0" in done.stderr
    assert "from 1 to 1,000,000" in done.stderr
    for text in ("[]", "{", '{"format": "erbium-network", "version": 0}'):
        (tmp_path / "net.json").write_text(text)
        done = called(
            sys.executable, EXAMPLES / "python" / "client.py", "/dev/ttyNONE", tmp_path / "net.json"
        )
        assert done.returncode == 1
        assert done.stderr.startswith("client.py: ")


def test_the_python_client_needs_pyserial_only() -> None:
    tree = ast.parse((EXAMPLES / "python" / "client.py").read_text())
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert found - set(sys.stdlib_module_names) == {"serial"}


# --- The testbench ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verilog(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A copy of the folder, in which 'make' has compiled the testbench with what 'erbium verilog' exports."""
    folder = tmp_path_factory.mktemp("examples") / "verilog"
    shutil.copytree(EXAMPLES / "verilog", folder, ignore=shutil.ignore_patterns("build"))
    made = subprocess.run(
        ["make", "-C", folder], env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in made.stderr
    assert re.search(r"^PASS: 40 results, 256 weights, \d+ clocks$", made.stdout, re.MULTILINE)
    return folder


def simulated(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["vvp", "-N", "build/testbench"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("results.hex", 7, "result 7 is 0010001002 and not 0010001003"),
        ("learned.hex", 250, "layer 2, weight 46 is"),
        ("weights.hex", 100, "layer 1, weight 100 is"),
        ("samples.hex", 0, "is [0-9a-f]+ and not "),
    ],
)
def test_the_testbench_finds_what_is_wrong(verilog: Path, name: str, line: int, said: str) -> None:
    """One bit of one file is another one, in the samples a label's; exit code and text say so."""
    file = verilog / name
    text = file.read_text()
    lines = text.splitlines()
    lines[line] = f"{int(lines[line], 16) ^ (1 if name != 'samples.hex' else 1 << 34):0{len(lines[line])}x}"
    file.write_text("\n".join(lines) + "\n")
    try:
        done = simulated(verilog)
    finally:
        file.write_text(text)
    assert done.returncode != 0
    assert re.search(said, done.stdout), done.stdout
    assert "FAIL: there are differences" in done.stdout


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.verilator
def test_fusesoc_runs_the_testbench_and_lints_the_array(verilog: Path, tmp_path: Path) -> None:
    """Both targets, in a copy; a result that is another one ends with an exit code that says so."""
    folder = tmp_path / "verilog"
    shutil.copytree(verilog, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    tool = find_verilator()
    (programs / "verilator").symlink_to(tool.require())
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def fusesoc(target: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fusesoc.main", "--config", "none.conf", "--cores-root", "."]
        return subprocess.run(
            [*command, "run", "--target", target, "erbium:examples:tiny"],
            cwd=folder,
            env={**os.environ, **tool.env, "PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    for target in ("sim", "lint"):
        done = fusesoc(target)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "%Warning" not in done.stdout + done.stderr
        assert ("PASS: 40 results, 256 weights" in done.stdout) == (target == "sim")
    results = folder / "results.hex"
    results.write_text("f" + results.read_text()[1:])
    assert fusesoc("sim").returncode != 0


@pytest.mark.slow
@pytest.mark.icarus
def test_the_testbench_says_what_is_missing(verilog: Path) -> None:
    hidden = verilog / "samples.hex"
    text = hidden.read_text()
    hidden.unlink()
    try:
        done = simulated(verilog)
    finally:
        hidden.write_text(text)
    assert done.returncode != 0
    assert "FAIL: a file of hex numbers cannot be opened; run make in examples/verilog" in done.stdout


def test_the_vectors_are_the_whole_run_of_the_page(tmp_path: Path) -> None:
    """The files are those that vectors.py writes, and its results those of docs/constants.md."""
    made = called(sys.executable, EXAMPLES / "verilog" / "vectors.py", tmp_path)
    assert made.returncode == 0, made.stderr
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["learned.hex", "results.hex", "samples.hex", "weights.hex"]
    for name in files:
        assert (tmp_path / name).read_text() == (EXAMPLES / "verilog" / name).read_text(), name
    results = [int(line, 16) for line in (tmp_path / "results.hex").read_text().split()][20:]
    _, answers, ticks, crc, _ = RUNS["tiny"]
    assert " ".join(str(result & 0xFF) for result in results) == answers
    assert " ".join(str(result >> 8 & 0xFFFF) for result in results) == ticks
    learned = bytes.fromhex((tmp_path / "learned.hex").read_text().replace("\n", ""))
    swapped = bytes(learned[at ^ 1] for at in range(len(learned)))
    assert zlib.crc32(swapped) == int(crc, 16)


# --- The pages --------------------------------------------------------------------------------------------


def test_the_readme_names_every_file() -> None:
    for path in EXAMPLES.rglob("*"):
        if path.is_file() and not {"build", "__pycache__"} & set(path.parts) and path.name != "README.md":
            assert path.name in README, f"examples/README.md does not name {path.name}"

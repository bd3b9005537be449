# SPDX-License-Identifier: BSD-2-Clause
"""A core at the end of a serial line, simulated bit by bit: networks one after the other, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from erbium.bench.core import xor
from erbium.fpga.core_array import CoreArray
from erbium.fpga.core_board import BoardCore, LinePort
from erbium.fpga.driver import BoardArray, probe
from erbium.fpga.simulated import simulated_core
from erbium.fpga.simulated_line import SimulatedLine
from erbium.fpga.transport import BoardLostError, BoardMismatchError, CoreFoundError
from erbium.gen.core_chip import CoreError
from erbium.gen.core_image import CoreImage
from erbium.gen.core_tokens import sample_tokens
from erbium.gen.presets import preset
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import digest
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import SpikeCount
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.programs import DescriptionError
from erbium.verif.core_library import SMALL
from erbium.verif.machines import rewarded
from erbium.verif.model_board import ModelBoard

pytestmark = pytest.mark.verilator

TINY = preset("tiny").network


def power_on() -> SimulatedLine:
    """Return the line of a core that was just configured; a fast line, four clocks for each bit."""
    return simulated_core(SMALL, clock_frequency=8_000_000, baud_rate=2_000_000, buffer_bytes=256)


@pytest.fixture(scope="module")
def line() -> Iterator[SimulatedLine]:
    line = power_on()
    yield line
    line.close()


class Kept:
    """A line that outlives who opens it, and to which something may happen as it is written to or read."""

    def __init__(
        self, line: SimulatedLine, happens: Callable[[bytes, int], bytes] = lambda data, n: data
    ) -> None:
        self._line, self._happens, self.name, self.now = line, happens, line.name, line.now
        self.baud_rate = line.baud_rate
        self.written = self.got = 0

    def write(self, data: bytes) -> None:
        self.written += 1
        self._line.write(self._happens(data, self.written))

    def read(self, timeout: float) -> bytes:
        return self._line.read(timeout)

    def close(self) -> None:
        pass


@pytest.fixture
def core(line: SimulatedLine) -> BoardCore:
    return BoardCore(Kept(line))


def compare(core: BoardCore, graph: Graph, samples: int = 3) -> None:
    """Load a network, present samples, and compare all that can be read with the model."""
    model = CoreModel(graph, probes=True)
    core.load_graph(graph)
    assert core.loaded
    assert core.digest == digest(graph)
    rng = np.random.default_rng(samples)
    for number in range(samples):
        image = rng.integers(0, 200, graph.n_pixels).astype(np.uint8)
        label = int(rng.integers(graph.n_classes)) if graph.n_classes and number != 1 else None
        drive = Drive(
            learn=None if graph.n_classes else number != 1,
            clear=number != 2,
            events={s.name: rng.random((30, s.size)) < 0.2 for s in graph.event_sources},
            values={m.name: int(rng.integers(-200, 200)) for m in graph.modulators if not m.source},
        )
        expected, got = (chip.sample(image, seed=number, label=label, drive=drive) for chip in (model, core))
        assert got == expected
        for name, spikes in model.spikes.items():
            assert np.array_equal(core.spikes[name], spikes), (number, name)
            assert np.array_equal(core.last_states[name], model.states[name][-1]), (number, name)
    weights = core.weights
    assert weights.keys() == model.weights.keys()
    for name, values in model.weights.items():
        assert np.array_equal(weights[name], values), name
    assert core.counters() == model.counters()


def test_networks_follow_each_other_on_one_core(core: BoardCore) -> None:
    assert core.hardware == SMALL
    for graph in (xor.network(1), chain(TINY), rewarded(30)):
        compare(core, graph)
    assert core.retries == 0


def test_a_reset_keeps_what_is_loaded_and_power_does_not(line: SimulatedLine) -> None:
    graph = chain(TINY)
    BoardCore(Kept(line), graph)
    line.reset()
    again = BoardCore(Kept(line))
    assert again.loaded
    assert again.digest == digest(graph)
    anew = power_on()
    fresh = BoardCore(anew)
    assert not fresh.loaded
    # What a host believes that loaded it before the power failed.
    fresh.graph, fresh.image = graph, CoreImage(graph, fresh.hardware)
    with pytest.raises(
        CoreError, match="no whole network is loaded: loading was interrupted, or the board was"
    ):
        fresh.sample(np.zeros(graph.n_pixels, np.uint8), seed=1)
    fresh.close()


@pytest.mark.parametrize("writes", [4, 14])
def test_a_loader_that_is_killed_leaves_a_core_that_says_so_and_takes_the_next_network(
    line: SimulatedLine, writes: int
) -> None:
    """Anywhere: after some frames, with half of one on the line."""
    start = Kept(line)
    BoardCore(start, chain(TINY))

    def killed(data: bytes, number: int) -> bytes:
        if number == start.written - writes:
            line.write(data[: len(data) // 2])
            raise KeyboardInterrupt
        return data

    with pytest.raises(KeyboardInterrupt):
        BoardCore(Kept(line, killed), chain(TINY))
    found = BoardCore(Kept(line))
    assert not found.loaded
    compare(found, xor.network(2), samples=1)


def test_a_host_that_is_killed_in_the_middle_of_a_sample(line: SimulatedLine) -> None:
    graph = rewarded(30)
    BoardCore(Kept(line), graph)
    image = np.full(graph.n_pixels, 90, np.uint8)
    tokens = sample_tokens(graph, image, 1, None, 30, Drive(learn=False), clear=True)
    begun = LinePort(Kept(line))
    assert begun.present(tokens, 30) is not None
    begun.present(tokens[:-2], 30)
    compare(BoardCore(Kept(line)), graph)


def test_a_noisy_line_changes_no_integer(line: SimulatedLine) -> None:
    def noisy(data: bytes, number: int) -> bytes:
        if number % 7 == 6 and len(data) > 4:
            return data[:3] + bytes([data[3] ^ 0x10]) + data[4:]
        return data

    core = BoardCore(Kept(line, noisy))
    compare(core, chain(TINY))
    assert core.retries > 0


def test_what_does_not_fit_leaves_the_network_before(core: BoardCore) -> None:
    compare(core, chain(TINY), samples=1)
    with pytest.raises(DescriptionError, match=r"does not fit this core: it takes \d+ .* too many"):
        core.load_graph(chain(preset("erbp-mnist-500").network))
    assert core.digest == digest(chain(TINY))
    core.sample(np.zeros(core.graph.n_pixels, np.uint8), seed=1)


def test_spikes_of_more_ticks_than_the_core_keeps(core: BoardCore) -> None:
    graph = replace(xor.network(1), n_ticks=4_000)
    core.load_graph(graph)
    words = 5
    assert core.recorded_ticks == SMALL.record_words // words
    ticks = core.recorded_ticks + 1
    core.sample(np.zeros(graph.n_pixels, np.uint8), seed=1, n_ticks=ticks, drive=Drive(learn=False))
    says = f"the core keeps the spikes of {ticks - 1} ticks of graph 'xor', and the last sample had {ticks}"
    with pytest.raises(CoreError, match=re.escape(says)):
        print(core.spikes)


def test_arrays_and_cores_tell_each_other_apart(line: SimulatedLine) -> None:
    found = probe(Kept(line))
    assert (found.is_core, found.digest) == (True, "")
    with pytest.raises(CoreFoundError, match="holds a core and not the array of 'tiny'; 'erbium run' loads"):
        BoardArray(TINY, Kept(line))
    with pytest.raises(
        BoardMismatchError, match="holds the array of one network and no core, which takes any"
    ):
        LinePort(ModelBoard(TINY))


def test_a_layered_network_as_on_an_array(line: SimulatedLine) -> None:
    array, model = CoreArray(TINY, Kept(line)), CoreModel(chain(TINY))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, TINY.n_inputs)).astype(np.uint8)
    seeds, labels = np.arange(4, dtype=np.uint32), rng.integers(0, TINY.n_classes, 4)
    rates = [population.rate.full // 2 for population in array.populations]
    array.set_rates(rates)
    model.set_rates(dict(zip(model.graph.rates, rates, strict=True)))
    for chosen in (labels, None):
        expected, got = (chip.run(images, seeds, chosen) for chip in (model, array))
        assert (expected.answers == got.answers).all()
        assert (expected.ticks == got.ticks).all()
    rows = [population.rows_of(model.weights) for population in array.populations]
    assert all((one == other).all() for one, other in zip(array.weights, rows, strict=True))
    counted = array.counters()
    assert counted == {name: model.counters()[name] for name in counted}
    array.decide_after = 1
    readout = model.graph.readout
    assert isinstance(readout, SpikeCount)
    early = replace(model.graph, readout=replace(readout, decide_after=1))
    other = CoreModel(early)
    other.load(model.weights)
    expected, got = (chip.run(images, seeds) for chip in (other, array))
    assert (expected.ticks_to_decision == got.ticks_to_decision).all()
    assert (got.ticks < TINY.n_ticks).any()
    # Anyone who loads it meanwhile is noticed.
    BoardCore(Kept(line), chain(TINY))
    with pytest.raises(BoardLostError, match="it was loaded anew meanwhile"):
        array.counters()

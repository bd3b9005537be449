# SPDX-License-Identifier: BSD-2-Clause
"""A graph as text and as a picture: every part and channel is there, and nothing is drawn twice."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from erbium.gen.presets import PRESETS
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.drawing import as_svg, as_text, columns
from erbium.verif.graphs import recurrent

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", PRESETS)
def test_every_part_is_drawn_once(name: str) -> None:
    graph = chain(PRESETS[name].network)
    drawing = ET.fromstring(as_svg(graph))
    assert len(drawing.findall(f"{SVG}rect")) == len(graph.writers)
    assert len(drawing.findall(f"{SVG}path")) == len(graph.projections)
    texts = [text.text for text in drawing.iter(f"{SVG}text")]
    assert {part.name for part in graph.writers} <= set(texts)


def test_the_text_names_delays_and_channels() -> None:
    text = as_text(recurrent())
    assert "  port 0 <- inhibit: dense, 8 bit, 3 ticks late\n" in text
    assert "channel inhibit_spikes_3: 4 addresses, 3 TICK in it at BEGIN -> inhibit_to_excite\n" in text
    assert "readout: none\n" in text


def test_what_hears_later_stands_further_to_the_right() -> None:
    assert columns(recurrent()) == {"input": 0, "drive": 0, "excite": 1, "inhibit": 2}


def test_the_command_prints_and_draws(run: Callable[[str], tuple[int, str, str]]) -> None:
    code, out, _ = run("show tiny --graph")
    assert code == 0
    assert "population layer1: 12 x erbp-hidden\n" in out
    code, out, _ = run("show tiny --graph -o tiny.svg")
    assert (code, out) == (0, "drew tiny to tiny.svg\n")
    ET.fromstring(Path("tiny.svg").read_text())
    code, _, err = run("show tiny --graph -o tiny.svg")
    assert code != 0
    assert "tiny.svg is there already; add --overwrite to replace it" in " ".join(err.split())
    assert run("show tiny --graph -o tiny.svg --overwrite")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--graph -o tiny.png", "the graph is drawn as SVG, but 'tiny.png' does not end in '.svg'"),
        ("-o tiny.svg", "-o is where the graph is drawn; it goes with --graph"),
    ],
)
def test_a_wrong_output_gets_a_sentence(
    arguments: str, message: str, run: Callable[[str], tuple[int, str, str]]
) -> None:
    code, _, err = run(f"show tiny {arguments}")
    assert code != 0
    assert message in " ".join(err.split())
    assert not list(Path().iterdir())

# SPDX-License-Identifier: BSD-2-Clause
"""A graph as JSON and back; what its digest depends on and what it does not."""

import json
from dataclasses import replace

import pytest

from erbium.gen.presets import PRESETS
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import digest, from_json, to_json
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.programs import DescriptionError


@pytest.fixture
def tiny() -> Graph:
    return chain(PRESETS["tiny"].network)


@pytest.mark.parametrize("name", PRESETS)
def test_a_graph_survives_json(name: str) -> None:
    graph = chain(PRESETS[name].network)
    again = from_json(to_json(graph))
    assert again == graph
    assert to_json(again) == to_json(graph)


def test_equal_presets_have_equal_digests_and_others_not() -> None:
    graphs = {name: chain(item.network) for name, item in PRESETS.items()}
    by_digest: dict[str, set[str]] = {}
    for name, graph in graphs.items():
        by_digest.setdefault(digest(graph), set()).add(PRESETS[name].network.digest)
    assert all(len(old) == 1 for old in by_digest.values())
    assert len(by_digest) == len({item.network.digest for item in PRESETS.values()})


def test_names_are_not_in_the_digest(tiny: Graph) -> None:
    text = (
        to_json(tiny)
        .replace('"layer1', '"first')
        .replace('_to_layer1"', '_to_first"')
        .replace('"erbp-hidden"', '"mine"')
    )
    data = json.loads(text)
    del data["digest"]
    renamed = from_json(json.dumps(data))
    assert renamed != tiny
    assert renamed.population("first").program.name == "mine"
    assert digest(renamed) == digest(tiny)


def test_a_name_that_decides_random_numbers_is_in_the_digest(tiny: Graph) -> None:
    def unnumbered(name: str) -> Graph:
        first = replace(tiny.populations[0], name=name, stream=None)
        projections = tuple(
            replace(
                p,
                source=name if p.source == "layer1" else p.source,
                target=name if p.target == "layer1" else p.target,
            )
            for p in tiny.projections
        )
        return replace(tiny, populations=(first, *tiny.populations[1:]), projections=projections)

    assert digest(unnumbered("one")) != digest(unnumbered("other"))


def test_what_decides_an_integer_is_in_the_digest(tiny: Graph) -> None:
    changes = [
        replace(tiny, seed=2),
        replace(tiny, n_ticks=31),
        replace(tiny, populations=(replace(tiny.populations[0], keep=255), *tiny.populations[1:])),
        replace(tiny, projections=(replace(tiny.projections[0], delay=1), *tiny.projections[1:])),
        replace(tiny, projections=(tiny.projections[1], tiny.projections[0], *tiny.projections[2:])),
        replace(tiny, readout=None),
    ]
    assert len({digest(graph) for graph in (tiny, *changes)}) == len(changes) + 1


def test_fields_with_their_default_are_not_in_the_digest(tiny: Graph) -> None:
    data = json.loads(to_json(tiny))
    first = data["populations"][0]
    assert first.pop("keep") == 256
    assert from_json(json.dumps(data)) == tiny


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=3), "has version 3; this Erbium reads versions up to 2: use a newer one"),
        (lambda d: d.update(format="other"), "its 'format' must be 'erbium-graph'"),
        (
            lambda d: d["projections"][0]["connect"].update(kind="Wavelet"),
            "kind 'Wavelet' of 'connect' is unknown",
        ),
        (
            lambda d: d["sources"][0].update(encoder=None, colour=1),
            "'sources' of the graph has an unknown field 'colour'",
        ),
        (lambda d: d["sources"][0].pop("size"), "'sources' of the graph lacks the field 'size'"),
        (
            lambda d: d.update(n_ticks=30),
            "the file was changed by hand: remove its 'digest' line if that was meant",
        ),
        (lambda d: d.update(sources=3), "'sources' of the graph must be a list, not 3"),
        (lambda d: d["populations"][0].update(program=[]), "'program' of the graph must be an object"),
    ],
)
def test_a_wrong_file_gets_a_sentence(tiny: Graph, change: object, message: str) -> None:
    data = json.loads(to_json(tiny))
    change(data)  # type: ignore[operator]
    with pytest.raises(DescriptionError, match=message):
        from_json(json.dumps(data))


def test_what_is_no_json_gets_a_sentence() -> None:
    with pytest.raises(DescriptionError, match="the graph is not JSON"):
        from_json("{")

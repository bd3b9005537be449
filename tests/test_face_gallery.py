# SPDX-License-Identifier: BSD-2-Clause
"""The gallery: counts of both sides, what it writes, and machines of one's own."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from erbium.gallery import behaviours
from erbium.gallery.equations import MihalasNiebur
from erbium.gallery.record import events_of, graph_of, record
from erbium.gallery.rtl import differing
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.drive import Drive

ALL = (*behaviours.six(), *behaviours.twenty(), *behaviours.others())


@pytest.mark.parametrize("behaviour", ALL, ids=lambda behaviour: behaviour.name)
def test_as_many_spikes_as_the_equations(behaviour):
    recording = record(behaviour)
    assert recording.equal_counts
    assert recording.spikes.size > 0
    assert recording.farthest is not None
    assert recording.farthest <= 5


def test_what_is_there():
    assert [len(some()) for some in (behaviours.six, behaviours.twenty, behaviours.others)] == [6, 20, 5]
    assert len({behaviour.name for behaviour in ALL}) == len(ALL)


def spikes_of(name):
    return record(next(behaviour for behaviour in ALL if behaviour.name == name)).spikes


def test_behaviours_are_what_their_names_say():
    phasic, tonic = spikes_of("phasic-spiking"), spikes_of("tonic-spiking")
    assert phasic[-1] < 250  # of 640 ticks with the same current
    assert np.ptp(np.diff(tonic)) == 0
    assert (np.diff(spikes_of("adaptation")) > 0).sum() > 7
    assert spikes_of("rebound-spike") > 800 / behaviours.TICK_MS  # the inhibition ends then
    assert spikes_of("accommodation")[-1] < 100 / behaviours.TICK_MS
    assert spikes_of("six-phasic").size == 1
    gaps = np.diff(spikes_of("six-bursting"))
    assert ((gaps > 60).sum(), (gaps < 15).sum()) == (7, 40)
    assert spikes_of("basal-bistability")[-1] < 115 / behaviours.TICK_MS
    assert spikes_of("spike-latency") > 3 * 3  # the pulse has three ticks


def test_the_reference_does_the_same():
    behaviour = behaviours.six()[4]
    graph = graph_of(behaviour)
    reference, spikes = GraphModel(graph), []
    reference.sample(
        np.zeros(0, dtype=np.uint8),
        seed=1,
        drive=Drive(learn=False, events=events_of(behaviour.drive)),
        observer=lambda model, tick: spikes.append(bool(tick.spikes["neuron"])),
    )
    assert np.flatnonzero(spikes).tolist() == record(behaviour).spikes.tolist()


def test_another_machine_and_another_threshold_show():
    """What the gallery says comes from the machine that runs it, and from equations that know nothing of it."""
    behaviour = behaviours.six()[0]
    made = []

    def machine(graph):
        made.append(graph.name)
        return CoreModel(graph, probes=True)

    assert record(behaviour, machine).equal_counts
    assert made == ["six-tonic"]
    higher = replace(behaviour, equations=MihalasNiebur(0, 0, 0, threshold=40))
    assert not record(higher).equal_counts
    assert record(higher).farthest is None


def test_drives_as_bits():
    drive = (0, 1, -1, 2047, -2048, 700)
    events = events_of(drive)
    worth = [1 << bit for bit in range(11)] + [-2048]
    bits = np.stack([events[f"bit_{bit}"][:, 0] for bit in range(12)])
    assert (np.array(worth) @ bits).tolist() == list(drive)
    with pytest.raises(ValueError, match="the drive is from 0 to 2048; it must be from -2048 to 2047"):
        events_of((0, 2048))


def test_the_page_and_the_numbers(run, monkeypatch):
    monkeypatch.setattr(behaviours, "twenty", lambda: behaviours.six()[:1])
    monkeypatch.setattr(behaviours, "others", lambda: ())
    code, text = run("gallery -o page.html")[:2]
    assert code == 0
    assert "six-mixed" in text
    assert "the page is page.html" in text
    page = Path("page.html").read_text()
    assert page.count("<svg") == 7
    assert "src=" not in page
    assert run("gallery -o page.html")[0] == 2
    code, text = run("gallery --json")[:2]
    told = json.loads(text)["behaviours"][3]
    assert told == {"name": "six-phasic", "spikes": [50], "equations": [50], "farthest": 0}


@pytest.mark.verilator
def test_the_core_in_hardware_does_the_same(run, monkeypatch):
    # The last one has four states that move.
    twenty = behaviours.twenty()
    chosen = (twenty[0], behaviours.others()[1], behaviours.six()[3], twenty[18])
    monkeypatch.setattr(behaviours, "six", lambda: chosen)
    monkeypatch.setattr(behaviours, "twenty", lambda: ())
    monkeypatch.setattr(behaviours, "others", lambda: ())
    code, text = run("gallery --rtl --json")[:2]
    assert code == 0
    told = json.loads(text)
    assert [len(one["spikes"]) for one in told["behaviours"]] == [9, 6, 1, 4]
    assert told["differing_integers"] == 0
    recordings = [record(behaviour) for behaviour in chosen]
    assert differing(chosen, recordings) == 0
    wrong = replace(recordings[0], spikes=recordings[0].spikes[1:], states=recordings[0].states + 1)
    assert differing(chosen[:1], [wrong]) == 1 + recordings[0].states.size


def test_the_machine_beside_others(run):
    from erbium.beside import machines, markdown

    assert [machine.name for machine in machines()] == [
        "Erbium, the core",
        "NSAT",
        "Loihi 2",
        "Catalyst N2",
        "ODIN",
        "Darwin3",
    ]
    assert all(machine.source for machine in machines())
    code, text = run("beside --table")[:2]
    assert code == 0
    assert text.strip() == markdown().strip()
    assert text.strip() in (Path(__file__).parents[1] / "docs" / "core.md").read_text()
    assert "up to 4 of 16 bits" in run("beside")[1]
    assert len(json.loads(run("beside --json")[1])["machines"]) == 6

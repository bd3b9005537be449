# SPDX-License-Identifier: BSD-2-Clause
"""Networks of SpikingJelly on the chip: with a package that CI has and others may lack."""

import importlib.util
import os
from typing import Any

import nir
import numpy as np
import pytest

from erbium.nir.incoming import from_nir
from erbium.nir.options import Options
from erbium.sw_model.graph_model.array import GraphModel

CI = bool(os.environ.get("CI"))
THERE = all(importlib.util.find_spec(name) for name in ("torch", "spikingjelly", "nirtorch"))
needs_spikingjelly = pytest.mark.skipif(
    not THERE and not CI, reason="not installed: pip install spikingjelly nirtorch torch"
)

T, N_INPUTS, N = 40, 40, 12


def neurons(kind):
    from spikingjelly.activation_based import neuron

    match kind:
        case "IF":
            return neuron.IFNode(v_threshold=1.0, v_reset=0.0)
        case "LIF":
            return neuron.LIFNode(tau=8.0, decay_input=False, v_threshold=1.0, v_reset=0.0)
        case "LIF whose input decays":
            return neuron.LIFNode(tau=8.0, decay_input=True, v_threshold=0.25, v_reset=0.0)
        case _:
            return neuron.CUBALIFNode(c_decay=0.5, v_decay=0.875, v_threshold=1.0, v_reset=0.0)


@needs_spikingjelly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["IF", "LIF", "LIF whose input decays", "CubaLIF"])
def test_neurons_spike_as_in_spikingjelly(kind, tmp_path):
    """The same spikes go in; nearly the same come out, but for what 8 bits and a rounded leak do near a threshold."""
    import torch
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(N_INPUTS, N), neurons(kind))
    with torch.no_grad():
        net[0].weight += 0.05
    path = tmp_path / "net.nir"
    export_to_nir(net, torch.zeros(1, N_INPUTS), path)
    graph: Any = from_nir(nir.read(path), Options(n_ticks=T)).description
    (name,) = [population.name for population in graph.populations]
    (pixels,) = [source.name for source in graph.sources if graph.size_of(source.name) == N_INPUTS]
    found = {pixels: np.zeros((T, N_INPUTS)), name: np.zeros((T, N))}

    def look(model, tick):
        for group, seen in found.items():
            seen[tick.number, list(tick.spikes[group])] = 1

    image = np.random.default_rng(1).integers(0, 256, N_INPUTS).astype(np.uint8)
    GraphModel(graph).sample(image, seed=3, n_ticks=T, observer=look)
    functional.reset_net(net)
    with torch.no_grad():
        sent = [net(tick[None]).reshape(-1).numpy() for tick in torch.from_numpy(found[pixels]).float()]
    theirs = np.array(sent)
    assert theirs.sum() > 20
    assert np.abs(found[name].sum(axis=0) - theirs.sum(axis=0)).max() <= 2
    assert (found[name] != theirs).sum() <= 0.15 * theirs.sum()

# SPDX-License-Identifier: BSD-2-Clause
"""All proofs, in the order of the documentation."""

from __future__ import annotations

from importlib import import_module

from erbium.verif.formal.proof import Proof

ROOMS = (
    *("arithmetic", "numbers", "neurons", "rules", "feedback"),
    *("queues", "memories", "tokens", "layer"),
    *("line", "uart", "host"),
)
"""Modules of ``erbium.verif.formal.claims`` in that order."""

SHORT = (
    "fixed saturation",
    "NeuronUnit erbp-output",
    "ThreeFactorPart 8-bit",
    "CobsDecoder any-line",
    "Queue depth-4",
    "SpikeSerializer 6-lanes",
    "LayerControl 5-neurons-2-lanes",
    "CounterBank 2-counters",
)
"""Those that the tests carry out, one of each kind; the command does all."""

PROOFS: tuple[Proof, ...] = tuple(
    proof for room in ROOMS for proof in import_module(f"erbium.verif.formal.claims.{room}").PROOFS
)


def proof_named(component: str, name: str) -> Proof:
    """Return one proof."""
    return next(proof for proof in PROOFS if (proof.component, proof.name) == (component, name))


def proofs_of(component: str) -> list[Proof]:
    """Return the proofs about a component."""
    return [proof for proof in PROOFS if proof.component == component]


def short_proofs() -> list[Proof]:
    """Return those that the tests carry out."""
    return [proof for proof in PROOFS if proof.id in SHORT]


def components() -> list[str]:
    """Return what there are proofs about, by name."""
    return list(dict.fromkeys(proof.component for proof in PROOFS))

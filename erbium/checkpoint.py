# SPDX-License-Identifier: BSD-2-Clause
"""Checkpoints: one file from which a run carries on as if it had never stopped."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from erbium.chip import Chip
from erbium.gen.files import replacing
from erbium.gen.presets import Recipe
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.train import CurvePoint, Plan, Trainer

FORMAT = "erbium-checkpoint"
FORMAT_VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; one sentence with the file, what is wrong, and the way out."""


@dataclass(frozen=True)
class Checkpoint:
    """All of a run's state.

    Attributes
    ----------
    network : Network
    plan : Plan
    data_name, data_digest : str
        What it learns; the digest is empty before it has learned anything.
    position : int
        Images learned so far.
    weights : list of ndarray
        int16 of shape ``(n_rows, n_neurons)`` per layer.
    counters, work : dict
        Counters of the chip, and the part of them that learning took.
    curve : tuple of CurvePoint
        The learning curve so far.
    """

    network: Network
    plan: Plan
    data_name: str
    data_digest: str
    position: int
    weights: list[Array]
    counters: dict[str, int]
    work: dict[str, int]
    curve: tuple[CurvePoint, ...]

    @classmethod
    def of(cls, trainer: Trainer) -> Checkpoint:
        """Take the state of a run."""
        chip, dataset = trainer.chip, trainer.dataset
        return cls(
            network=chip.network,
            plan=trainer.plan,
            data_name=dataset.name,
            data_digest=dataset.digest,
            position=chip.position,
            weights=chip.weights,
            counters=dict(trainer.counters),
            work=dict(trainer.work),
            curve=tuple(trainer.curve),
        )

    @classmethod
    def untrained(
        cls, network: Network, weights: Sequence[Array] | None, recipe: Recipe | None = None
    ) -> Checkpoint:
        """Return a checkpoint of a network that has learned nothing on a chip, such as one that was brought in."""
        return cls(
            network=network,
            plan=Plan(recipe or Recipe(epochs=1), total=1),
            data_name="no data",
            data_digest="",
            position=0,
            weights=network.initial_weights() if weights is None else list(weights),
            counters={},
            work={},
            curve=(),
        )

    def resume(self, chip: Chip, dataset: Dataset, *, batch: int | None = None) -> Trainer:
        """Bring a chip of the same network to this state; return the trainer that carries on.

        `dataset` must be the one that the run began with: see :meth:`check_dataset`.
        """
        chip.restore(self.weights, self.position, self.counters)
        return Trainer(chip, dataset, self.plan, curve=self.curve, work=self.work, batch=batch)

    def check_network(self, network: Network, path: Path) -> None:
        """Raise :class:`CheckpointError` unless the checkpoint is one of `network`."""
        if network.digest != self.network.digest:
            raise CheckpointError(
                f"{path} is a checkpoint of network {self.network.name!r} with digest {self.network.digest}, "
                f"not of {network.name!r} with digest {network.digest}; leave the network out to take the "
                "checkpoint's, or name another checkpoint"
            )

    def check_dataset(self, dataset: Dataset, path: Path, way_out: str) -> None:
        """Raise :class:`CheckpointError` unless the checkpoint has learned `dataset`."""
        if self.data_digest and dataset.digest != self.data_digest:
            raise CheckpointError(
                f"{path} has learned {self.data_name} with digest {self.data_digest}, and {dataset.source} "
                f"holds {dataset.name} with digest {dataset.digest}; {way_out}"
            )

    def save(self, path: Path) -> None:
        """Write the checkpoint, replacing the file as a whole or not at all."""
        record = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "network": json.loads(self.network.to_json()),
            "plan": self.plan.to_dict(),
            "data_name": self.data_name,
            "data_digest": self.data_digest,
            "position": self.position,
            "counters": self.counters,
            "work": self.work,
            "curve": [vars(point) for point in self.curve],
        }
        text = json.dumps(record)
        arrays: dict[str, Any] = {f"layer{number}": values for number, values in enumerate(self.weights, 1)}
        arrays |= {"record": np.array(text), "checksum": np.array(_checksum(text, self.weights))}
        with replacing(path) as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises
        ------
        CheckpointError
            If the file is no checkpoint, of another version, or damaged.
        OSError
            If it cannot be read.
        """
        content = Path(path).read_bytes()
        try:
            text, checksum, weights = _unpacked(content)
            record = json.loads(text)
        except Exception as error:
            # Readers of zips and arrays raise all kinds of things on bytes that are not what they expect.
            raise CheckpointError(
                f"{path} is damaged or no checkpoint ({_first_line(error)}); restore it from a copy, or "
                "train again"
            ) from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise CheckpointError(f"{path} is no checkpoint: its format is not {FORMAT!r}; name another file")
        if record.get("version") != FORMAT_VERSION:
            raise CheckpointError(
                f"{path} is a checkpoint of version {record.get('version')!r} and this Erbium reads version "
                f"{FORMAT_VERSION}; use the Erbium that wrote it, or train again"
            )
        if checksum != _checksum(text, weights):
            raise CheckpointError(
                f"{path} is damaged: its checksum is {checksum} and its content has "
                f"{_checksum(text, weights)}; restore it from a copy, or train again"
            )
        return cls._from(record, weights, path)

    @classmethod
    def _from(cls, record: dict[str, Any], weights: list[Array], path: Path) -> Checkpoint:
        try:
            return cls(
                network=Network.from_json(json.dumps(record["network"])),
                plan=Plan.from_dict(record["plan"]),
                data_name=str(record["data_name"]),
                data_digest=str(record["data_digest"]),
                position=int(record["position"]),
                weights=weights,
                counters={name: int(value) for name, value in record["counters"].items()},
                work={name: int(value) for name, value in record["work"].items()},
                curve=tuple(CurvePoint(**point) for point in record["curve"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{path} has a record that this Erbium does not understand ({_first_line(error)}); use the "
                "Erbium that wrote it, or train again"
            ) from None


def _unpacked(content: bytes) -> tuple[str, str, list[Array]]:
    """Return record, checksum and weights of a file's content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        # Before anything is made of the bytes: NumPy looks at the check sums of a zip last.
        bad = archive.testzip()
    if bad is not None:
        raise ValueError(f"its part {bad} has another check sum")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        weights = [arrays[f"layer{number}"] for number in range(1, len(arrays.files) - 1)]
        return str(arrays["record"]), str(arrays["checksum"]), weights


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _checksum(text: str, weights: Sequence[Array]) -> str:
    sha = hashlib.sha256(text.encode())
    for values in weights:
        sha.update(f"{values.dtype.str}{values.shape}".encode())
        sha.update(np.ascontiguousarray(values).data)
    return sha.hexdigest()[:16]

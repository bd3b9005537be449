# SPDX-License-Identifier: BSD-2-Clause
"""What ``--json`` prints of a run that learns; ``docs/json.md`` has the names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from erbium import summary
from erbium.answers import Answers
from erbium.exact import MismatchError, Verdict
from erbium.limits import Limit
from erbium.silence import Silence
from erbium.train import Trainer


def run_facts(trainer: Trainer, checkpoint: Path) -> dict[str, object]:
    """Return what is known of a run wherever it stands: what learns what, how far it came, and how fast."""
    network, plan = trainer.chip.network, trainer.plan
    measured = summary.performance(trainer)
    return {
        "network": network.name,
        "digest": network.digest,
        "seed": network.seed,
        "data": trainer.dataset.name,
        "position": trainer.chip.position,
        "total": plan.total,
        "finished": trainer.chip.position >= plan.total,
        "checkpoint": str(checkpoint),
        "curve": [
            {"position": point.position, "images": point.n_images, "wrong": point.n_wrong}
            for point in trainer.curve
        ],
        "images_per_second": measured.images_per_second,
        "cycles_per_image": measured.cycles_per_sample,
        "lanes_busy": measured.busy_share,
        "counters": trainer.work,
    }


def test_facts(answers: Answers | None, silent: Silence | None) -> dict[str, object] | None:
    """Return what the test came to, or nothing where there was none; no answer is no wrong one."""
    if answers is None or silent is None:
        return None
    return {
        "images": answers.n_images,
        "wrong": None if silent.dead else answers.n_wrong,
        "error": None if silent.dead else answers.error,
        **silent.facts(),
    }


def limit_facts(limits: Mapping[str, Limit | None]) -> dict[str, object]:
    """Return what limited a board, by what it did; nothing where it has not done that."""
    return {
        work: None if (limit := limits.get(work)) is None else limit.facts()
        for work in ("learning", "testing")
    }


def comparison_facts(found: Verdict | MismatchError | None) -> dict[str, object] | None:
    """Return what comparing with the model found, or nothing where nothing was compared."""
    if found is None:
        return None
    verdict = found.verdict if isinstance(found, MismatchError) else found
    return {
        "equal": verdict.equal and not isinstance(found, MismatchError),
        "weights_compared": verdict.n_weights,
        "weights_equal": verdict.n_weights_equal,
        "counters_compared": verdict.n_counters,
        "counters_equal": verdict.n_counters_equal,
        "first_difference": str(found) if isinstance(found, MismatchError) else verdict.first_difference,
    }

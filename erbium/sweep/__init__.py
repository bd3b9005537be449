# SPDX-License-Identifier: BSD-2-Clause
"""Design-space exploration: what a change of the network, the hardware or its faults costs and brings.

:mod:`~erbium.sweep.axes` says which points there are, :mod:`~erbium.sweep.point` what a point is,
:mod:`~erbium.sweep.measure` what is measured there, :mod:`~erbium.sweep.run` who does it and in which order,
:mod:`~erbium.sweep.store` where it is kept, :mod:`~erbium.sweep.plots` what it looks like.
"""


class SweepError(Exception):
    """A sweep cannot go on; the text names what is wrong and the way out."""

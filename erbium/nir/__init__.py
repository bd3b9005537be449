# SPDX-License-Identifier: BSD-2-Clause
"""NIR, the Neuromorphic Intermediate Representation: any network in, any network out.

:func:`erbium.nir.incoming.from_nir` makes a description of integers of a graph that another framework wrote, and
reports each quantisation; :func:`erbium.nir.outgoing.to_nir` writes one that other frameworks read, with the integers
as metadata. ``docs/nir.md`` has the rules.

Source: Pedersen and others, *Neuromorphic intermediate representation*, Nature Communications 15:8122 (2024).
"""

# SPDX-License-Identifier: BSD-2-Clause
"""From the cleaned netlist to C++ in which lanes that are alike are one vector.

The result has the interface of a class that Verilator makes, so that one harness serves both. On the way, each step
in a file of its own:

============== =========================================================================================
`accept`       refuses what a later step would not understand
`primitives`   block RAMs of FPGAs become memories and registers
`reads`        memories that are read without a clock into a register are read with it
`merge`        what is equal in every clock is made one, what never changes a constant
`split`        registers, bitwise operators and memories that are used lane by lane become one per lane
`classes`      what is alike but for the lane becomes a class
`recognise`    trees of gates that count bits or find the lowest one are named, with proof
`activity`     says what can be left out in a clock, as nothing that it reads has changed
`guards`       says under which condition a value matters
`schedule`     orders the registers of lanes so that each is read before it is written
`registers`    writes what there is once
`lanes`        writes what the classes compute
`changes`      writes what the classes keep
`layout`       says where registers lie, and finds those that have changed
`source`       puts it all together
============== =========================================================================================

No step knows a name of the design.
"""

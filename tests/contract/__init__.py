# SPDX-License-Identifier: BSD-2-Clause
"""A simulator of the array that is written from the pages of docs/ and shares no line with the model.

It is what somebody builds who has the pages only: :mod:`.simulator` takes the JSON of ``erbium show --json``. Plain
integers and lists; nothing of ``erbium`` is imported but by the tests that compare.
"""

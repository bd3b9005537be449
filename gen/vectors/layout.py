# SPDX-License-Identifier: BSD-2-Clause
"""Where the registers lie that there are once, and how those that have changed are found.

Registers with the same readers lie in words of 64 bits of their own. At the end of a clock all words are compared with
those from before it, as many at a time as the machine has room for, and each word that is another one wakes its
readers (`activity`). That needs no branch, which nobody could predict, and takes the place of a copy of all registers:
the words from before become the new ones on the way.
"""

from __future__ import annotations

from erbium.gen.vectors.text import WORD, Text, number, unsigned, words

WORDS = 8
"""Words that are compared in one line; those of a block of `vectors.h`."""


class Layout:
    """The registers of a module in their order in memory.

    Parameters
    ----------
    text : Text
        Its units are known, and so is what wakes them.
    """

    def __init__(self, text: Text) -> None:
        self._text = text
        groups: dict[tuple[tuple[int, int], ...], list[str]] = {}
        for wire in text.names:
            groups.setdefault(tuple(text.wakes.words(("wire", wire)).items()), []).append(wire)
        # The widest come first, so that nothing lies across its own size.
        self._groups = [
            sorted(groups[readers], key=lambda wire: -self._size(wire)) for readers in sorted(groups)
        ]

    def _element(self, wire: str) -> str:
        """Return the type of a register, or of its words."""
        return unsigned(min(WORD, self._text.module.widths[wire]))

    def _size(self, wire: str) -> int:
        """Return the bytes of an element."""
        return int(self._element(wire)[1:]) // 8

    def fields(self) -> list[str]:
        """Return the members of a structure that holds all registers."""
        lines = []
        for group in self._groups:
            for wire in group:
                width = self._text.module.widths[wire]
                end = f"[{words(width)}]" if width > WORD else ""
                start = "alignas(8) " if wire == group[0] else ""
                lines.append(f"{start}{self._element(wire)} {self._text.names[wire]}{end};  // {wire[1:]}")
        return lines

    def changes(self) -> list[str]:
        """Return the lines that wake what reads registers which have changed."""
        wakes = self._text.wakes
        readers: list[dict[int, int]] = []
        for group in self._groups:
            size = sum(self._size(wire) * words(self._text.module.widths[wire]) for wire in group)
            readers += [dict(wakes.words(("wire", group[0])))] * -(-size // 8)
        tables: list[str] = []
        blocks = max(1, -(-len(readers) // WORDS))
        lines = [f'static_assert(sizeof(State) == {blocks} * BLOCK, "registers are laid out otherwise");']
        lines += [f"Words changed{k} = {{}};" for k in range(wakes.n_words)]
        for block, first in enumerate(range(0, len(readers), WORDS)):
            here = readers[first : first + WORDS]
            body = [f"const Words differs = changed(&state_, &old_, {block}, j);"]
            for k in range(wakes.n_words):
                values = [one.get(k, 0) for one in here] + [0] * (WORDS - len(here))
                if any(values):
                    name = f"t{block}_{k}"
                    filled = ", ".join(map(number, values))
                    tables.append(f"alignas(BLOCK) static const u64 {name}[] = {{{filled}}};")
                    body.append(f"changed{k} |= differs & part({name}, j);")
            lines.append(f"EACH_PART {{ {' '.join(body)} }}")
        return [*tables, *lines, *(f"wake{k} |= together(changed{k});" for k in range(wakes.n_words))]

# SPDX-License-Identifier: BSD-2-Clause
"""C++ of what is done in all lanes: expressions of vectors inside of a loop over the lanes.

A value of one bit is a mask: all ones or all zeros in 16 bits. Others fill 16 or 32 bits with zeros.
"""

from __future__ import annotations

from collections.abc import Mapping

from erbium.gen.netlist.bits import Bits, Sig
from erbium.gen.vectors.classes import Gathered, Lanes, Numbers, Operand, Part, Same, part_width
from erbium.gen.vectors.operators import BITWISE, COMPARISONS
from erbium.gen.vectors.text import Text, mask, words


class Loop:
    """One loop over the lanes of classes: what comes before it, and its body.

    Parameters
    ----------
    text : Text
    numbers : dict
        Tables of constants, one for each lane, and their names; new ones are added.
    """

    def __init__(self, text: Text, numbers: dict[tuple[int, ...], str]) -> None:
        self._text, self._numbers = text, numbers
        self._classes = text.classes.every
        self.before: list[str] = []
        self.body: list[str] = []
        self._loaded: dict[int, str] = {}
        self._shared: dict[object, str] = {}

    def lines(self, lanes: int, stores: Mapping[str, str]) -> list[str]:
        """Return the loop; `stores` are places of arrays and what is put there at its end."""
        ends = [f"{place}[i] = {value};" for place, value in stores.items()]
        inner = [f"    {line}" for line in (*self.body, *ends)]
        loop = [f"  EACH_VECTOR({lanes}) {{", *inner, "  }"]
        return ["{", *(f"  {line}" for line in self.before), *loop, "}"]

    def load(self, index: int) -> str:
        """Return the variable in which this lane of a class is."""
        if index not in self._loaded:
            one = self._classes[index]
            if not one.is_state:
                value = self.operator(index)
            else:
                value = f"v{index}[i]" if one.stored == one.element else f"as{one.element}(v{index}[i])"
            self.body.append(f"const V{one.element} x{index} = {value};")
            self._loaded[index] = f"x{index}"
        return self._loaded[index]

    # --- operands

    def _once(self, part: Same) -> str:
        """Return a variable with what all lanes have, read before the loop."""
        if part.bits not in self._shared:
            name = f"s{len(self._shared)}"
            self.before.append(f"const u64 {name} = {self._text.value((part.bits,))};")
            self._shared[part.bits] = name
        return self._shared[part.bits]

    def _gathered(self, part: Gathered) -> str:
        """Return an array that is copied together before the loop."""
        if part.bits not in self._shared:
            name = f"g{len(self._shared)}"
            self.before += self._copies(name, part)
            self._shared[part.bits] = name
        return self._shared[part.bits]

    def _copies(self, name: str, part: Gathered) -> list[str]:
        bits, lanes, width = part.bits, len(part.bits), part.width
        if width == 1:
            # A bit for each lane, in words.
            return [
                f"const u64 {name}_b[] = {{{', '.join(self._text.chunks(bits))}}};",
                f"V16 {name}[vectors({lanes})];",
                f"unpack({name}_b, {name}, {lanes});",
            ]
        size = 16 if width <= 16 else 32
        lines = [
            f"V{size} {name}[vectors({lanes})];",
            f"u{size}* const {name}_p = reinterpret_cast<u{size}*>({name});",
        ]
        lane = 0
        while lane < lanes:
            count = self._run(bits, lane, size)
            if count > 1:
                index, first = self._text.classes.place[str(bits[lane].wire)]
                self._text.need(("array", index))
                source = f"reinterpret_cast<const u{size}*>(v{index}) + {first}"
                lines.append(f"memcpy({name}_p + {lane}, {source}, {count * size // 8});")
            else:
                lines.append(f"{name}_p[{lane}] = u{size}({self._text.value((bits[lane],))});")
            lane += count
        return lines

    def _run(self, bits: tuple[Bits, ...], lane: int, size: int) -> int:
        """Return how many lanes are copied at once: those of whole elements one after the other."""
        place = self._text.classes.place.get(str(bits[lane].wire))
        if place is None:
            return 1
        one = self._classes[place[0]]
        count = 1
        if one.stored == size and bits[lane].width == one.width:
            while lane + count < len(bits) and self._text.classes.place.get(str(bits[lane + count].wire)) == (
                place[0],
                place[1] + count,
            ):
                count += 1
        return count

    def _part(self, part: Part, size: int) -> str:
        """Return a part with zeros above it."""
        match part:
            case Same(Bits(None, number, _)):
                return f"all{size}({number:#x}u)"
            case Same():
                return f"all{size}({self._once(part)})"
            case Numbers():
                name = self._numbers.setdefault(part.values, f"k{len(self._numbers)}")
                return f"as{size}({name}[i])"
            case Gathered():
                value = f"as{size}({self._gathered(part)}[i])"
                return f"({value} & 1)" if part.width == 1 else value
        assert isinstance(part, Lanes)
        one = self._classes[part.of]
        value = self.load(part.of)
        if one.width == 1:
            value = f"({value} & 1)"
        if part.low:
            value = f"({value} >> {part.low})"
        if part.low + part.width < one.width:
            value = f"({value} & {mask(part.width):#x}u)"
        return value if size == one.element else f"as{size}({value})"

    def _mask(self, part: Part, size: int) -> str:
        """Return a part of one bit as a mask."""
        match part:
            case Same(Bits(None, number, _)):
                return f"all{size}({mask(size) if number else 0:#x}u)"
            case Same():
                return f"all{size}(0 - {self._once(part)})"
            case Gathered():
                value = f"{self._gathered(part)}[i]"
                return value if size == 16 else f"mask32({value})"
            case Lanes(of, _, _) if self._classes[of].width == 1:
                value = self.load(of)
                return value if size == 16 else f"mask32({value})"
        return f"(0 - {self._part(part, size)})"

    def operand(self, operand: Operand, size: int) -> str:
        """Return an operand in elements of `size` bits; one of a single bit is a mask."""
        total = sum(part_width(part) for part in operand)
        if total == 1:
            return self._mask(operand[0], size)
        kept, sign = self._without_sign(operand)
        at, texts, k = 0, [], 0
        while k < len(kept):
            part, count = kept[k], 1
            while part_width(part) == 1 and k + count < len(kept) and kept[k + count] == part:
                count += 1
            if count > 1:
                texts.append(f"({self._mask(part, size)} & {mask(count) << at:#x}u)")
            elif not (isinstance(part, Same) and part.bits.wire is None and part.bits.low == 0):
                value = self._part(part, size)
                texts.append(f"({value} << {at})" if at else value)
            at += count * part_width(part)
            k += count
        value = f"({' | '.join(texts)})" if texts else f"all{size}(0)"
        if sign:
            half = 1 << at - 1
            value = f"(({value} ^ {half:#x}u) - {half:#x}u)"
            if total < size:
                value = f"({value} & {mask(total):#x}u)"
        return value

    def _without_sign(self, operand: Operand) -> tuple[list[Part], int]:
        """Return an operand without the copies of its highest bit that extend its sign, and how many those are."""
        parts, copies = list(operand), 0
        while len(parts) > 1:
            top, below = parts[-1], parts[-2]
            if not isinstance(top, Lanes) or not isinstance(below, Lanes) or top.width != 1:
                break
            if (below.of, below.low + below.width - 1) != (top.of, top.low):
                break
            parts.pop()
            copies += 1
        # A single bit in many copies is a mask, which is simpler.
        return (parts, copies) if sum(part_width(part) for part in parts) > 1 else (list(operand), 0)

    # --- operators

    def operator(self, index: int) -> str:
        """Return the value of a class of operators."""
        one = self._classes[index]
        kind, _, parameters, ports = one.node.shape
        operands = dict(zip(ports, one.operands, strict=True))
        inner = max(sum(part_width(part) for part in operands[port]) for port in ports if port != "S")
        size = 32 if max(one.width, inner) > 16 else 16
        a, b = (self.operand(operands[port], size) if port in operands else "" for port in "AB")
        kind = str(kind)
        whole = one.width in (1, size)
        fits = "" if whole else f" & {mask(one.width):#x}u"
        if kind in BITWISE:
            return f"({a} {BITWISE[kind]} {b})"
        if kind == "$mux":
            chosen = self.operand(operands["S"], size)
            return f"(({chosen} & {b}) | (~{chosen} & {a}))"
        if kind == "$not":
            return f"(~{a}{fits})"
        if kind in ("$add", "$sub"):
            return f"({a} ^ {b})" if one.width == 1 else f"(({a} {'+' if kind == '$add' else '-'} {b}){fits})"
        if kind == "$neg":
            return a if one.width == 1 else f"((0 - {a}){fits})"
        return self._test(
            kind, a, b, inner, size, ("SIGNED", True) in parameters or ("SIGNED", 1) in parameters
        )

    def _test(self, kind: str, a: str, b: str, inner: int, size: int, signed: bool) -> str:
        """Return a mask."""
        if inner == 1:
            if kind in ("$eq", "$ne"):
                return f"({a} ^ {b})" if kind == "$ne" else f"(~({a} ^ {b}))"
            if kind.startswith("$reduce"):
                return a
            # Of two numbers of one bit that have a sign, 1 is the smaller one.
            a, b = (b, a) if (kind in ("$lt", "$le")) != signed else (a, b)
            return f"({a} & ~{b})" if kind in ("$lt", "$gt") else f"({a} | ~{b})"
        if kind in COMPARISONS:
            if signed and inner < size:
                a, b = (f"({one} ^ {1 << inner - 1:#x}u)" for one in (a, b))
            elif signed:
                a, b = f"(S{size}){a}", f"(S{size}){b}"
            text = f"(V{size})({a} {COMPARISONS[kind]} {b})"
        else:
            wanted = f"== {mask(inner):#x}u" if kind == "$reduce_and" else "!= 0"
            text = f"(V{size})({a} {wanted})"
        return text if size == 16 else f"as16({text})"


def computed_class(text: Text, numbers: dict[tuple[int, ...], str], index: int) -> list[str]:
    """Return the lines that compute a class of operators for those who read single lanes of it."""
    one = text.classes.every[index]
    loop = Loop(text, numbers)
    value = loop.operator(index)
    array = f"V{one.element} v{index}[vectors({len(one.wires)})];"
    return [array, *loop.lines(len(one.wires), {f"v{index}": value})]


def packed_class(text: Text, index: int) -> list[str]:
    """Return the lines that put a class of single bits into words."""
    text.need(("array", index))
    lanes = len(text.classes.every[index].wires)
    return [f"u64 b{index}[{words(lanes)}];", f"pack(v{index}, b{index}, {lanes});"]


def joined_bits(operand: Operand) -> Sig:
    """Return a condition, an address or an enable, which is the same in all lanes."""
    return tuple(part.bits for part in operand if isinstance(part, Same))


def table(name: str, values: tuple[int, ...]) -> list[str]:
    """Return a table of constants, one for each lane."""
    size = 16 if max(values) < 1 << 16 else 32
    filled = [*values, *[0] * (-len(values) % 32)]
    numbers = ", ".join(map(str, filled))
    return [
        f"alignas(64) static const u{size} {name}_[] = {{{numbers}}};",
        f"static const V{size}* const {name} = reinterpret_cast<const V{size}*>({name}_);",
    ]

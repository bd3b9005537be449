# SPDX-License-Identifier: BSD-2-Clause
"""Rules and neurons as text: what they become, with which error, and what is refused."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erbium.sw_model.programs import DescriptionError, Operation, lif
from erbium.sw_model.rules import EndRule, HistoryRule, PlasticityWord
from erbium.sw_model.text.end_rule import end_rule_from_text
from erbium.sw_model.text.formula import sum_of_products
from erbium.sw_model.text.neuron import neuron_from_text
from erbium.sw_model.text.rule import Trace, nearest_power, rule_from_text

REWARD = PlasticityWord(term="state", state=1)
NAMES = frozenset({"a", "b"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2^-3 * a", {("a",): Fraction(1, 8)}),
        ("(a + b) * (a - b)", {("a", "a"): 1, ("b", "b"): -1}),
        ("0.1 * a - a / 10", {}),
        ("-(a - 3) * 2", {("a",): -2, (): 6}),
        ("a ** 2", {("a", "a"): 1}),
    ],
)
def test_formulas(text, expected):
    assert sum_of_products(text, NAMES) == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.sampled_from(["", "*a", "*b", "*a*b"])), min_size=1, max_size=6)
)
def test_sums_are_what_python_makes_of_them(terms):
    text = " + ".join(f"({number}{names})" for number, names in terms)
    for a, b in ((2, 3), (-1, 5)):
        found = sum_of_products(text, NAMES)
        values = {"a": a, "b": b}
        total = Fraction(0)
        for product, value in found.items():
            for name in product:
                value *= values[name]
            total += value
        assert total == eval(text, {}, values)


def test_a_rule_of_a_reward():
    compiled = rule_from_text(
        "dw = 2^-8 * r1 * (16 * y0 * x1 - 4 * x0 * y1)", x1=Trace(), y1=Trace(), r1=REWARD
    )
    assert compiled.rule == HistoryRule(
        word=REWARD, causal=(4, 4, 4), acausal=(-1, -1, -1), by_word=(True, True, False), rounding=6
    )
    assert set(compiled.errors.values()) == {0.0}


def test_backpropagation_is_its_presynaptic_term():
    word = PlasticityWord(lower=0, upper=512, term="gated", state=1)
    rule = rule_from_text("dw = -2^-10 * x0 * r1", r1=word).rule
    assert rule == HistoryRule(word=word, presynaptic=-1, by_word=(False, False, True), rounding=10)


def test_heights_that_are_no_powers_of_two_tell_their_error():
    compiled = rule_from_text("dw = y0 * x1", x1=Trace(impulse=1, tau=8))
    assert compiled.rule.causal == (1024, 512, 64)
    assert compiled.rule.rounding == 10
    assert "causal[1]: 512 (+" in compiled.report()
    for place, error in enumerate(compiled.errors.values()):
        asked = Trace(1, 8).mean((0, 5, 13)[place], (5, 13, 32)[place]) * 1024
        assert compiled.rule.causal[place] == pytest.approx(asked * (1 + error))


@settings(deadline=None)
@given(st.floats(0.5, 1000))
def test_no_other_power_of_two_is_nearer_in_ratio(value):
    chosen = nearest_power(value)
    for shift in range(11):
        ratio = max(value / (1 << shift), (1 << shift) / value)
        assert max(value / chosen, chosen / value) <= ratio * 1.000001


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("w = x0", "must begin with 'dw ='"),
        ("dw = 0 * x0", "changes no weight"),
        ("dw = x0 + 3 * y0", "has the term 'y0', which the machine does not have"),
        ("dw = x0 * x1", "has the term 'x0 * x1', which the machine does not have"),
        ("dw = x0 * r1 * r1", "has the term 'r1^2 * x0'"),
        ("dw = x0 * y1 + x0 * y1 * r1", "the rule has the acausal term with r1 and without it"),
        ("dw = x0 * u0", "names 'u0'; it may name r1, x0, x1, y0, y1"),
        ("dw = x0 / y0", "has 'y0' where a number must stand"),
        ("dw = x0 / 0", "divides by 0"),
        ("dw = x0 ^ 99", "must be a whole number from -32 to 32"),
        ("dw = 2^12 * x0", "has a height of 4096; the largest of the machine is 1024"),
        ("dw = (x0", "is no sum of products"),
        ("dw = print(x0)", "has 'print(x0)', which is no sum of products"),
        ("dw = " + "(" * 900 + "x0" + ")" * 900, "is no sum of products"),
        ("dw = " + "x0 + " * 500 + "x0", "the formula has 2503 characters"),
    ],
)
def test_rules_that_are_refused(text, says):
    with pytest.raises(DescriptionError) as caught:
        rule_from_text(text, x1=Trace(), y1=Trace(), r1=REWARD)
    assert says in str(caught.value)


def test_what_a_rule_names_must_be_given():
    for text, says in (
        ("dw = y0 * x1", "names the trace x1, which is not given"),
        ("dw = x0 * y1", "names the trace y1, which is not given"),
        ("dw = x0 * r1", "names the factor r1, which is not given"),
    ):
        with pytest.raises(DescriptionError, match=says):
            rule_from_text(text)
    with pytest.raises(DescriptionError, match="a trace has impulse 1 and tau 0"):
        Trace(1, 0)


def test_a_leaky_neuron():
    compiled = neuron_from_text("lif", ["v = v - v/16 + u0"], threshold=2000, reset={"v": ("set", 0)})
    assert compiled.program == lif(threshold=2000)
    assert [c.error for c in compiled.coefficients] == [0.0, 0.0]


def test_coefficients_tell_their_error():
    compiled = neuron_from_text("decay", ["v = 0.85 * v + u0 + 3 * u1 - 40"], threshold=100, tolerance=0.01)
    leak, first, second = compiled.coefficients
    assert leak.got == Fraction(-1, 8) - Fraction(1, 32) + Fraction(1, 128) - Fraction(1, 512)
    assert abs(leak.error) < 0.01
    assert (first.got, second.got) == (Fraction(1), Fraction(3))
    assert compiled.program.operations.count(Operation(0, "u1")) == 3
    assert (compiled.program.bias, compiled.program.n_ports) == ((-40,), 2)
    assert "v <- -0.150391 * v (+0.26 %)" in compiled.report()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fractions(-3, 3, max_denominator=5000), min_size=3, max_size=3))
def test_coefficients_are_as_near_as_said(values):
    if any(0 < abs(value) < Fraction(1, 1 << 14) for value in values):
        return
    text = f"v = v + {float(values[0])} * v + {float(values[1])} * u0 + {float(values[2])} * noise"
    compiled = neuron_from_text("some", [text + " + u1"], threshold=1, tolerance=0.02)
    for c in compiled.coefficients:
        assert (
            abs(c.error) <= 0.02
            or len(compiled.program.operations) == 16
            or abs(c.got - c.asked) < Fraction(1, 1 << 15)
        )


@pytest.mark.parametrize(
    ("equations", "says"),
    [
        (["v = v * v"], "the equation of 'v' has the term 'v^2'"),
        (["v"], "the equation 'v' has no '='"),
        (["v = v + 0.5"], "the constant of 'v' is 0.5; it must be an integer"),
        (["v = v + u0 / 100000"], "the coefficient of u0 in the equation of 'v' is 1e-05; the smallest"),
        (["v = 30 * u0"], "the equations need 18 operations"),
        (["u0 = v"], "a state is called 'u0'"),
        (["v = u0", "v = u1"], "the states are v, v; there are 1 to 4, each of them once"),
        (["1v = u0"], "the name of a state is '1v'"),
        (["v = w"], "the formula names 'w'; it may name noise, u0, u1, v"),
    ],
)
def test_neurons_that_are_refused(equations, says):
    with pytest.raises(DescriptionError) as caught:
        neuron_from_text("some", equations, threshold=1)
    assert says in str(caught.value)


def test_resets_of_states_that_are_not_there():
    with pytest.raises(DescriptionError, match="reset names 'w', which is no state; there are v"):
        neuron_from_text("some", ["v = u0"], threshold=1, reset={"w": ("set", 0)})


WON = PlasticityWord(gate=1, lower=1, inside=1)


@pytest.mark.parametrize(
    ("text", "rule", "errors"),
    [
        (
            "dw = r1 * (x * (w_max - w) / 16 - (1 - x) * (w - w_min) / 8)",
            EndRule(word=WON, up=4, down=3, lowest=0, highest=127),
            {"up": 0, "down": 0},
        ),
        (
            "dw = 2^-4 * r1 * (127 * x - w)",
            EndRule(word=WON, up=4, down=4, lowest=0, highest=127),
            {"up": 0, "down": 0},
        ),
        (
            "dw = 0.11 * x * (w_max - w)",
            EndRule(rows="spiked", up=3, lowest=0, highest=127),
            {"up": 0.125 / 0.11 - 1},
        ),
        ("dw = x * (w_max - w)", EndRule(rows="spiked", up=0, lowest=0, highest=127), {"up": 0}),
    ],
)
def test_rules_of_the_end(text, rule, errors):
    compiled = end_rule_from_text(text, r1=WON, lowest=0, highest=127)
    assert compiled.rule == rule
    assert compiled.errors == pytest.approx(errors)
    assert compiled.report().startswith(f"up: 1/{1 << rule.up} of the way")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("w = x", "does not begin with 'dw ='"),
        ("dw = x - x", "changes nothing"),
        ("dw = r1 * x * (w_max - w) + x", "the factor r1 of the rule"),
        ("dw = r1 * (1 + r1) * (w_max - w)", "the factor r1 of the rule"),
        ("dw = r1 * (w_max - w) * x / 16 ", "which is not given: r1=PlasticityWord"),
        ("dw = x * (w_max + w)", "for rows that spiked the rule has the term 'w'"),
        ("dw = x * (w_max - 2 * w)", "for rows that spiked the rule has the term 'w'"),
        ("dw = x * (w_max - w) * w", "for rows that spiked the rule has the term 'w * w_max'"),
        ("dw = x * (w_max - w) + (1 - x) * w", "for rows that did not spike the rule has the term 'w'"),
        ("dw = (w_max - w) / 2", "for rows that did not spike the rule has the term 'w_max'"),
        ("dw = 2 * x * (w_max - w)", "a rate of the rule is 2; it must be from 1/256 to 1"),
        ("dw = x * (w_max - w) / 300", "a rate of the rule is 0.00333333"),
    ],
)
def test_rules_of_the_end_that_are_refused(text, says):
    with pytest.raises(DescriptionError) as caught:
        end_rule_from_text(text)
    assert says in str(caught.value)

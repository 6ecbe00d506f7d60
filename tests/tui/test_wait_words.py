"""What `bedside wait --until` understands, what it says of a slip, and when an expression holds of a log."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.records import AlertChanged, Body, Ended, Lifecycle, LifecycleChanged, Metrics, Record, RunStarted, Tick
from bedside_tui.cli.wait import Waiting
from bedside_tui.cli.wait_terms import (
    SIGNS,
    STATES,
    AlertAtLeast,
    Every,
    Expression,
    MetricIs,
    Moment,
    Some,
    StateIs,
    StepAtLeast,
    every,
    some,
    terms_of,
)
from bedside_tui.cli.wait_words import Slip, read_expression

NAMES = st.text(min_size=0, max_size=12) | st.sampled_from(["loss", "train/loss", "step", "alert", "and", "or", 'a "b\\', "acc[top 5]"])
TERMS: st.SearchStrategy[Expression] = st.one_of(
    st.builds(AlertAtLeast, st.sampled_from(["amber", "red"])),
    st.builds(StepAtLeast, st.integers(0, 10**12)),
    st.builds(StateIs, st.sampled_from(STATES)),
    st.builds(MetricIs, NAMES, st.sampled_from(list(SIGNS)), st.floats(allow_nan=False, allow_infinity=False)),
)
EXPRESSIONS = st.recursive(
    TERMS,
    lambda inner: st.builds(every, st.lists(inner, min_size=1, max_size=3)) | st.builds(some, st.lists(inner, min_size=1, max_size=3)),
)
MOMENTS = st.builds(
    Moment,
    step=st.integers(0, 10**12),
    state=st.sampled_from(get_args(Lifecycle)),
    alert=st.sampled_from([None, "amber", "red"]),
    metrics=st.dictionaries(st.sampled_from(["loss", "train/loss"]), st.floats()),
)


@given(EXPRESSIONS)
def test_an_expression_written_and_read_again_is_the_same(expression: Expression) -> None:
    assert read_expression(str(expression)) == expression


@given(EXPRESSIONS, st.sampled_from([" ", "  ", "\t", "\n"]))
def test_blanks_around_parentheses_change_nothing(expression: Expression, blank: str) -> None:
    assert read_expression(f"{blank}({blank}{expression}{blank}){blank}") == expression


@given(EXPRESSIONS, MOMENTS)
def test_an_expression_holds_only_if_a_term_of_it_does_and_surely_if_all_do(expression: Expression, moment: Moment) -> None:
    held = [term.holds(moment) for term in terms_of(expression)]
    assert any(held) >= expression.holds(moment) >= all(held)


@given(st.text(alphabet="ab<>=!()\"'\\ \n1.e-", max_size=30) | st.text(max_size=30))
def test_any_text_is_an_expression_or_a_slip_within_it(text: str) -> None:
    at = 0
    try:
        read_expression(text)
    except Slip as slip:
        at = slip.at
    assert 0 <= at <= len(text)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("alert>=red or step>=5000", Some((AlertAtLeast("red"), StepAtLeast(5000)))),
        ("step >= 1 and state = over", Every((StepAtLeast(1), StateIs("over")))),
        ("a<1 or b<2 and c<3", Some((MetricIs("a", "<", 1), Every((MetricIs("b", "<", 2), MetricIs("c", "<", 3)))))),
        ("(a<1 or b<2) and c<3", Every((Some((MetricIs("a", "<", 1), MetricIs("b", "<", 2))), MetricIs("c", "<", 3)))),
        ("a<1 and (b<2 and c<3)", Every((MetricIs("a", "<", 1), MetricIs("b", "<", 2), MetricIs("c", "<", 3)))),
        ("val/loss<=-1.5e-3", MetricIs("val/loss", "<=", -0.0015)),
        ("'top 5' > .9", MetricIs("top 5", ">", 0.9)),
        ('"step"<3', MetricIs("step", "<", 3)),
        ('"a \\"b\\""<3', MetricIs('a "b"', "<", 3)),
    ],
)
def test_what_is_written_means(text: str, meaning: Expression) -> None:
    assert read_expression(text) == meaning


@pytest.mark.parametrize(
    ("text", "caret", "why"),
    [
        ("", "^", "a term is expected here"),
        ("loss<1 and", "          ^", "a term is expected here"),
        ("loss<1 lr<2", "       ^", "`and`, `or` or the end is expected here"),
        ("(loss<1", "       ^", "`)`, `and` or `or` is expected here"),
        ("loss<1)", "      ^", "`and`, `or` or the end is expected here"),
        ("loss<low", "     ^", "a number is expected here"),
        ("loss<nan", "     ^", "a number is expected here"),
        ("loss<1e999", "     ^", "a number is expected here"),
        ("loss==1", "    ^", "after loss, < or <= or > or >= is expected here"),
        ("alert>amber", "     ^", "after alert, >= is expected here"),
        ("alert>=green", "       ^", "amber or red is expected here"),
        ("step>=5,000", "      ^", "a whole number is expected here"),
        ("state=unreachable", "      ^", "one of starting, running, paused"),
        ("step>=5 or 'val loss<1", "           ^", "this quote is not closed"),
        ("(" * 60 + "a<1", " " * 50 + "^", "more than 50 parentheses within each other"),
    ],
)
def test_a_slip_says_what_is_expected_and_where(text: str, caret: str, why: str) -> None:
    with pytest.raises(Slip) as caught:
        read_expression(text)
    assert (" " * caught.value.at + "^", caught.value.why[: len(why)]) == (caret, why)


# --- when it holds

RUN = RunStarted("id", "name", "project", 0.0)


def block(values: Sequence[float], name: str = "loss", first: int = 1) -> Metrics:
    steps = np.arange(first, first + len(values), dtype=np.int64)
    return Metrics((name,), steps, steps * 0.5, np.array([values], np.float64))


def after(text: str, *bodies: Body, rank: int = 0) -> Waiting:
    waiting = Waiting(read_expression(text))
    waiting.take([Record(100.0 + place, body, rank) for place, body in enumerate(bodies)])
    return waiting


def alert(state: Any, severity: Any = "red", step: int = 3) -> AlertChanged:
    return AlertChanged("explosion", "loss", state, severity, step, step, 9.0, "9 since step 3")


def test_a_block_of_many_steps_is_judged_step_by_step() -> None:
    waiting = after("loss<0.5 and step>=3", RUN, block([0.1, 0.9, 0.8, 0.4, 0.9]))
    assert (waiting.met, waiting.moment.step, waiting.moment.time, waiting.moment.metrics) == (True, 4, 2.0, {"loss": 0.4})
    waiting = after("step>=3", RUN, block([1.0] * 5))
    assert (waiting.met, waiting.moment.step) == (True, 3)


def test_what_is_not_a_number_and_what_was_never_logged_meet_no_bound() -> None:
    for sign in SIGNS:
        assert not after(f"loss{sign}1 or other{sign}1", RUN, block([nan, nan])).met


def test_an_alarm_counts_while_it_fires_and_the_worst_of_several() -> None:
    assert after("alert>=red", RUN, alert("firing")).met
    assert after("alert>=amber", RUN, alert("firing")).met
    assert not after("alert>=red", RUN, alert("pending"), alert("firing", "amber")).met
    assert not after("alert>=amber and step>=9", RUN, alert("firing"), alert("cleared"), Tick(9)).met
    other = AlertChanged("stall", "run", "firing", "amber", 3)
    assert after("alert>=red and step>=9", RUN, alert("firing"), other, Tick(9)).met


def test_a_state_holds_while_it_is_the_last_that_was_said() -> None:
    assert after("state=running", RUN, LifecycleChanged("running")).met
    assert not after("state=paused and step>=9", RUN, LifecycleChanged("paused"), LifecycleChanged("running"), Tick(9)).met
    assert after("state=failed", RUN, Ended("failed", 3, "ValueError")).met
    for state in ("finished", "stopped", "failed", "killed", "died", "lost"):
        assert after("state=over", RUN, LifecycleChanged(state)).met  # type: ignore[arg-type]


def test_a_run_started_again_in_the_same_log_is_judged_from_there() -> None:
    past = [RUN, block([0.1, 0.2]), alert("firing"), LifecycleChanged("failed")]
    for text in ("loss<1", "alert>=amber", "state=over", "step>=2"):
        assert after(text, *past).met
        assert not after(text, *past, RUN, Tick(1)).met


def test_a_metric_of_another_rank_has_the_name_the_screen_gives_it_and_its_steps_are_its_own() -> None:
    assert after("'loss @1'<1", RUN, block([0.5]), rank=1).met
    assert not after("loss<1 or step>=1", RUN, block([0.5]), rank=1).met

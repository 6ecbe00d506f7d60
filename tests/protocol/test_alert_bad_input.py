"""What the rules do with input that is wrong, stops, goes back or is no number: said, counted or passed over, and never an exception."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import inf, nan
from string import Formatter

import numpy as np
import pytest

from bedside_protocol.alerts.conditions import All, Condition
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.review import review
from bedside_protocol.alerts.rule_file import RuleFileError, read_rules
from bedside_protocol.alerts.rule_reach import Reach
from bedside_protocol.alerts.rules import OnProbe
from bedside_protocol.records import (
    AlertChanged,
    Event,
    ExpectationDeclared,
    LifecycleChanged,
    Metrics,
    Record,
    RunStarted,
    Snapshot,
    Tick,
)


def logged(columns: Mapping[str, Sequence[float]], start: int = 0, steps: Sequence[int] | None = None) -> Record:
    """One record of metrics, a tenth of a second a step."""
    values = np.array(list(columns.values()), np.float64)
    at = np.array(steps if steps is not None else range(start, start + values.shape[1]), np.int64)
    times = 0.1 * np.arange(start, start + len(at), dtype=np.float64)
    return Record(float(times[-1]), Metrics(tuple(columns), at, times, values))


def measured(kind: str, step: int, **scalars: float) -> Record:
    return Record(0.1 * step, Snapshot(kind, kind, step, scalars))


def noisy(level: float, count: int, seed: int = 0) -> list[float]:
    source = random.Random(seed)
    return [level * (1.0 + 0.02 * source.random()) for _ in range(count)]


def changes(*records: Record, engine: Engine | None = None) -> list[AlertChanged]:
    engine = engine or Engine()
    return [change for record in records for change in engine.observe(record)]


def states(found: Sequence[AlertChanged], rule: str, target: str = "loss") -> list[tuple[int, str]]:
    return [(one.step, one.severity or one.state) for one in found if (one.rule, one.target) == (rule, target)]


# --- rules


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[rules.explosoin]\nhorizon = 'now'", "1: rules.explosoin: no rule is called explosoin (is explosion meant?)"),
        ("[rules.stall]\nfor_amberr = '1 s'", "2: rules.stall.for_amberr: a rule has no for_amberr (is for_amber meant?)"),
        ("[rules.stall]\nwhen = {no_step = {secs = 5}}", "2: rules.stall.when.no_step.secs: there is no secs here"),
        ("[rules.x]\nwatch = {metric = 'x'}\nwhen = {expects = {above = 2, below = 1}}", "contradict each other: no value is both"),
        ("[rules.x]\nwatch = {metric = 'x'}\nwhen = {beyond = {amber_above = 2, red_above = 1}}", "contradict each other: it must be"),
        ("[rules.x]\nwatch = {metric = 'x'}\nwhen = {spikes = {factor = 0}}", "factor = 0 is impossible: it is one or more"),
        ("[rules.x]\nwatch = {metric = 'x'}\nwhen = {lost_level = {rise = 0.5}}", "rise = 0.5 is impossible: it is one or more"),
        ("[rules.x]\nwatch = {metric = 'x'}\nwhen = {grows = {times = 0}}", "times = 0 is impossible: a growth is one step or more"),
        ("[rules.x]\nwatch = {metric = 'x'}\nwhen = {recurs = {times = 1}}", "times = 1 is impossible: two spikes or more come back"),
        ("[rules.spike]\nmessage = '{value:99999999}'", "the message cannot be filled: a number in it is wider than 99 characters"),
        ("[rules.spike]\nmessage = '{value:{step}}'", "the message cannot be filled: a number in it is wider than 99 characters"),
        ("[rules.spike]\nmessage = '{value.real}'", "the message cannot say {value.real}"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_its_line_and_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(RuleFileError) as refused:
        read_rules(text)
    assert any(complaint in slip for slip in refused.value.slips)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 3000, "a." * 1500 + "b = 1", "a." * 100_000 + "b = 1", "a = 1" + "0" * 3990, "#\n" * 40_000, "\x00", "\ud800"],
)
def test_a_text_that_no_person_writes_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(RuleFileError) as refused:
        read_rules(text, "mine.toml")
    assert refused.value.slips[0].startswith("mine.toml:1: ")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("watch = {metric = 'val/los'}", "no metric is called val/los in this run"),
        ("watch = {metric = '*', kinds = ['reward']}", "no metric * is of kind reward in this run"),
        ("watch = {metric = '*'}\ntargets = ['train/*', 'x']", "its targets and but leave nothing of this run"),
        ("watch = {metric = 'loss'}\nbut = ['lo*']", "its targets and but leave nothing of this run"),
        ("watch = {metric = '*'}\ntargets = ['val/*']", ""),
    ],
)
def test_a_glob_that_matches_nothing_is_said(table: str, why: str) -> None:
    file = read_rules(f"[rules.x]\n{table}\nwhen = {{beyond = {{amber_above = 1}}}}")
    reach = Reach()
    reach.take(logged({"loss": [1.0], "val/loss": [1.0]}))
    assert reach.idle(file.rules, file.origins) == ((("x", why),) if why else ())


def test_a_probes_name_that_matches_nothing_is_said() -> None:
    file = read_rules("[rules.x]\nwatch = {probe = 'rollout'}\nwhen = {beyond = {field = 'a', red_above = 1}}\ntargets = ['dreem']")
    reach = Reach()
    reach.take(Record(0.0, Snapshot("dream", "rollout", 1, {"a": 0.0})))
    assert reach.idle(file.rules, file.origins) == (("x", "its targets and but leave nothing of this run"),)


@pytest.mark.parametrize("text", ["loss < 1 after 1__0", "loss < 1 after " + "9" * 200, "a" + " " * 100_000 + "x", "loss < 1_", ""])
def test_an_expectation_in_a_recording_that_means_nothing_is_passed_over(text: str) -> None:
    engine = Engine(())
    assert engine.observe(Record(0.0, ExpectationDeclared(text, "red"))) == []
    assert engine.rules == ()


# --- metrics that stop


def test_a_metric_that_stops_arriving_is_judged_no_more_and_what_fired_stays_until_it_is_seen_to_be_over() -> None:
    engine = Engine()
    before = changes(logged({"loss": noisy(1.0, 300), "other": noisy(1.0, 300)}), engine=engine)
    before += changes(logged({"loss": noisy(9.0, 100), "other": noisy(1.0, 100)}, 300), engine=engine)
    assert states(before, "explosion")[-1][1] == "red"
    after = changes(logged({"other": noisy(1.0, 5000)}, 400), Record(600.0, Tick(5400)), engine=engine)
    assert not [change for change in after if change.target == "loss"]
    assert ("explosion", "loss") in {(change.rule, change.target) for change in engine.firing}
    back = changes(logged({"loss": noisy(1.0, 2000)}, 5400), engine=engine)
    assert states(back, "explosion")[-1] == (6434, "red")
    assert [change.state for change in back if change.rule == "explosion"] == ["cleared"]


def test_a_metric_that_stops_before_it_was_to_be_judged_says_that_it_never_was() -> None:
    engine = Engine(())
    changes(Record(0.0, ExpectationDeclared("val/loss < 1 by 2000")), logged({"val/loss": [2.0]}, 500), engine=engine)
    changes(logged({"loss": noisy(1.0, 3000)}), engine=engine)
    (standing,) = engine.standing
    assert (standing.state, standing.message) == ("not_checked", "before step 2,000")


# --- steps that go back


def test_where_the_steps_go_back_what_fired_is_over_and_the_values_that_come_are_judged_anew() -> None:
    exploded = logged({"loss": noisy(1.0, 300) + noisy(9.0, 100)})
    found = changes(exploded, logged({"loss": noisy(1.0, 300)}, 200))
    explosion = [(change.step, change.state, change.message) for change in found if change.rule == "explosion"][-4:]
    assert [(step, state) for step, state, _ in explosion] == [
        (200, "cleared"), (200, "not_checked"), (200, "not_checked"), (251, "ok"),
    ]  # fmt: skip
    assert explosion[1][2] == "resumed: too few values yet"
    again = changes(exploded, logged({"loss": noisy(1.0, 100) + noisy(9.0, 100)}, 200))
    assert states(again, "explosion")[-1] == (309, "amber")  # ten values: after a resume there is no first value to be above


def test_a_value_that_was_not_finite_is_over_where_the_steps_go_back_to_before_it() -> None:
    broken = logged({"loss": [*noisy(1.0, 100), *[nan] * 20]})
    assert states(changes(broken, logged({"loss": noisy(1.0, 20)}, 80)), "nonfinite") == [
        (0, "ok"), (100, "red"), (80, "red"), (80, "not_checked"), (80, "ok"),
    ]  # fmt: skip
    again = changes(broken, logged({"loss": [1.0] * 10 + [nan] * 10}, 80))
    assert states(again, "nonfinite")[2:] == [(80, "red"), (80, "not_checked"), (80, "ok"), (90, "red")]


def test_a_probe_remembers_no_peak_of_steps_that_were_undone() -> None:
    def usage(step: int, perplexity: float) -> Record:
        return measured("codebook", step, size=512, window=10240, used=500, usage=0.98, dead=0, perplexity=perplexity)

    learnt = [usage(step, 450.0) for step in range(1000, 3000, 100)]
    undone = [usage(step, 110.0) for step in range(1500, 2500, 100)]
    assert states(changes(*learnt, *undone), "codebook-perplexity", "codebook") == [(0, "not_checked"), (1000, "ok")]
    fallen = [usage(step, 110.0) for step in range(3000, 4000, 100)]
    assert states(changes(*learnt, *fallen), "codebook-perplexity", "codebook")[-1] == (3200, "amber")


def test_what_fires_of_a_probe_begins_anew_where_its_steps_go_back() -> None:
    def dead(step: int) -> Record:
        return Record(0.1 * step, Snapshot("gradients", "gradients", step, {"zero": 9.0, "tensors": 9.0}, texts={"zero": ("a", "b")}))

    found = changes(*(dead(step) for step in range(500, 1000, 100)), *(dead(step) for step in range(100, 500, 100)))
    assert states(found, "dead-parameters", "gradients")[1:] == [
        (500, "amber"), (600, "amber"), (700, "red"), (100, "red"), (100, "not_checked"), (100, "amber"), (200, "amber"), (300, "red"),
    ]  # fmt: skip


def test_what_was_about_to_fire_counts_from_its_first_step_after_the_resume() -> None:
    def repeated(step: int) -> Record:
        return measured("structure", step, same_batch=1.0)

    found = changes(*(repeated(step) for step in (900, 950)), *(repeated(step) for step in (500, 550, 600)))
    assert [(one.step, one.state, one.first_step) for one in found if one.rule == "same-batch"][1:] == [
        (900, "pending", 900), (500, "not_checked", 0), (500, "pending", 500), (600, "firing", 500),
    ]  # fmt: skip


# --- values that are no numbers, and numbers that are none


def test_values_that_are_not_finite_are_told_and_bend_nothing_that_is_judged_by_a_level() -> None:
    whole = noisy(1.0, 300) + noisy(9.0, 200)
    holes = [nan if place % 7 == 3 else value for place, value in enumerate(whole)]
    assert states(changes(logged({"loss": holes})), "nonfinite") == [(0, "ok"), (3, "red")]
    without = [rule for rule in DEFAULT_RULES if rule.name != "nonfinite"]
    kept = [(place, value) for place, value in enumerate(holes) if value == value]
    full = changes(logged({"loss": holes}), engine=Engine(without))
    thin = changes(logged({"loss": [value for _, value in kept]}, steps=[place for place, _ in kept]), engine=Engine(without))
    assert [(one.rule, one.state, one.step, one.message) for one in full] == [(one.rule, one.state, one.step, one.message) for one in thin]
    assert states(full, "explosion")[-1][1] == "red"


@pytest.mark.parametrize(("still", "last"), [(0.0, "ok"), (-1.0, "ok"), (0.5, "amber")])
def test_from_nothing_any_gradient_norm_grows_which_is_no_alarm(still: float, last: str) -> None:
    norms = [still] * 200 + [2.0**place for place in range(12)]
    assert states(changes(logged({"grad_norm": norms})), "gradient-growth", "grad_norm")[-1][1] == last


def test_a_thousand_values_of_one_step_are_judged_like_those_of_a_thousand() -> None:
    spiky = [5.0 if place > 100 and place % 100 == 0 else value for place, value in enumerate(noisy(1.0, 900))]
    found = changes(logged({"eval/loss": spiky}, steps=[7] * 900))
    assert states(found, "periodic-spikes", "eval/loss")[-1] == (7, "ok")


def test_a_snapshot_without_what_the_message_tells_besides_fires_all_the_same() -> None:
    (fired,) = (one for one in changes(*(measured("gradients", step, nonfinite=3.0) for step in (50, 100))) if one.state == "firing")
    assert fired.message == "3 of nan gradients not finite since step 50"


def test_a_count_beyond_all_numbers_is_a_count_of_those_that_are_named() -> None:
    huge = {"zero": 1.7e308, "none": 1.7e308, "tensors": 4.0}
    texts = {"zero": ("a",), "none": ("b",)}
    found = changes(*(Record(0.1 * step, Snapshot("gradients", "gradients", step, huge, texts=texts)) for step in (50, 100)))
    assert [one.message for one in found if one.state == "firing"] == ["2 of 4 without gradient: b, a"]


_ODD = (0.0, -0.0, 1.0, -1.0, 2.0, 1e-320, 5e-324, 1e300, 1.79e308, -1.79e308, nan, inf, -inf)
_METRICS = ("loss", "loss/kl", "val/loss", "grad_norm", "reward", "system/memory_hours_left")


def _fields(condition: Condition) -> set[str]:
    if isinstance(condition, All):
        return set().union(*map(_fields, condition.conditions))
    named = (getattr(condition, "field", ""), getattr(condition, "per", ""), *getattr(condition, "texts", ()))
    return {name.replace("*", "a") for name in named if name}


def _probes() -> dict[str, list[str]]:
    """The fields that rules look at or tell of, by the kind of probe."""
    fields: dict[str, set[str]] = {}
    for rule in DEFAULT_RULES:
        if isinstance(rule.watch, OnProbe):
            told = {name for _, name, _, _ in Formatter().parse(rule.message) if name} - {"names", "step", "first_step"}
            fields.setdefault(rule.watch.kind, set()).update(
                told, {rule.grace.field, rule.grace.per} - {""}, *map(_fields, rule.conditions)
            )
    return {kind: sorted(names) for kind, names in sorted(fields.items())}


def odd(seed: int, length: int = 30) -> list[Record]:
    """Records with whatever a log may hold: levels from nothing to the largest number, the same step again, steps that go back."""
    source, probes = random.Random(seed), _probes()
    records, step, level = [Record(0.0, RunStarted("a", "a", "a", 0.0))], 0, 1.0
    for place in range(length):
        level = source.choice(_ODD) if source.random() < 0.2 else level

        def value(level: float = level) -> float:
            return source.choice(_ODD) if source.random() < 0.2 else level * source.choice((0.5, 1.0, 1.01, 2.0, 4.0))

        what = source.random()
        if what < 0.6:
            step = max(0, step - source.choice((0, 0, 0, 1, 500)))
            steps = [step + source.choice((0, 1, 10)) * row for row in range(source.choice((1, 20, 60)))]
            columns = {name: [value() for _ in steps] for name in _METRICS}
            records.append(Record(float(place), logged(columns, steps=steps).body))
            step = steps[-1]
        elif what < 0.9:
            kind = source.choice(list(probes))
            scalars = {name: value() for name in probes[kind] if source.random() < 0.9}
            texts = {name: tuple(source.sample("abc", 2)) for name in probes[kind]}
            records.append(Record(float(place), Snapshot(kind, kind, step, scalars, texts=texts)))
        else:
            records.append(Record(float(place), Event(source.choice(("checkpoint", "phase")), step, {"name": "x"})))
    return records


def test_a_level_beyond_all_numbers_is_said_in_a_word() -> None:
    found = changes(Record(0.0, ExpectationDeclared("loss < 2")), logged({"loss": [1.79e308, 1.79e308]}), engine=Engine(()))
    assert found[-1].message == "1.79e+308, expected < 2"
    found = changes(Record(0.0, ExpectationDeclared("loss < 2 after 1")), logged({"loss": [1.79e308, 1.79e308]}), engine=Engine(()))
    assert found[-1].message == "infinite, expected < 2 after 1"


SHARPEST = """
rules.a = {watch = {metric = "*loss"}, when = {leaves = {steps = [0, 100], low = [0.5, 0.5], high = [2.0, 2.0], window = 5}}}
rules.b = {watch = {metric = "*"}, when = {expects = {above = 0.5, below = 2.0}}}
rules.c = {watch = {metric = "*"}, when = {grows = {times = 1, factor = 1.0}}}
rules.d = {watch = {metric = "*"}, when = {recurs = {times = 2, factor = 1.0, noise = 0.0}}}
rules.e = {watch = {metric = "*"}, when = {spikes = {factor = 1.0}}}
rules.f = {watch = {metric = "*"}, when = {explodes = {factor = 1.0, noise = 0.0}}}
rules.g = {watch = {metric = "*"}, when = {lost_level = {noise = 0.0, rise = 1.0, above_start = 1.0, far_above_start = 1.0}}}
rules.h = {watch = {metric = "*"}, when = {memorises = {gap = 1.0, rise = 1.0}}}
rules.i = {watch = {metric = "*"}, when = {does_not_fall = {by = 0, share = 0.0}}}
"""
"""Each condition on values, as sharp as a file may have it."""


@pytest.mark.parametrize("seed", range(25))
def test_no_number_and_no_order_of_steps_stops_the_rules_and_what_comes_later_changes_nothing_said_before(seed: int) -> None:
    records = odd(seed)
    whole, half = changes(*records), changes(*records[: len(records) // 2])
    assert repr(changes(*records)) == repr(whole)
    assert repr(whole[: len(half)]) == repr(half)
    assert all(len(change.message) < 1000 for change in whole)


@pytest.mark.parametrize("seed", range(10))
def test_nor_does_it_stop_rules_of_ones_own(seed: int) -> None:
    rules = [rule for rule in read_rules(SHARPEST).rules if rule not in DEFAULT_RULES]
    assert len(rules) == 9
    assert any(change.state == "firing" for change in changes(*odd(seed), engine=Engine(rules)))


@pytest.mark.parametrize("seed", range(10))
def test_nor_the_review(seed: int) -> None:
    over = Record(1000.0, LifecycleChanged("finished", "", 10_000))
    assert repr(review([*odd(seed), over])) == repr(review([*odd(seed), over]))


_TWICE = """
from tests.protocol.test_alert_bad_input import changes, logged, noisy, odd
parts = {f"part{place}/loss": noisy(1.0, 200) for place in range(9)}
print(changes(logged(parts), logged(parts | {"loss": noisy(9.0, 200), "loss/late": noisy(1.0, 200)}, 200), *odd(3)))
"""


def test_another_process_finds_the_same_in_the_same_order() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", _TWICE],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, sys.path)])},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    assert "judged with the total" in told.pop()

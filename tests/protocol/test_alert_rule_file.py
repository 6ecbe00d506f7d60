"""Rules in a file: what it may say, what becomes of the built-in rules, what is refused and on which line."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from math import inf
from textwrap import dedent
from typing import Any, get_args

import pytest

from bedside_protocol.alerts.conditions import (
    All,
    Beyond,
    Condition,
    Expects,
    FellFromPeak,
    LostLevel,
    NoStep,
)
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.rule_file import RuleFile, RuleFileError, read_rules
from bedside_protocol.alerts.rule_schema import Reader, conditions_for, needed
from bedside_protocol.alerts.rule_trial import failures
from bedside_protocol.alerts.rule_words import condition_words, fires, warming_up, watched, written
from bedside_protocol.alerts.rules import Grace, OnMetric, OnProbe, OnRun, Rule, Span
from bedside_protocol.alerts.toml_lines import Lines
from bedside_protocol.records import Record, Snapshot


def read(text: str) -> RuleFile:
    return read_rules(dedent(text), "mine.toml")


def slips(text: str) -> tuple[str, ...]:
    """What a file is refused for, without its name."""
    with pytest.raises(RuleFileError) as refused:
        read(text)
    assert all(slip.startswith("mine.toml:") for slip in refused.value.slips)
    return tuple(slip.removeprefix("mine.toml:") for slip in refused.value.slips)


def named(rules: RuleFile, name: str) -> list[Rule]:
    return [rule for rule in rules.rules if rule.name == name]


def builtin(name: str) -> Rule:
    return next(rule for rule in DEFAULT_RULES if rule.name == name)


# --- what a file may say


def test_an_empty_file_changes_nothing() -> None:
    assert read("") == RuleFile("mine.toml", DEFAULT_RULES, {})


def test_a_new_rule_needs_only_what_it_watches_and_when_it_is_bad() -> None:
    said = read("""
        [rules.free-running-dead]
        watch = {probe = "rollout"}
        when = [{beyond = {field = "collapse", red_above = 0.5}}]
    """)
    (rule,) = named(said, "free-running-dead")
    assert rule == Rule(
        name="free-running-dead",
        title="free running dead",
        watch=OnProbe("rollout"),
        conditions=(Beyond("collapse", red_above=0.5),),
        message="collapse {value:.4g} since step {first_step:,}",
        runbook="",
    )
    assert said.rules[:-1] == DEFAULT_RULES
    assert said.origins == {"free-running-dead": "added"}


def test_a_new_rule_may_say_everything() -> None:
    (rule,) = named(
        read("""
            [rules.mine]
            title = "my own"
            watch = {metric = "loss/*", kinds = ["loss"], trained_on = true}
            when = {lost_level = {noise = 12, share = 0.25}}
            message = "level {level:.4g}, was {best:.4g}"
            runbook = "loss-level"
            for_amber = "20 points"
            for_red = "200 steps"
            keep_firing_for = "30 s"
            grace = {step = 500}
            worst = "amber"
            quiet_under = ["nonfinite", "explosion"]
            assures = "ok"
        """),
        "mine",
    )
    assert rule.watch == OnMetric(("loss",), "loss/*", trained_on=True)
    assert rule.conditions == (LostLevel(noise=12.0, share=0.25),)
    assert (rule.for_amber, rule.for_red, rule.keep_firing_for) == (Span(20), Span(200, "steps"), Span(30, "seconds"))
    assert (rule.grace, rule.worst, rule.quiet_under, rule.assures) == (Grace(step=500), "amber", ("nonfinite", "explosion"), "ok")


def test_a_watch_and_a_condition_that_need_no_numbers_are_bare_words() -> None:
    said = read("""
        rules.a = {watch = "run", when = "no_step"}
        rules.b = {watch = "metric", when = "non_finite"}
    """)
    assert [(rule.watch, rule.conditions) for rule in named(said, "a")] == [(OnRun(), (NoStep(),))]
    assert named(said, "b")[0].watch == OnMetric()


def test_a_metric_has_one_value_which_need_not_be_called_a_field() -> None:
    (rule,) = named(read('rules.a = {watch = {metric = "loss"}, when = {beyond = {amber_above = 5, red_above = 10}}}'), "a")
    assert rule.conditions == (Beyond("value", amber_above=5.0, red_above=10.0),)
    assert rule.message == "{value:.4g} since step {first_step:,}"


def test_a_built_in_rule_changes_only_where_the_file_says_so() -> None:
    said = read("""
        [rules.loss-level]
        for_red = "20 points"
    """)
    assert named(said, "loss-level") == [replace(builtin("loss-level"), for_red=Span(20))]
    assert [rule for rule in said.rules if rule.name != "loss-level"] == [rule for rule in DEFAULT_RULES if rule.name != "loss-level"]
    assert said.origins == {"loss-level": "changed"}


def test_a_change_reaches_every_rule_of_that_name() -> None:
    before = [rule for rule in DEFAULT_RULES if rule.name == "nonfinite"]
    assert len(before) > 1
    assert named(read('rules.nonfinite.worst = "amber"'), "nonfinite") == [replace(rule, worst="amber") for rule in before]


def test_a_built_in_rule_can_be_narrowed_to_some_metrics() -> None:
    said = read('rules.loss-level.watch = {metric = "loss/*", kinds = ["loss"]}')
    assert [rule.watch for rule in named(said, "loss-level")] == [OnMetric(("loss",), "loss/*")]


def test_a_rule_that_is_off_is_gone_and_may_still_be_named() -> None:
    said = read("""
        rules.nonfinite.off = true
        rules.stall.off = false
    """)
    assert named(said, "nonfinite") == []
    assert named(said, "stall") == [builtin("stall")]
    assert said.origins["nonfinite"] == "off"


@pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: f"{rule.name} on {type(rule.watch).__name__}")
def test_every_built_in_rule_could_have_been_written_in_a_file(rule: Rule) -> None:
    """So a condition that comes with a new rule is proved to be writable the day it comes."""
    others = tuple(replace(other, name=f"old-{other.name}") for other in DEFAULT_RULES)
    aliases = {other.name for other in DEFAULT_RULES}
    said = written(rule)
    text = {key: value for key, value in said.items() if key != "name"} | {"quiet_under": []}
    made = read_rules(f"rules.{rule.name} = {inline(text)}", builtin=others).rules[-1]
    assert replace(made, quiet_under=rule.quiet_under) == rule
    assert set(rule.quiet_under) <= aliases


def inline(value: Any) -> str:
    """A value in TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {inline(each)}' for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@pytest.mark.parametrize("kind", get_args(Condition), ids=lambda kind: kind.__name__)
def test_every_condition_can_be_written_for_something_that_is_watched(kind: type) -> None:
    watches = [watch for watch in (OnMetric, OnProbe, OnRun) if kind in conditions_for(watch).values()]
    assert watches
    for watch in watches:
        name = next(name for name, known in conditions_for(watch).items() if known is kind)
        reader = Reader()
        given = {
            "field": "x", "share": 0.5, "texts": ["none"], "conditions": [{"fell_from_peak": {"field": "x", "share": 0.5}}],
            "steps": [1], "low": [0.5], "high": [1.5], "how": ["failed"],
        }  # fmt: skip
        inside = {key: given[key] for key in needed(kind)} | {Beyond: {"red_above": 1}, Expects: {"below": 1}}.get(kind, {})
        assert isinstance(reader.condition(watch, {name: inside}, ()), kind)
        assert reader.slips == []


# --- what is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules.stall.for_rd = 1", "1: rules.stall.for_rd: a rule has no for_rd (is for_red meant?): it has title, watch"),
        ("rules.stal.off = true", "1: rules.stal: no built-in rule is called stal (is stall meant?)"),
        ('rules.stal.for_red = "1 s"', "1: rules.stal: no rule is called stal (is stall meant?); a new one needs watch and when"),
        ('rules.x.watch = "run"', "1: rules.x: a new rule needs when"),
        ('rules.stall.for_red = "3 parsecs"', '1: rules.stall.for_red: "3 parsecs" is no length of time: write "20 points", "200 steps"'),
        ("rules.stall.for_red = 20", "1: rules.stall.for_red: 20 is no length of time"),
        ('rules.stall.for_red = "-1 s"', '1: rules.stall.for_red: "-1 s" is no length of time'),
        ('rules.stall.worst = "orange"', '1: rules.stall.worst: "orange" is not "amber" or "red"'),
        ("rules.stall.title = 3", "1: rules.stall.title: 3 is not a text"),
        ('rules.stall.off = "yes"', '1: rules.stall.off: "yes" is not true or false'),
        ('rules.stall = {off = true, title = "x"}', "1: rules.stall.off: a rule that is off needs nothing else"),
        ("rules.stall.when = {no_step = {seconds = -1}}", "1: rules.stall.when.no_step.seconds: seconds = -1 is impossible"),
        ("rules.stall.when = {no_step = {seconds = inf}}", "1: rules.stall.when.no_step.seconds: seconds = inf is impossible"),
        ("rules.stall.when = {no_step = {seconds = true}}", "1: rules.stall.when.no_step.seconds: true is not a number"),
        ("rules.stall.when = {beyond = {}}", "1: rules.stall.when.beyond: beyond cannot be judged there (is ends meant?): no_step, ends"),
        ("rules.stall.when = []", "1: rules.stall.when: when is empty: it would never fire"),
        ("rules.stall.when = 3", "1: rules.stall.when: 3 is no condition: write one as {no_step = {…}}"),
        ('rules.stall.watch = {probe = "vq"}', "1: rules.stall.watch: no_step cannot be judged there"),
        ('rules.stall.watch = {prob = "vq"}', "1: rules.stall.watch: {'prob': 'vq'} is nothing to watch"),
        ("rules.stall.grace = 3", "1: rules.stall.grace: 3 is no table: write {step = …, field = …, least = …, per = …}"),
        ("rules.loss-level.when = {lost_level = {share = 1.5}}", "1: rules.loss-level.when.lost_level.share: share = 1.5 is impossible"),
        ('rules.loss-level.when = ["lost_level", "explodes"]', "1: rules.loss-level.when: a metric is judged by one condition"),
        ('rules.nonfinite.watch = {metric = "x"}', "1: rules.nonfinite.watch: nonfinite is "),
        ('rules.stall.quiet_under = ["nofinite"]', "1: rules.stall.quiet_under: no rule is called nofinite (is nonfinite meant?)"),
        ('rules.stall.runbook = "stal"', "1: rules.stall.runbook: no runbook is called stal (is stall meant?)"),
        ('rules."A B" = {watch = "run", when = "no_step"}', '1: rules.A B: "A B" is no name'),
        ("rules = 3", "1: rules: write [rules.NAME]"),
        ("rules.stall = 3", "1: rules.stall: write [rules.stall]"),
        ("tests = 3", "1: tests: write [[tests]]"),
        ("rule.x = 3", "1: rule: there is no rule here: a file has [rules.NAME] and [[tests]]"),
        ("\n\n[rules.a]\n[rules.a]\n", "4: Cannot declare ('rules', 'a') twice"),
        ("\n[rules.a]\ntitle = 'a'\ntitle = 'b'\n", "4: Cannot overwrite a value"),
        ("\n[rules.a]\nwhen = [\n", "3: Invalid value"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_line(text: str, said: str) -> None:
    (slip,) = slips(text)
    assert slip.startswith(said)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("", "beyond has no limit: give one of red_below, amber_below, amber_above, red_above"),
        (", amber_above = 9, red_above = 5", "amber_above = 9 and red_above = 5 contradict each other: it must be amber_above ≤ red_above"),
        (", amber_below = 1, red_below = 2", "red_below = 2 and amber_below = 1 contradict each other: it must be red_below ≤ amber_below"),
        (", red_below = 2, red_above = 1", "red_below = 2 and red_above = 1 contradict each other: it must be red_below ≤ red_above"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(limits: str, said: str) -> None:
    (slip,) = slips(f'rules.x = {{watch = {{probe = "rollout"}}, when = {{beyond = {{field = "collapse"{limits}}}}}}}')
    assert slip.endswith(said)


def test_everything_wrong_in_a_file_is_said_at_once_by_line() -> None:
    assert [slip.partition(": ")[0] for slip in slips("""
        [rules.codebook-collapse]           # 2
        when = [
          {beyond = {field = "usage", red_below = 0.2}},
          # dead codes
          {beyond = {field = "dead", red_above = 3, pre = "size"}},
          {fell_from_pek = {field = "usage", share = 0.5}},
        ]
        quiet_under = [
          "nonfinite",
          "nofinite",
        ]
        [rules.stall]                       # 13
        title = '''
        [rules.not-a-table]
        '''
        when.no_step.seconds = "long"       # 17
        [[tests]]
        rule = "stall"
        target = "run"
        series = "1 2"
        expect = {2 = "ok"}
        [[tests]]
        rule = "stal"                       # 24
        target = "run"
        series = "1 2 x"
        expect = {2 = "ok"}
    """)] == ["6", "7", "9", "17", "24", "26"]  # fmt: skip


def test_a_message_that_could_not_be_filled_when_the_alarm_fires_is_refused() -> None:
    def why(message: str, watch: str = '{probe = "codebook"}', when: str = '{beyond = {field = "usage", red_below = 0.2}}') -> str:
        (slip,) = slips(f"rules.x = {{watch = {watch}, when = {when}, message = '{message}'}}")
        return slip.partition("message: ")[2]

    assert why("{usag:.2f}").startswith("the message cannot say {usag}: it can say {dead}") or "{usage}" in why("{usag:.2f}")
    assert why("{usage:.2q}").startswith("the message cannot be filled: Unknown format code")
    assert why("{usage") == "the message cannot be filled: expected '}' before end of string"
    assert why("{value:.2f}", "'metric'".replace("'", '"'), '"non_finite"').startswith("the message cannot be filled")
    assert why("{value.real.x}").startswith("the message cannot say {value.real.x}")
    assert why("{names:.0f}", '{probe = "gradients"}', '{names_persist = {texts = ["none"]}}').startswith("the message cannot be filled")


def test_a_built_in_message_that_no_longer_fits_is_refused_with_the_rule() -> None:
    (slip,) = slips("\nrules.loss-level.when = 'explodes'")
    assert slip.startswith("2: rules.loss-level.message: the message cannot say {level}")


# --- lines


def test_values_are_found_on_their_lines_however_they_are_written() -> None:
    text = dedent("""\
        a.b = {c = 1}
        list = [  # of two a line
          1, 2,
          3,
        ]
        [t."x.y"]
        long = \"\"\"
        [not.a.table]
        k = 1
        \"\"\"
        k = 2
        [[many]]
        n = 1
        [[many]]
        [many.sub]
        n = 2
    """)
    tomllib.loads(text)
    lines = Lines(text)
    found = {
        ("a", "b", "c"): 1, ("list",): 2, ("list", 1): 3, ("list", 2): 4, ("t", "x.y"): 6, ("t", "x.y", "k"): 11, ("many", 0): 12,
        ("many", 0, "n"): 13, ("many", 1): 14, ("many", 1, "sub", "n"): 16, ("t", "x.y", "k", "deeper"): 11, ("nowhere",): 1,
    }  # fmt: skip
    assert {path: lines.line(path) for path in found} == found


# --- judged by them


def rollouts(*collapse: float) -> list[Record]:
    return [Record(float(at), Snapshot("dream", "rollout", 100 * at, {"collapse": value})) for at, value in enumerate(collapse)]


def test_a_run_is_judged_by_the_rules_of_the_file() -> None:
    records = rollouts(0.1, 0.9, 0.9)
    said = read('rules.dead = {watch = {probe = "rollout"}, when = {beyond = {field = "collapse", red_above = 0.5}}, for_red = "2 points"}')
    (finding,) = [finding for finding in judge(records, said.rules).alerts if finding.rule == "dead"]
    assert (finding.severity, finding.target, finding.step, finding.message) == ("red", "dream", 200, "collapse 0.9 since step 100")


# --- tests in a file


DEAD = """
[rules.dead]
watch = {probe = "rollout"}
when = {beyond = {field = "collapse", amber_above = 0.2, red_above = 0.5}}
for_red = "2 points"
[[tests]]
rule = "dead"
target = "dream"
every = 100
"""


def outcome(text: str) -> tuple[str, ...]:
    said = read(text)
    return tuple(sentence for trial in said.trials for sentence in failures(trial, said.rules))


def test_a_test_says_which_states_came_out_otherwise() -> None:
    series = 'series = {collapse = "0.1x2 0.6x2 0.1"}\n'
    assert outcome(f'{DEAD}{series}expect = {{0 = "ok", 399 = "amber", 400 = "red", 600 = "cleared"}}') == ()
    assert outcome(f'{DEAD}{series}expect = {{400 = "amber", 300 = "red"}}') == (
        "at 300: expected red, is amber",
        "at 400: expected amber, is red",
    )


def test_a_probe_that_says_nothing_at_a_step_keeps_its_state_there() -> None:
    assert outcome(f'{DEAD}series = {{collapse = "0.1 _ 0.3", frames = "20"}}\nexpect = {{100 = "ok", 200 = "amber"}}') == ()


def test_a_rule_about_metrics_is_tested_with_one_line() -> None:
    assert (
        outcome("""
        [[tests]]
        rule = "nonfinite"
        target = "loss"
        series = "1x30 nan 1"
        first = 1
        expect = {30 = "ok", 32 = "red"}
    """)
        == ()
    )


def test_a_rule_about_the_run_is_tested_with_its_step_at_every_second() -> None:
    assert (
        outcome("""
        [[tests]]
        rule = "stall"
        target = "run"
        series = "1+1x99 100x400"
        expect = {99 = "ok", 155 = "ok", 165 = "amber", 495 = "red"}
    """)
        == ()
    )


def test_a_rule_that_does_not_look_at_the_target_fails_its_test() -> None:
    assert outcome("""
        [[tests]]
        rule = "loss-level"
        target = "accuracy"
        series = "1x100"
        expect = {50 = "not checked"}
    """) == ("loss-level does not look at accuracy",)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("expect = {}", "tests.expect: nothing is expected: a test that cannot fail"),
        ('expect = {now = "ok"}', 'tests.expect: "now" is no step'),
        ('expect = {1 = "rd"}', 'tests.expect.1: "rd" is not "not checked", "ok", "pending", "amber", "red" or "cleared"'),
        ('expect = {1 = "ok"}\nevery = 0', "tests.every: every = 0 is impossible: it is from 1 to 1,000,000,000"),
        ('expect = {1 = "ok"}\nfirst = -1', "tests.first: first = -1 is impossible: it is from 0 to 1,000,000,000"),
        ('expect = {1 = "ok"}\npace = 0', "tests.pace: pace = 0 is impossible: it is more than zero"),
        ('expect = {1 = "ok"}\nevrey = 2', "tests.evrey: there is no evrey here (is every meant?): there are rule, target, series"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(keys: str, said: str) -> None:
    (slip,) = slips(f'[[tests]]\nrule = "stall"\ntarget = "run"\nseries = "1 2"\n{keys}')
    assert slip.partition(": ")[2].startswith(said)


@pytest.mark.parametrize(
    ("rule", "series"),
    [
        ("stall", '{x = "1"}'),
        ("dead-parameters", '"1 2"'),
        ("stall", '""'),
        ("stall", '"1 oh"'),
        ("stall", "3"),
        ("stall", '"1 nan"'),
        ("codebook-collapse", "{}"),
    ],
)
def test_a_series_that_does_not_fit_what_the_rule_watches_is_refused(rule: str, series: str) -> None:
    (slip,) = slips(f'[[tests]]\nrule = "{rule}"\ntarget = "x"\nseries = {series}\nexpect = {{1 = "ok"}}')
    assert slip.startswith("4: tests.series: ")


# --- in words


def test_a_rule_reads_as_a_sentence() -> None:
    rule = builtin("codebook-collapse")
    assert watched(rule.watch) == "probe codebook"
    assert fires(rule) == "amber after 2 points, red after 4 points"
    assert condition_words(rule.conditions[0]).startswith("beyond: field usage, amber below 0.8")
    assert warming_up(rule) == "step 1,000 and until window is 18 × size"
    assert fires(replace(rule, for_amber=Span(1, "steps"), worst="amber")) == "amber after 1 step, never red"
    assert fires(replace(rule, conditions=(Beyond("x", amber_above=1.0),), for_amber=Span())) == "amber at once, never red"
    either = (All((Beyond("x", red_above=1.0), FellFromPeak("y", 0.5))), Beyond("z", red_below=0.0))
    assert fires(replace(rule, conditions=either[:1])).endswith("never red")
    assert fires(replace(rule, conditions=either)).endswith("red after 4 points")
    assert watched(OnMetric(("loss",), "a/*", trained_on=True)) == "metric a/* of kind loss, those the training minimises"
    assert condition_words(FellFromPeak("x", 0.0)) == "fell from peak: field x, share 0"
    assert condition_words(Beyond("x", red_above=inf)) == "beyond: field x, red above inf"

"""Every key of the table, pressed in the real application over a scripted run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeAlias

import pytest

from bedside_protocol.commands import NO_CHECKPOINT
from bedside_protocol.records import CommandChanged, LifecycleChanged
from bedside_tui.keys import KEYS, Key, presses
from bedside_tui.screens.alerts import AlertsScreen
from bedside_tui.screens.chart import ChartScreen
from bedside_tui.screens.dialogs import AskLine, PaletteDialog, StopDialog
from bedside_tui.screens.lab_book import AskVerdict
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_run import scripted_run

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
"""The fixture `viewer` of conftest: opens the application, which then is driven through what it yields."""

RUN = scripted_run(steps=2_000, seconds=120.0)


class Fact(NamedTuple):
    """What can be seen before and after a press."""

    name: str
    place: int
    time: float
    speed: float
    playing: bool
    sent: Sequence[str]
    pinned: Sequence[str]
    text: str
    dialog: type


def facts(opened: Any) -> Fact:
    app, source = opened.app, opened.app.viewing.source
    assert app.top is not None
    assert isinstance(source, ScriptedSource)
    frame = app.viewing.frame(opened.clock.now)
    return Fact(
        opened.name, app.top.choice.place, frame.playhead.time, app.viewing.timeline.clock.speed, frame.playhead.playing,
        [verb for verb, _ in source.scripted_control.sent], tuple(app.pinned), opened.text, type(app.screen),
    )  # fmt: skip


def shows(name: str) -> Callable[[Fact, Fact], bool]:
    return lambda before, after: after.name == name


def asks(verb: str) -> Callable[[Fact, Fact], bool]:
    return lambda before, after: after.sent == [verb]


def later(before: Fact, after: Fact) -> bool:
    return after.time > before.time


def earlier(before: Fact, after: Fact) -> bool:
    return after.time < before.time


def cursor_step(fact: Fact) -> int:
    """The step the screen says its cursor is at."""
    found = re.search(r"┃ step ([\d,]+)", fact.text)
    assert found is not None
    return int(found[1].replace(",", ""))


class Check(NamedTuple):
    """A way to see that a key did what it says: where it is pressed, after which keys, and what must be true afterwards."""

    true: Callable[[Fact, Fact], bool]
    before: tuple[str, ...] = ()
    recorded: bool = False


CHECKS: dict[str, Check] = {
    "pause": Check(asks("pause")),
    "checkpoint": Check(asks("checkpoint")),
    "stop": Check(lambda b, a: a.dialog is StopDialog and not a.sent),
    "stack": Check(lambda b, a: asks("stack")(b, a) and a.name == "stack"),
    "leave": Check(lambda b, a: not a.sent),
    "help": Check(shows("help")),
    "next_alarm": Check(lambda b, a: a.name == "alerts" and "codebook collapse · vq" in a.text),
    "previous_alarm": Check(lambda b, a: a.name == "alerts" and "lost level · loss/commit" in a.text),
    "acknowledge": Check(asks("acknowledge")),
    "acknowledge_all": Check(asks("acknowledge")),
    "palette": Check(lambda b, a: a.dialog is PaletteDialog),
    "note": Check(lambda b, a: a.dialog is AskLine),
    "verdict": Check(lambda b, a: a.dialog is AskVerdict),
    "tags": Check(lambda b, a: a.dialog is AskLine),
    "sort": Check(lambda b, a: "by name" in a.text.split("\n")[2], ("r",)),
    "up_a_level": Check(shows("vitals"), ("l",)),
    "show('vitals')": Check(shows("vitals"), ("l",)),
    "show('chart')": Check(shows("chart")),
    "show('codebook')": Check(lambda b, a: a.name == "codebook" and "usage, sorted" in a.text),
    "show('model')": Check(lambda b, a: a.name == "model" and "encoder.0" in a.text),
    "show('samples')": Check(lambda b, a: a.name == "samples" and "target" in a.text),
    "show('alerts')": Check(lambda b, a: a.name == "alerts" and "finding" in a.text),
    "show('ranks')": Check(lambda b, a: a.name == "ranks" and "no other ranks" in a.text),
    "show('log')": Check(lambda b, a: a.name == "log" and "run started" in a.text),
    "show('runs')": Check(shows("runs")),
    "compare": Check(shows("compare")),
    "open": Check(lambda b, a: a.name == "chart" and " lr " in a.text.split("\n")[2], ("j",) * 6),
    "filter": Check(lambda b, a: a.dialog is AskLine),
    "move(1)": Check(lambda b, a: a.place == b.place + 1),
    "move(-1)": Check(lambda b, a: a.place == b.place - 1, ("j", "j")),
    "page(1)": Check(lambda b, a: a.place > b.place + 3),
    "page(-1)": Check(lambda b, a: a.place == 0, ("j", "j")),
    "first": Check(lambda b, a: a.place == 0, ("j", "j")),
    "last": Check(lambda b, a: a.place > 10),
    "panel(1)": Check(lambda b, a: a.place == 1),
    "panel(-1)": Check(lambda b, a: a.place > 10),
    "play": Check(lambda b, a: b.playing and not a.playing, recorded=True),
    "skip(-1)": Check(earlier, ("5",), recorded=True),
    "skip(1)": Check(later, ("5",), recorded=True),
    "record(-1)": Check(earlier, ("5",), recorded=True),
    "record(1)": Check(later, ("5",), recorded=True),
    "event(-1)": Check(earlier, ("5",), recorded=True),
    "event(1)": Check(lambda b, a: later(b, a) and "checkpoint saved" in a.text, ("5",), recorded=True),
    "speed(0.5)": Check(lambda b, a: a.speed == b.speed / 2, recorded=True),
    "speed(2)": Check(lambda b, a: a.speed == b.speed * 2, recorded=True),
    **{
        f"percent({tenth * 10})": Check(lambda b, a, tenth=tenth: abs(a.time - 12.02 * tenth) < 0.5, ("end",), recorded=True)  # type: ignore[misc]
        for tenth in range(10)
    },
    "end": Check(lambda b, a: a.time > 119.9, ("5",), recorded=True),
    "cursor(-1)": Check(lambda b, a: cursor_step(a) < cursor_step(b), ("h", "less_than_sign")),
    "cursor(1)": Check(lambda b, a: cursor_step(a) > cursor_step(b), ("h", "less_than_sign", "left_parenthesis")),
    "cursor(-10)": Check(lambda b, a: cursor_step(a) < cursor_step(b), ("h", "less_than_sign")),
    "cursor(10)": Check(lambda b, a: cursor_step(a) > cursor_step(b), ("h", "less_than_sign", "left_parenthesis", "left_parenthesis")),
    "pin_cursor": Check(lambda b, a: "Δ since" in a.text and "Δ since" not in b.text, ("h", "less_than_sign")),
    "go_to_cursor": Check(earlier, ("end", "h", "less_than_sign", "left_parenthesis"), recorded=True),
    "measure": Check(asks("snapshot"), ("b",)),
    "rate(2)": Check(lambda b, a: a.sent == ["rate"] and "every 25" in a.text, ("b",)),
    "rate(0.5)": Check(lambda b, a: a.sent == ["rate"] and "every 100" in a.text, ("b",)),
    "pin": Check(lambda b, a: a.pinned == ("lr",), ("j",) * 6),
    "log_axis": Check(lambda b, a: "log axis" in a.text.split("\n")[2], ("h",)),
    "time_axis": Check(lambda b, a: "over time" in a.text.split("\n")[2], ("h",)),
    "smooth": Check(lambda b, a: "smoothed 0.6" in a.text.split("\n")[2], ("h",)),
    "moment": Check(lambda b, a: "looking back" in a.text and a.name == "alerts", ("w",)),
    "shelve": Check(lambda b, a: a.sent == ["shelve"] and "◌ shelved" in a.text, ("w",)),
    "keep": Check(lambda b, a: "stays" in a.text, ("h",)),
}  # fmt: skip


def test_every_key_is_checked() -> None:
    assert {key.action for key in KEYS} == set(CHECKS)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.where}:{key.shown}")
async def test_every_key_of_the_table_does_what_it_says(key: Key, viewer: Open) -> None:
    check = CHECKS[key.action]
    for press in presses(key):
        source = ScriptedSource(scripted_run(steps=2_000, seconds=120.0, ended=True) if check.recorded else RUN, live=not check.recorded)
        async with viewer(source) as opened:
            await opened.press(*check.before)
            before = facts(opened)
            await opened.press(press)
            assert check.true(before, facts(opened)), f"{press}: {before} → {facts(opened)}"


# --- control


async def test_a_pause_is_requested_until_the_run_says_paused(viewer: Open) -> None:
    source = ScriptedSource(RUN, answering=False)
    async with viewer(source) as opened:
        await opened.press("P")
        await opened.seen("● running  pause requested…")
        assert "‖ paused" not in opened.text
        source.say(CommandChanged("scripted-1", "pause", "accepted"), CommandChanged("scripted-1", "pause", "scheduled", step=2_001))
        await opened.seen("pause at step 2,001…")
        source.say(CommandChanged("scripted-1", "pause", "applied", step=2_001), LifecycleChanged("paused", "", 2_001))
        await opened.seen("‖ paused")
        assert "…" not in opened.lines[0]
        await opened.seen("paused at step 2,001")
        await opened.press("P")
        assert [verb for verb, _ in source.scripted_control.sent] == ["pause", "resume"]


async def test_a_refused_checkpoint_says_the_runs_own_sentence(viewer: Open) -> None:
    source = ScriptedSource(RUN, answering=False)
    async with viewer(source, size=(120, 30)) as opened:
        await opened.press("C")
        source.say(CommandChanged("scripted-1", "checkpoint", "refused", detail=NO_CHECKPOINT))
        await opened.seen("checkpoint refused: the script registered no checkpoint: run.on_checkpoint(save)")


async def test_a_saved_checkpoint_says_its_path(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("C")
        await opened.seen("checkpoint saved at step 2,001: saved ckpt/step_002001.pt")
        await opened.seen("48 MB")


async def test_a_command_nobody_heard_is_said_to_be_unheard(viewer: Open) -> None:
    class Deaf(ScriptedSource):
        def _say_now(self, bodies: Sequence[object]) -> None:
            """The hub is gone: nothing reaches the log."""

    async with viewer(Deaf(RUN)) as opened:
        await opened.press("P")
        assert "pause requested…" in opened.text
        opened.clock.now += 11
        await opened.press()
        assert "pause: no answer in 10 s" in opened.text
        assert "requested…" not in opened.lines[0]


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        (("enter",), [("stop", {"checkpoint": True})]),
        (("j", "enter"), [("stop", {})]),
        (("j", "j", "enter"), []),
        (("escape",), []),
        (("q",), []),
        (("S", "x", "escape"), []),
    ],
)
async def test_stop_asks_and_offers_a_checkpoint_first(keys: tuple[str, ...], sent: list[object], viewer: Open) -> None:
    source = ScriptedSource(RUN, answering=False)
    async with viewer(source) as opened:
        await opened.press("S")
        assert "› checkpoint and stop" in opened.dialog.replace("›  ", "› ")
        await opened.press(*keys)
        assert not isinstance(opened.app.screen, StopDialog)
        assert source.scripted_control.sent == sent


async def test_a_stopped_run_is_not_asked_again(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("S", "enter")
        await opened.seen("■ stopped")
        await opened.press("P")
        assert "the run is over (stopped)" in opened.text
        assert len(source.scripted_control.sent) == 1


@pytest.mark.parametrize("press", ["P", "C", "S", "a", "m", "V", "T", "M", "D", "H"])
@pytest.mark.parametrize(
    ("source", "options", "why"),
    [
        (lambda: ScriptedSource(RUN), {"read_only": True}, "read-only"),
        (lambda: ScriptedSource(RUN, live=False), {}, "this is a recording"),
        (lambda: ScriptedSource(RUN, control=False), {}, "view only"),
    ],
    ids=["read-only", "recording", "view only"],
)
async def test_where_nothing_can_be_asked_a_key_says_why(
    press: str, source: Callable[[], ScriptedSource], options: dict[str, object], why: str, viewer: Open
) -> None:
    played = source()
    async with viewer(played, **options) as opened:
        await opened.press("end", *(("b",) if press in "MDH" else ()), press)
        assert why in opened.text
        assert "P pause" not in opened.text
        assert played.scripted_control.sent == []


async def test_leaving_asks_nothing_of_the_training(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("q")
        assert not opened.app.is_running or opened.app._exit
    assert source.scripted_control.sent == []
    assert source._thread is not None
    assert not source._thread.is_alive()


# --- alarms and notes


async def test_acknowledging_names_the_alarm_and_the_screen_shows_who(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source, size=(120, 30)) as opened:
        await opened.press("w", "j", "a")
        assert source.scripted_control.sent == [("acknowledge", {"rule": "codebook-perplexity", "target": "vq"})]
        await opened.seen("seen by you")
        await opened.press("A")
        assert source.scripted_control.sent[-1] == ("acknowledge", {"rule": "", "target": ""})


async def test_a_shelved_alarm_says_until_when_and_leaves_the_alarm_line(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source, size=(120, 40)) as opened:
        await opened.press("w", "enter", "s")
        arguments = {"rule": "codebook-collapse", "target": "vq", "seconds": 3600.0}
        assert source.scripted_control.sent == [("shelve", arguments)]
        await opened.seen("shelved until 1:02:00")
        assert "✖ RED" not in opened.text


async def test_a_shelved_alarm_is_taken_from_the_shelf_by_the_same_key(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("w", "s")
        await opened.seen("until 1:02:00")
        screen = opened.app.top
        screen.choice.choose(("codebook-collapse", "vq", 1))
        await opened.press("s")
        assert source.scripted_control.sent[-1] == ("shelve", {"rule": "codebook-collapse", "target": "vq", "seconds": 0.0})
        await opened.until(lambda: "✖ RED" in opened.lines[1])


async def test_from_an_alarm_one_key_goes_to_its_moment_and_end_comes_back(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN), size=(120, 30)) as opened:
        await opened.press("w", "enter", "t")
        assert "looking back" in opened.lines[0]
        assert "fired at 1,914 · at this step" in opened.text
        await opened.press("end")
        assert "looking back" not in opened.text
        assert "fired at 1,914 · 86 steps ago" in opened.text


async def test_in_a_recording_it_goes_to_the_moment_too(viewer: Open) -> None:
    async with viewer(ScriptedSource(scripted_run(steps=2_000, seconds=120.0, ended=True), live=False), size=(120, 30)) as opened:
        await opened.press("end", "w", "j", "t")
        assert "replay" in opened.lines[0]
        assert "step 1,8" in opened.lines[1]
        assert "1 of 2" in opened.lines[2]


async def test_the_next_alarm_goes_round(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        shown = []
        for _ in range(4):
            await opened.press("n")
            shown.append(opened.lines[3].split("  ")[1].strip())
        assert shown[0] == shown[3]
        assert len(set(shown)) == 3


async def test_an_opened_alarm_scrolls_and_closes_before_the_screen_does(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("n")
        assert "more lines" in opened.text
        await opened.press("G")
        assert "with" in opened.text
        await opened.press("escape")
        screen = opened.app.top
        assert isinstance(screen, AlertsScreen)
        assert not screen.is_open
        await opened.press("escape")
        assert opened.name == "vitals"


async def test_a_note_is_sent_with_its_step_and_stands_in_the_log(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("m", *"dead [/x]", "enter")
        assert source.scripted_control.sent == [("note", {"text": "dead [/x]", "step": 2_000, "at": RUN[-1].time})]
        await opened.seen("you: dead [/x]")


async def test_an_empty_or_abandoned_note_is_no_note(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("m", "space", "enter", "m", "x", "escape")
        assert source.scripted_control.sent == []


# --- rows, filter, palette


async def test_a_filter_acts_while_one_types_and_escape_undoes_it(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("slash", *"loss/")
        assert "loss/recon" in opened.text
        assert "acc[nearest]" not in opened.text
        await opened.press("enter")
        assert "with “loss/”" in opened.lines[2]
        await opened.press("slash", *"zzz", "escape")
        assert "with “loss/”" in opened.lines[2]
        await opened.press("escape")
        assert "acc[nearest]" in opened.text


async def test_a_filter_that_fits_nothing_says_how_to_undo_it(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        for screen in ("v", "h", "l", "w", "r", "question_mark"):
            await opened.press(screen, "slash", *"zzz", "enter")
            assert "esc shows all" in opened.text, screen
            await opened.press("escape")


async def test_rows_open_what_they_are_about(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("enter")
        assert opened.name == "alerts"
        await opened.press("v", "tab", "tab", "enter")
        assert opened.name == "codebook"
        await opened.press("v", "j", "enter")
        assert opened.name == "model"
        await opened.press("v", "G", "enter")
        assert opened.name == "log"


async def test_the_palette_finds_by_parts_and_does_what_is_chosen(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("colon", *"recon ch", "enter")
        assert opened.name == "chart"
        assert "loss/recon" in opened.lines[2]
        await opened.press("semicolon", *"log axis", "enter")
        assert "log axis" in opened.lines[2]
        await opened.press("colon", *"colours light", "enter")
        assert opened.app.look.palette.name == "light"
        await opened.press("colon", *"nothing like it", "enter")
        assert opened.name == "chart"


async def test_two_metrics_can_be_kept_on_one_chart(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("h", "t", "j")
        assert opened.lines[2].count(" · ") == 1
        await opened.press("t", "j", "t")
        screen = opened.app.top
        assert isinstance(screen, ChartScreen)
        assert len(screen.kept) == 2
        assert "3 curves at most" in opened.text


async def test_a_pinned_metric_stands_above_the_others(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("j", "j", "j", "j", "j", "j", "t")
        names = [row.split()[0].strip("›") or row.split()[1] for row in opened.lines[3:6]]
        assert "lr" in opened.lines[4]
        assert "loss/commit" in opened.lines[3], names

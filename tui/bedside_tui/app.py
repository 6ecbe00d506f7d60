"""What keys and rows do: the one place where a key press becomes another screen, or a question to the run.

The loop, the drawing and the colours are in `viewer`, the keys that move in time in `moving`, those of the lab book in `writing`; keys have
their names in `keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Scalar, Verb
from bedside_tui.asking import doubts, pause_or_resume
from bedside_tui.draw import number
from bedside_tui.screens.alerts import AlertsScreen, key_of
from bedside_tui.screens.base import RunScreen, bindings_of
from bedside_tui.screens.chart import ChartScreen
from bedside_tui.screens.compare import CompareScreen
from bedside_tui.screens.dialogs import AskLine, Deed, PaletteDialog, StopAnswer, StopDialog, deeds
from bedside_tui.screens.help import HelpScreen
from bedside_tui.screens.log import LogScreen
from bedside_tui.screens.probes import CodebookScreen, ModelScreen, SamplesScreen, screen_of
from bedside_tui.screens.ranks import RanksScreen
from bedside_tui.screens.runs import RunsScreen
from bedside_tui.screens.stack import StackScreen
from bedside_tui.screens.vitals import VitalsScreen
from bedside_tui.store.view import AlertView
from bedside_tui.theme import PALETTES
from bedside_tui.writing import WritingViewer


class BedsideApp(WritingViewer, inherit_bindings=False):
    """The viewer with its keys. Arguments as for `Viewer`."""

    BINDINGS = bindings_of("everywhere", "time")
    SCREEN_TYPES: ClassVar[dict[str, type[RunScreen]]] = {
        "vitals": VitalsScreen,
        "chart": ChartScreen,
        "codebook": CodebookScreen,
        "model": ModelScreen,
        "samples": SamplesScreen,
        "alerts": AlertsScreen,
        "ranks": RanksScreen,
        "log": LogScreen,
        "stack": StackScreen,
        "help": HelpScreen,
        "runs": RunsScreen,
        "compare": CompareScreen,
    }

    # --- what rows open

    def show_metric(self, name: str) -> None:
        """The chart of a metric."""
        self.metric = name
        self.show("chart")

    def show_probe(self, name: str) -> None:
        """The screen of a probe's kind, on this probe."""
        probe = self.viewing.store.at(None).probe(name)
        screen = screen_of(probe.kind if probe else "")
        self.screens[screen].filter = ""
        self.screens[screen].choice.choose(name)
        self.show(screen)

    def show_mark(self, place: int) -> None:
        """An entry of the timeline in the log."""
        self.screens["log"].choice.choose(place)
        self.show("log")

    def show_stack(self, rank: int | None = None) -> None:
        """Where a rank is, as far as it is known; without one, that which is to be looked at first."""
        screen = self.screens["stack"]
        if isinstance(screen, StackScreen):
            screen.rank = rank
        self.show("stack")

    def show_alarm(self, alarm: AlertView) -> None:
        """One alarm with its runbook."""
        screen = self.screens["alerts"]
        if isinstance(screen, AlertsScreen):
            screen.show_alarm(key_of(alarm))
        self.show("alerts")

    def open_alarm_of(self, target: str | None) -> None:
        """The alarm that stands on a metric or probe."""
        alarm = next((alarm for alarm in self.shown.alarms if alarm.target == target), None)
        if alarm is None:
            self.say("no alarm on this", "quiet")
        else:
            self.show_alarm(alarm)

    def toggle_pin(self, name: str) -> None:
        """Keep a metric at the top of the vitals, or no longer."""
        if name in self.pinned:
            self.pinned.remove(name)
        else:
            self.pinned.append(name)
        self.redraw()

    # --- dialogs

    def ask(self, label: str, text: str, answered: Callable[[str], None], *, at_once: bool = False) -> None:
        """Have a line typed; `answered` hears it at the end, and with `at_once` at every keystroke, and the old text after `esc`."""

        def done(answer: str | None) -> None:
            if answer is not None:
                answered(answer)
            elif at_once:
                answered(text)

        self.push_screen(AskLine(self.look, label, text, answered if at_once else None), done)

    # --- keys: control

    def ask_run(self, verb: Verb, arguments: Mapping[str, Scalar]) -> None:
        """Ask something of the run on behalf of a screen; where nothing can be asked, say why."""
        self._send(verb, arguments)

    def _send(self, verb: Verb, arguments: Mapping[str, Scalar] | None = None) -> None:
        self.viewing.send(verb, arguments or {}, self._now())
        self.redraw()

    def action_pause(self) -> None:
        self._send(pause_or_resume(self.viewing.store.at(None).lifecycle))

    def action_checkpoint(self) -> None:
        self._send("checkpoint")

    def action_stop(self) -> None:
        """Asks first; where nothing can be asked of the run, says so instead."""
        why = self.viewing.why_not()
        newest = self.viewing.store.at(None)
        if why or newest.lifecycle in OVER:
            self._send("stop")
            return
        saved = newest.checkpoint
        words = f"last ckpt {number.count(saved.step)}{' suspect' if saved.suspect else ''}" if saved else "no checkpoint yet"
        self.push_screen(StopDialog(self.look, words, doubts(newest)), self._stop)

    def _stop(self, answer: StopAnswer | None) -> None:
        if answer == "checkpoint":
            self._send("stop", {"checkpoint": True})
        elif answer == "stop":
            self._send("stop")

    def action_stack(self) -> None:
        """Show where the training is; of one that lives, take a new stack first."""
        if self.top is not self.screens["stack"]:
            self.show_stack()
        source = self.viewing.source
        if source is not None and source.live and self.viewing.store.at(None).lifecycle not in OVER:
            self._send("stack")

    # --- keys: alarms

    def action_next_alarm(self, direction: int = 1) -> None:
        """Open the alarm after the one that is open, the first where none is."""
        alarms, screen = self.shown.alarms, self.screens["alerts"]
        if not alarms:
            self.show("alerts")
            self.say("no alarm", "quiet")
            return
        keys = [key_of(alarm) for alarm in alarms]
        inside = isinstance(screen, AlertsScreen) and screen.is_open and self.top is screen and screen.choice.chosen in keys
        at = (keys.index(screen.choice.chosen) + direction) % len(keys) if inside else (0 if direction > 0 else -1)  # type: ignore[arg-type]
        self.show_alarm(alarms[at])

    def action_previous_alarm(self) -> None:
        self.action_next_alarm(-1)

    def action_acknowledge(self) -> None:
        """The alarm under the cursor on the alerts screen, elsewhere the worst that nobody has seen."""
        alarms, screen = self.viewing.store.at(None).alarms, self.screens["alerts"]
        chosen = screen.choice.chosen if self.top is screen else None
        fitting = [alarm for alarm in alarms if key_of(alarm) == chosen] or [alarm for alarm in alarms if not alarm.acknowledged]
        if not fitting:
            self.say("no alarm to acknowledge", "quiet")
            return
        self._send("acknowledge", {"rule": fitting[0].rule, "target": fitting[0].target})

    def action_acknowledge_all(self) -> None:
        self._send("acknowledge", {"rule": "", "target": ""})

    # --- keys: screens

    def action_show(self, name: str) -> None:
        self.show(name)

    def action_compare(self) -> None:
        """The runs beside this one; which, is asked where there are none yet, and on their screen."""
        if self.viewing.source is None:
            self.say("no run is open: ⏎ opens one, = then lays others beside it", "quiet")
            return
        screen = self.screens["compare"]
        there = self.top is screen
        self.show("compare")
        if isinstance(screen, CompareScreen) and (there or not screen.companions):
            screen.choose()

    def action_help(self) -> None:
        self.show("help")

    def action_up_a_level(self) -> None:
        """The cursor goes first; then out of what is open on the screen, to the vitals, and to the list of runs."""
        screen = self.top
        if screen is not None and "cursor" in screen.where and self.viewing.cursor is not None:
            self.viewing.cursor = None
            self.redraw()
        elif screen is None or screen.back():
            self.redraw()
        elif screen is self.screens["runs"] and self.viewing.source is None:
            self.say("q leaves the viewer", "quiet")
        elif screen is not self.screens["vitals"]:
            self.show("vitals")
        elif self.library is not None:
            self.show("runs")
        else:
            self.say("q leaves the viewer; the training goes on", "quiet")

    def action_leave(self) -> None:
        self.exit()

    def action_palette(self) -> None:
        """What is typed is looked for among what can be done; a moment is gone to."""
        where = self.top.where if self.top else ()
        self.push_screen(PaletteDialog(self.look, deeds(where, [metric.name for metric in self.shown.metrics])), self._do)

    async def _do(self, deed: Deed | None) -> None:
        if deed is None:
            return
        kind, _, name = deed.action.partition(":")
        if kind == "chart":
            self.show_metric(name)
        elif kind == "seek":
            self.seek(name)
        elif kind == "paint":
            self.paint(PALETTES[name])  # type: ignore[index]
            self.redraw()
        elif self.top is not None:
            holder = self.top if hasattr(self.top, f"action_{deed.action.partition('(')[0]}") else self
            await self.run_action(deed.action, holder)

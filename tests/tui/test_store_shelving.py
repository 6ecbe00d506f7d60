"""An alarm put aside: off the alarm line until the log says that the time is over, or that it is worse."""

from __future__ import annotations

from bedside_protocol.records import AlertChanged, AlertShelved, Body, Record, Severity, Tick
from bedside_tui.sources.source import SourceStatus
from bedside_tui.store.store import Store
from bedside_tui.store.view import View
from bedside_tui.widgets.frame import Frame, Playhead
from bedside_tui.widgets.lines import plain
from bedside_tui.widgets.status import alarm_line


def fired(severity: Severity = "amber", episode: int = 1, state: str = "firing") -> AlertChanged:
    return AlertChanged("spike", "loss", state, severity, step=100, first_step=90, episode=episode)  # type: ignore[arg-type]


def store_of(*moments: tuple[float, Body]) -> Store:
    store = Store()
    store.feed(Record(time, body, seq=seq) for seq, (time, body) in enumerate(moments, start=1))
    return store


FOR_AN_HOUR = AlertShelved("spike", "loss", "sven", 3600.0)


def frame_of(view: View) -> Frame:
    return Frame(view, SourceStatus("connected"), Playhead("now", view.time, 0.0, view.time), 0.2, 1000.0, view)


def test_a_shelved_alarm_leaves_the_alarm_line_until_its_time_is_over() -> None:
    store = store_of((1.0, fired()), (2.0, FOR_AN_HOUR), (3601.0, Tick(200)), (3603.0, Tick(201)))
    assert [len(store.at(time).alarms) for time in (1.0, 2.0, 3601.0, 3603.0)] == [1, 0, 0, 1]
    assert [alert.shelved_until for time in (1.0, 2.0, 3603.0) for alert in store.at(time).alerts] == [0.0, 3602.0, 0.0]
    assert [mark.text for mark in store.marks if mark.kind == "command"] == ["spike (loss) shelved until 1:00:02 by sven"]


def test_a_run_whose_only_alarm_is_shelved_is_not_called_ok() -> None:
    store = store_of((1.0, fired("red")), (2.0, FOR_AN_HOUR), (3603.0, Tick(201)))
    shown = [plain([alarm_line(frame_of(store.at(time)), 80)]) for time in (2.0, 3603.0)]
    assert "◌ 1 shelved  no other alarm" in shown[0]
    assert "RED" in shown[1]


def test_it_may_be_taken_from_the_shelf_again() -> None:
    store = store_of((1.0, fired()), (2.0, FOR_AN_HOUR), (3.0, AlertShelved("spike", "loss", "sven", 0.0)))
    assert [len(store.at(time).alarms) for time in (2.0, 3.0)] == [0, 1]


def test_what_gets_worse_comes_back_from_the_shelf() -> None:
    store = store_of((1.0, fired()), (2.0, FOR_AN_HOUR), (3.0, fired("red")))
    assert [len(store.at(time).alarms) for time in (2.0, 3.0)] == [0, 1]


def test_another_episode_stays_on_the_shelf() -> None:
    store = store_of((1.0, fired()), (2.0, FOR_AN_HOUR), (3.0, fired(state="cleared")), (4.0, fired(episode=2)))
    assert store.at(4.0).alarms == []


def test_shelved_alarms_are_listed_after_those_that_need_eyes() -> None:
    other = AlertChanged("explosion", "loss", "firing", "amber", step=50, first_step=50, episode=1)
    store = store_of((1.0, other), (2.0, fired("red")), (3.0, AlertShelved("spike", "loss", "sven", 60.0)))
    assert [alert.rule for alert in store.at(2.0).alerts] == ["spike", "explosion"]
    assert [alert.rule for alert in store.at(3.0).alerts] == ["explosion", "spike"]


def test_shelving_what_does_not_stand_says_nothing() -> None:
    store = store_of((1.0, fired()), (2.0, AlertShelved("explosion", "loss", "sven", 60.0)))
    assert [mark for mark in store.marks if mark.kind == "command"] == []
    assert len(store.at().alarms) == 1

"""The catalogue of failures: every symptom has a quantity that tells it on a real training, and a screen that shows this quantity.

docs/failures.md is the same table; `python -m bedside.cases --failures` prints it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from bedside.cases.case import ENDED, Sign
from bedside.cases.catalogue import case as case_named
from bedside.cases.failures import FAILURES, Row, markdown
from bedside.cases.reading import quantity
from bedside_protocol.metrics import is_system
from bedside_protocol.records import Body, Ended, LifecycleChanged, Metrics, Record, Snapshot
from bedside_tui.sources.source import SourceStatus
from bedside_tui.store.store import Store
from bedside_tui.store.view import ProbeView, View
from bedside_tui.widgets.frame import Frame, Playhead
from bedside_tui.widgets.lines import plain
from bedside_tui.widgets.metrics import columns_for, longest_name, metric_row
from bedside_tui.widgets.probe_panels import panel_of
from bedside_tui.widgets.status import status_line
from bedside_tui.widgets.vitals import system_line

Recordings = Callable[[str, int, bool], list[Record]]
pytestmark = pytest.mark.timeout(900)  # who asks for a recording first may have to train it

DOCUMENT = Path(__file__).parents[2] / "docs" / "failures.md"
LONG = {"codebook-collapse"}
"""Its two trainings take minutes: its rows are judged in tests/flow/test_demo.py, and here by `make cases`."""
SEEN = [row for row in FAILURES if row.sign is not None and row.case not in LONG]


EACH = pytest.mark.parametrize(
    ("case", "row", "forms"), [pytest.param(row.case, row, [True, False], id=f"{row.section}: {row.symptom}") for row in SEEN]
)


def test_every_row_has_a_quantity_and_a_case_or_says_what_there_is_instead() -> None:
    for row in FAILURES:
        assert bool(row.instead) is not bool(row.sign), row.symptom
        assert bool(row.sign) is bool(row.case), row.symptom
        assert not row.case or case_named(row.case) is not None, row.symptom


def test_the_document_is_the_table() -> None:
    assert DOCUMENT.read_text() == markdown()


@EACH
def test_a_symptom_is_told_from_health_by_its_field_and_not_by_constants(
    case: str, row: Row, forms: list[bool], recording: Recordings
) -> None:
    found, sign = case_named(case), row.sign
    assert found is not None
    assert sign is not None
    healthy, broken = (recording(case, 0, form) for form in forms)
    assert told(sign, healthy, broken, found.fault_at), [quantity(sign, one, found.fault_at) for one in (healthy, broken)]
    for constant in (sign.healthy[0], sign.broken[0], quantity(sign, broken, found.fault_at)):
        still = [with_constant(sign, one, constant) for one in (healthy, broken)]
        assert not told(sign, *still, found.fault_at), f"{sign.field} is constant, and nobody noticed"


@EACH
def test_a_symptom_is_on_its_screen(case: str, row: Row, forms: list[bool], recording: Recordings) -> None:
    """The screen's text changes with the quantity and with nothing else changed: what does not, does not show it."""
    sign = row.sign
    assert sign is not None
    broken = recording(case, 0, False)
    other = with_constant(sign, broken, 0.123 if sign.broken[0] > 0.2 else 0.789)  # neither is what it was
    assert drawn(sign, broken) != drawn(sign, other)


def told(sign: Sign, healthy: list[Record], broken: list[Record], since: int) -> bool:
    return all(low <= quantity(sign, records, since) <= high for records, (low, high) in ((healthy, sign.healthy), (broken, sign.broken)))


def with_constant(sign: Sign, records: list[Record], constant: float) -> list[Record]:
    """The recording as it would be if what gives the quantity only ever gave this."""
    return [dataclasses.replace(record, body=_constant(sign, record.body, constant)) for record in records]


def _constant(sign: Sign, body: Body, constant: float) -> Body:
    match body:
        case Snapshot() if body.probe == sign.probe and sign.field in body.scalars:
            return _same_everywhere(body, sign.field, constant)
        case Metrics() if not sign.probe and sign.field in body.names:
            values = body.values.copy()
            values[body.names.index(sign.field)] = constant
            return dataclasses.replace(body, values=values)
        case Ended() if sign.kind == ENDED:
            return dataclasses.replace(body, exception="" if constant < 0.5 else sign.field)
        case LifecycleChanged() if sign.kind == ENDED and constant < 0.5:
            return dataclasses.replace(body, reason=body.reason.replace(sign.field, "another"))
    return body


def _same_everywhere(snapshot: Snapshot, field: str, constant: float) -> Snapshot:
    """The scalar, its place in the table of its first part (`effect/keys` in `effect`), and the names it counts."""
    table, _, label = field.partition("/")
    arrays = dict(snapshot.arrays)
    if table in arrays and label in arrays[table].labels:
        values = arrays[table].values.copy()
        values[arrays[table].labels.index(label)] = constant
        arrays[table] = dataclasses.replace(arrays[table], values=values)
    texts = {name: names for name, names in snapshot.texts.items() if name != field}
    return dataclasses.replace(snapshot, scalars={**snapshot.scalars, field: constant}, arrays=arrays, texts=texts)


def drawn(sign: Sign, records: list[Record]) -> str:
    """What the sign's screen shows of it at the end of a recording."""
    store = Store()
    store.feed(records)
    view = store.at(None)
    frame = Frame(view, SourceStatus("ended"), Playhead("replay", view.time, 0.0, view.time), None, 0.0, view)
    if sign.kind == ENDED:
        return plain([status_line(frame, 160)])
    if sign.probe:
        return plain(panel_of(_probe(view, sign.probe), frame, 140, 44))
    if is_system(sign.field):
        return plain([system_line(view.system, 160)])
    metric = view.metric(sign.field)
    assert metric is not None, f"no metric {sign.field}"
    return plain([metric_row(metric, columns_for(140, longest_name([metric])), pinned=False, ascii=False)])


def _probe(view: View, name: str) -> ProbeView:
    found = view.probe(name)
    assert found is not None, f"no probe {name}"
    return found

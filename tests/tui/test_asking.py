"""What the person is told of a command, once the run has answered."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bedside_protocol.records import CommandChanged, Record, Scalar, Verb
from bedside_tui.asking import Asking
from bedside_tui.store.store import Store


class Wire:
    """A way up that gives every command the same name."""

    def send(self, verb: Verb, arguments: Mapping[str, Scalar]) -> str:
        return "it"


@pytest.mark.parametrize(
    ("verb", "arguments", "detail", "told"),
    [
        ("shelve", {"rule": "spike", "target": "loss", "seconds": 3600.0}, "", "shelved"),
        ("shelve", {"rule": "spike", "target": "loss", "seconds": 0.0}, "", "taken from the shelf"),
        ("pause", {}, "", "paused at step 7"),
        ("checkpoint", {}, "/data/runs/a/checkpoints/step_7.pt", "checkpoint saved at step 7: checkpoints/step_7.pt"),
    ],
)
def test_what_was_done_is_told_in_the_words_of_what_was_asked(verb: Verb, arguments: dict[str, Scalar], detail: str, told: str) -> None:
    asking, store = Asking(), Store()
    asking.send(Wire(), verb, arguments, now=0.0)
    store.feed([Record(1.0, CommandChanged("it", verb, "requested", "you", arguments=arguments))])
    assert asking.fates(store.at(), now=1.0) == []
    store.feed([Record(2.0, CommandChanged("it", verb, "applied", "you", detail, 7))])
    assert [fate.text for fate in asking.fates(store.at(), now=2.0)] == [told]

"""What a command may say: nothing in it is a path, a name of a function, or anything else that is carried out as written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bedside.checkpoint import Checkpoints
from bedside.control import Control
from bedside_protocol.messages import Order
from bedside_protocol.records import Body, CheckpointSaved, CommandChanged, Scalar

NAMES = st.sampled_from(["path", "name", "directory", "file", "to", "id", "probe", "checkpoint"])
PATHS = st.sampled_from(["/etc/passwd", "../../x", "a/../../b", "~/x", "\0", "..", ".", "", "x\n/y", "$HOME", "__import__('os').abort()"])
ARGUMENTS = st.dictionaries(NAMES, st.one_of(PATHS, st.text(max_size=20), st.booleans(), st.none(), st.integers(), st.floats()), max_size=4)


@given(ARGUMENTS, st.one_of(PATHS, st.text(min_size=1, max_size=20)))
@settings(max_examples=15, deadline=None)
def test_wherever_a_command_points_the_checkpoint_is_written_where_the_training_decides(arguments: dict[str, Scalar], name: str) -> None:
    said: list[Body] = []
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "run" / "checkpoints"
        control = Control(said.append, Checkpoints(place), lambda: 0.0, lambda probe: False, lambda probe, every: None)
        control.boundaries = "yes"
        control.save = lambda path: Path(path).write_text("weights")
        control.receive(Order(name, "checkpoint", "me", arguments), 7)
        control.boundary(7)
        (saved,) = (body for body in said if isinstance(body, CheckpointSaved))
        files = [path for path in Path(directory).rglob("*") if path.is_file()]
        assert files == [Path(saved.path)]
        assert files[0].parent == place
        assert [body.state for body in said if isinstance(body, CommandChanged)][-1] == "applied"

"""The fault matrix: every row, and where it is tried with a real process. A row that nobody tries says why."""

from __future__ import annotations

from typing import Final, NamedTuple


class Line(NamedTuple):
    """`here`: tried by this suite. `also`: a test elsewhere, as file or file::test. `missing`: what nobody tries yet."""

    row: str
    fault: str
    here: bool
    also: tuple[str, ...] = ()
    missing: str = ""


MATRIX: Final = (
    Line("F1", "viewer killed", True),
    Line("F2", "viewer stopped", True),
    Line("F3", "hub killed", True, ("tests/flow/test_sources.py::test_a_killed_hub_leaves_no_hole_and_no_double_in_what_a_viewer_saw",)),
    Line("F4", "hub dead or stopped for good", True, ("tests/flow/test_unharmed.py",)),
    Line("F5", "training killed, a worker lives on", True, ("tests/flow/test_endings.py",)),
    Line("F6", "training stopped and let go", True, ("tests/flow/test_endings.py",)),
    Line("F7", "a C call holds the interpreter lock", True),
    Line("F8", "deadlock", True, ("tests/flow/test_stacks.py",)),
    Line("F9", "segmentation fault, abort, out of memory", True, ("tests/flow/test_stacks.py", "tests/agent/test_fault_file.py")),
    Line("F10", "fork while logging", True, ("tests/flow/test_unharmed.py",)),
    Line("F11", "no descriptor left in the training", True),
    Line(
        "F12",
        "no room, or an error, on the disk of the recording",
        True,
        ("tests/agent/test_hub_recorder.py", "tests/agent/test_every_call_fails.py"),
    ),
    Line("F13", "slow sync", True),
    Line("F14", "recording cut, or a bit flipped", True, ("tests/protocol/test_runlog.py", "tests/fuzz")),
    Line("F15", "socket, keys or directory removed", True),
    Line(
        "F16", "stale socket, second hub, path too long, no directory", True, ("tests/agent/test_runtime.py", "tests/flow/test_unharmed.py")
    ),
    Line("F17", "tunnel or ssh killed, hung, restarted", True, ("tests/flow/test_remote.py", "tests/flow/test_remote_cut.py")),
    Line("F18", "wall clock jumps, machine started anew", True, ("tests/tui/test_library.py",)),
    Line("F19", "older and newer formats", True, ("tests/golden", "tests/flow/test_versions.py")),
    Line("F20", "the hub or a rank dies while the run is held", True, ("tests/flow/test_control.py",)),
    Line("F21", "held for longer than a collective waits", True),
    Line("F22", "checkpoint on a full disk, or killed", True, ("tests/agent/test_checkpoint.py",)),
    Line("F23", "hooks of the user's, `os._exit`", True, ("tests/agent/test_farewell.py",)),
    Line("F24", "nobody checks keys", True, ("tests/security/test_door.py",)),
    Line("F25", "four threads log", True, ("tests/agent/test_send_queue.py",)),
)

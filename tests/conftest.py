"""How the tests are shared out between processes: a file to each, the trainings of the cases to one."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares an expensive fixture stays together, so that it is made once; long files come first."""
    items.sort(key=lambda item: 0 if "cases" in item.path.parts else 1 if "flow" in item.path.parts else 2)
    for item in items:
        item.add_marker(pytest.mark.xdist_group("cases" if "cases" in item.path.parts else str(item.path)))

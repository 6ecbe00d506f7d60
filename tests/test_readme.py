"""What the README says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from bedside_tui.keys import markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_keys_in_the_readme_are_the_keys_of_the_viewer() -> None:
    shown = re.search(r"<!-- keys:.*?-->\n(.*?)\n<!-- end of keys -->", README, re.S)
    assert shown is not None
    assert shown.group(1).strip() == markdown().strip()


def test_every_picture_in_the_readme_exists() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []

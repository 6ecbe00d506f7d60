"""`python -m bedside_tui`: the same as the command `bedside`."""

import sys

from bedside_tui.cli import main

sys.exit(main())

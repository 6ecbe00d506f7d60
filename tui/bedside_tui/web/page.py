"""The page itself: a terminal that fills the window. What draws it is textual-serve's; nothing is loaded from another machine."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

_SCRIPT: Final = 'addEventListener("load", () => document.querySelector(".xterm-helper-textarea").focus());'
"""Keys go to the terminal without a click on it first."""
_ALLOWED: Final = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self' 'sha256-{_ALLOWED}'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Said with every answer: the page loads nothing from elsewhere, tells its address to nobody and stands in no other page."""
_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$title</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/css/xterm.css">
<style>
@font-face { font-family: "Roboto Mono"; src: url("static/fonts/RobotoMono-VariableFont_wght.ttf"); font-weight: 100 700; }
html, body { margin: 0; height: 100%; overflow: hidden; background: #101418; color: #b4bcc4; font-family: "Roboto Mono", monospace; }
#terminal { height: 100%; }
#over { display: none; margin: 2em; }
body.-closed #terminal { display: none; }
body.-closed #over { display: block; }
a { color: inherit; }
</style>
<script src="static/js/textual.js"></script>
<script>$script</script>
</head>
<body>
<div id="terminal" class="textual-terminal" data-session-websocket-url="$socket" data-font-size="15"></div>
<p id="over">The viewer has left; the training did not notice. <a href="">Open it again</a></p>
</body>
</html>
""")


def page(title: str, socket: str) -> str:
    """The page as HTML. `socket` is the address of its WebSocket."""
    return _PAGE.substitute(title=escape(title), socket=escape(socket), script=_SCRIPT)

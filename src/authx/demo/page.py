"""The demo's front page."""

from html import escape
from typing import Final

from authx.demo.curl import curl_lines

__all__ = ["front_page"]

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>authx demo</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ overflow-x: auto; padding: 1rem; border: 1px solid; border-radius: .25rem }}
</style>
</head>
<body>
<main>
<h1>authx demo</h1>
<p>Log in as <code>test</code> with the password <code>test</code>, or as <code>alice</code> with <code>alice</code>.
Login answers with an access token and a refresh token, and sets both as cookies; a route takes whichever comes along.
Each refresh exchanges the refresh token as well. Logout ends the session with all its tokens, in all processes.</p>
<p><a href="docs">Try the routes in the browser</a> or from a shell:</p>
<pre tabindex="0">{lines}</pre>
</main>
</body>
</html>
"""


def front_page(address: str) -> str:
    """Write the page.

    Args:
        address: Where the demo is served, without a slash at the end.

    Returns:
        The HTML document.
    """
    return _PAGE.format(lines=escape(curl_lines(address)))

"""Times and durations in words, and the names of browsers."""

import pytest

from authx.cli.browser import browser
from authx.cli.words import relative, timestamp
from authx.settings.feature import duration

DAY = 86_400
NOW = 1_795_800_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "no time"),
        (0.5, "less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (90, "1 minute 30 seconds"),
        (899, "14 minutes 59 seconds"),
        (5400, "1 hour 30 minutes"),
        (3605, "1 hour"),
        (DAY, "1 day"),
        (20 * DAY, "20 days"),
        (400 * DAY, "1 year 35 days"),
        (-90, "1 minute 30 seconds"),
    ],
)
def test_a_duration_names_its_two_largest_units(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (NOW + 899, "in 14 minutes"),
        (NOW - 3 * DAY - 5, "3 days ago"),
        (NOW + 0.4, "now"),
        (NOW - 0.4, "now"),
        (NOW - 1, "1 second ago"),
    ],
)
def test_a_timestamp_is_written_relative_to_now(seconds, words):
    assert relative(seconds, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (NOW + 0.9, "2026-11-27T17:20:00Z"), (1e15, "1e+15"), (-1, "-1")],
)
def test_a_timestamp_is_written_in_utc_or_as_a_number_where_no_calendar_has_it(seconds, text):
    assert timestamp(seconds) == text


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140 Safari/537.36 Edg/140", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140 Mobile Safari/537.36", "Chrome on Android"),
        (IPHONE, "Safari on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("Firefox/1 is what I say", "Firefox/1 is what I say"),
        ("x" * 60, "x" * 39 + "…"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_browser_has_a_short_name(header, name):
    assert browser(header) == name

import io

import pytest

from tfcoded.utils import progress as module
from tfcoded.utils.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until told; `clock.now` are seconds."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(module.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_nothing_is_written_for_a_short_loop(clock, stream):
    out = stream()
    assert list(progress("abc", "letters", 3, out)) == ["a", "b", "c"]
    assert out.getvalue() == ""


def test_time_left(clock):
    out = io.StringIO()
    for _ in progress(range(10), "steps", 10, out):
        clock.now += 20.0
    lines = out.getvalue().splitlines()
    assert lines[0] == "steps  2/10  2:40 left"  # 2 steps in 40 s, 8 steps to go
    assert lines[-1] == "steps  10/10  in 3:20"
    assert len(lines) == 5  # after 40, 80, 120, 160 s and at the end; not more often than every 30 s


def test_a_terminal_line_is_rewritten(clock):
    out = Terminal()
    for _ in progress(range(3), "steps", 3, out):
        clock.now += 3600.0
    assert out.getvalue() == (
        "\r\033[Ksteps  1/3  2:00:00 left\r\033[Ksteps  2/3  1:00:00 left\r\033[Ksteps  3/3  in 3:00:00\n"
    )

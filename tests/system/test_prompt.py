"""The management prompt, as somebody at the terminal meets it."""
import re
import time

import pytest
from conftest import GSTAGE, payload
from prompt import do, open_prompt, say


@pytest.mark.both_widths
def test_prompt(machine, backend):
    """It is there in a flood of output, and its commands end with one line that tells how it went."""
    m = machine([payload("hostile", cmdline="attack=console-flood seconds=100000")], backend, terminal="all")
    m.expect(r"\[hostile\]")
    open_prompt(m)
    assert say(m, "help kill").endswith("ends it at once\nok")
    assert say(m, "nonsense") == "error: no command 'nonsense': help lists them"
    m.key("a")
    m.expect(r"\[hostile\]")
    open_prompt(m, "\r")
    m.send("hel\tkill\r")
    m.expect(r"help kill\s*\nkill NAME")
    m.key("Q")
    assert m.end() == 0


def test_idle_harts(machine):
    """A hart that nobody ever wakes is idle all the same."""
    m = machine([payload("ends", cmdline="end=never", vcores=1)], GSTAGE, harts=8, terminal="all")
    m.expect(r"all capsules, input to")
    open_prompt(m)

    def idle():
        return [float(seconds) for seconds in re.findall(r"hart \d+: id \d+, idle +([\d.]+) s", do(m, "machine"))]
    before = idle()
    time.sleep(2)
    grown = [now - then for now, then in zip(idle(), before)]
    assert sum(seconds > 1 for seconds in grown) >= 5, (before, grown)
    m.line("top")
    m.expect(r"8 harts idle (?:[6-9]\d|100)%")
    m.key("Q")
    assert m.end() == 0

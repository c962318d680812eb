"""The management prompt, as somebody at the terminal meets it."""
import pytest
from conftest import payload
from prompt import open_prompt, say

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

"""How capsules end, restart, and what the machine makes of it."""
import re

import pytest
from conftest import payload

# How it ends, what the console says of it, and whether it counts as failure.
ENDS = [
    ("shutdown", False),
    ("legacy", False),
    ("finisher-pass", False),
    ("failure", True),
    ("finisher-fail", True),
    ("stop-all", True),
]
REBOOTS = ["reboot-cold", "reboot-warm", "finisher-reset"]
NAMES = [name for name, _ in ENDS]


@pytest.mark.parametrize("end,fails", ENDS, ids=NAMES)
def test_end_never(machine, end, fails):
    m = machine([payload("ends", cmdline=f"end={end}")])
    m.expect(rf"START ends: {end}, 2 harts")
    m.expect(r"\[dio\] ends: [^\n]*ended")
    assert m.end() == (1 if fails else 0)


def ends(restart, fails=(False, True)):
    return [payload("ends", end, cmdline=f"end={end}", restart=restart) for end, is_failure in ENDS if is_failure in fails]


def starts(m, end):
    return len(re.findall(rf"^\[{end}\] START ends: {end}, 2 harts", m.console(), re.M))


def starts_await(m, names, count):
    while any(starts(m, end) < count for end in names):
        m.expect("START ends: [^\n]*\n")


@pytest.mark.both_widths
@pytest.mark.parametrize("fails", [False, True], ids=["successes", "failures"])
def test_ends_never(machine, backend, fails):
    m = machine(ends("never", [fails]), backend)
    assert m.end() == (1 if fails else 0)
    for end in [end for end, is_failure in ENDS if is_failure == fails]:
        assert starts(m, end) == 1
        assert len(re.findall(rf"^\[dio\] {end}: [^\n]*ended", m.console(), re.M)) == 1


def test_ends_on_crash(machine):
    """What ended well stays ended, what did not starts again and again."""
    m = machine(ends("on-crash"))
    m.expect_all([rf"\[dio\] {end}: [^\n]*ended" for end, fails in ENDS if not fails])
    starts_await(m, [end for end, fails in ENDS if fails], 2)
    assert all(starts(m, end) == 1 for end, fails in ENDS if not fails)


def test_ends_always(machine):
    m = machine(ends("always"))
    starts_await(m, NAMES, 3)


@pytest.mark.parametrize("end", REBOOTS)
def test_reboot(machine, backend, end):
    m = machine([payload("ends", cmdline=f"end={end}", vcores=3)], backend)
    for _ in range(10):
        m.expect("START ends: [^,]*, 3 harts")


def test_one_failure_counts(machine, backend):
    m = machine([payload("ends", "good"), payload("ends", "bad", cmdline="end=failure")], backend)
    m.expect_all([r"\[dio\] good: [^\n]*ended", r"\[dio\] bad: [^\n]*ended"])
    assert m.end() == 1


def test_what_is_said(machine):
    """Attached, too, one is told which capsules there are, and of each end once."""
    m = machine([payload("ends", "one"), payload("ends", "two")], options="console=attach:two")
    assert m.end() == 0
    console = m.console()
    for name in ("one", "two"):
        lines = [line for line in console.splitlines() if line.startswith(f"[dio] {name}")]
        assert len(lines) == 2 and "2 vcores" in lines[0] and "ended" in lines[1], lines
    assert console.index("[dio] two: 2 vcores") < console.index("[dio] at two")


@pytest.mark.parametrize("terminal, words", [("two", "at two - Ctrl-]"), ("all", "all capsules, input to one - Ctrl-]")])
def test_where_one_is_is_said_once(machine, terminal, words):
    m = machine([payload("ends", name, cmdline="end=never") for name in ("one", "two")], terminal=terminal)
    m.expect(words.replace("]", r"\]"))
    m.key("Q")
    assert m.end() == 0
    assert m.console().count(words) == 1


@pytest.mark.both_widths
def test_many_restarts_leak_nothing(machine, backend):
    """In a machine with little memory to spare, a leak of a few pages each time would show."""
    m = machine([payload("ends", "again", cmdline="end=reboot-cold", vcores=4)], backend, memory="64M")
    for _ in range(200):
        m.expect(r"\[again\] START")
    assert "not started" not in m.console()

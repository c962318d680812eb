"""How capsules end, restart, and what the machine makes of it."""
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


@pytest.mark.both_widths
@pytest.mark.parametrize("end,fails", ENDS, ids=NAMES)
def test_end_never(machine, backend, end, fails):
    m = machine([payload("ends", cmdline=f"end={end}")], backend)
    m.expect(rf"START ends: {end}, 2 harts")
    m.expect(r"\[dio\] ends: [^\n]*ended")
    assert m.end() == (1 if fails else 0)


@pytest.mark.parametrize("end,fails", ENDS, ids=NAMES)
def test_end_on_crash(machine, end, fails):
    m = machine([payload("ends", cmdline=f"end={end}", restart="on-crash")])
    m.expect("START ends")
    if not fails:
        m.expect(r"\[dio\] ends: [^\n]*ended")
        assert m.end() == 0
        return
    for _ in range(2):
        m.expect("START ends")


@pytest.mark.parametrize("end", NAMES)
def test_end_always(machine, end):
    m = machine([payload("ends", cmdline=f"end={end}", restart="always")])
    for _ in range(3):
        m.expect("START ends")


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


@pytest.mark.both_widths
def test_many_restarts_leak_nothing(machine, backend):
    """In a machine with little memory to spare, a leak of a few pages each time would show."""
    m = machine([payload("ends", "again", cmdline="end=reboot-cold", vcores=4)], backend, memory="64M")
    for _ in range(200):
        m.expect(r"\[again\] START")
    assert "not started" not in m.console()

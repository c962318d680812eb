"""The machine's terminal, lent to a service in a capsule: what it shows, and what is left when it ends."""
import pexpect
import pytest
from conftest import payload

SERVICE = {"rights": "[manage, console]", "vcores": 1}


def start(machine, backend, restart="never", **keys):
    m = machine([payload("ends", "first", cmdline="end=never"), payload("terminal", restart=restart, **SERVICE)],
                backend, **keys)
    m.expect(r"KEPT\r+\n")
    m.send("x\x1dnp")
    m.expect(r"\{x\}\r+\n\{\x1d\}\r+\n\{n\}\r+\n\{p\}\r+\n.*<terminal: printed by itself\r+\n>")
    return m


@pytest.mark.both_widths
def test_service_shows_and_reads(machine, backend):
    m = start(machine, backend)
    m.send("q")
    assert m.end() == 0
    assert "[first]" not in m.console().split("KEPT")[1]


@pytest.mark.both_widths
def test_service_gives_back(machine, backend):
    m = start(machine, backend)
    m.send("g")
    m.expect("all capsules, input to first")


def test_service_crashes(machine, backend):
    """The hypervisor shows what the service did not, and that again has the terminal when it is restarted."""
    m = start(machine, backend, restart="on-crash")
    m.send("c")
    m.expect(r"\[dio\] .*terminal: all its vcores have stopped; restarting")
    m.expect(r"KEPT\r+\n")
    m.send("y")
    m.expect(r"\{y\}")
    m.send("q")
    m.end()


def test_service_is_deaf(machine, backend):
    m = start(machine, backend)
    m.send("d" + "z" * 300)
    words = ["the console service does not read", "all capsules, input to first"]
    while (found := m.expect([*words, pexpect.TIMEOUT], timeout=1)) == 2:  # it may be slow, for some time
        m.send("z")
    m.expect(words[1 - found])


def test_service_one_hart(machine, backend):
    m = start(machine, backend, harts=1)
    m.send("q")
    assert m.end() == 0

"""The bare test programs, each in a capsule of its own."""
import re

import pytest
from conftest import BACKENDS, BACKENDS_RV32, GSTAGE, payload, suite_check, verdicts

SUITES = ["sbi", "state", "devices"]


@pytest.mark.parametrize("backend", BACKENDS + BACKENDS_RV32, ids=repr)
@pytest.mark.parametrize("suite", SUITES)
def test_suite(machine, backend, suite):
    m = machine([payload(suite, vcores=3)], backend)
    suite_check(m, suite)
    assert m.end() == 0


@pytest.mark.both_widths
@pytest.mark.parametrize("suite", SUITES)
def test_suite_more_vcores_than_harts(machine, backend, suite):
    """Two capsules of the same on two harts: each vcore moves, waits and is preempted."""
    m = machine([payload(suite, name, vcores=3, cmdline="shared=1") for name in "ab"], backend, harts=2)
    m.expect_all([r"\[a\] RESULT", r"\[b\] RESULT"], timeout=300)
    for name in "ab":
        passed, failed = verdicts(m.console(), name)
        assert not failed and passed
    assert m.end() == 0


@pytest.mark.parametrize("suite", SUITES)
def test_suite_one_hart(machine, backend, suite):
    m = machine([payload(suite, vcores=1)], backend, harts=1, memory="256M")
    suite_check(m, suite)
    assert m.end() == 0


@pytest.mark.parametrize("cpu", ["sstc=false", "v=true,vlen=256", "smepmp=true", "svadu=true", "zicboz=false,zicbom=false"])
def test_state_on_other_harts(machine, backend, cpu):
    m = machine([payload("state", vcores=3, cmdline="milliseconds=100")], backend, cpu=cpu, harts=2)
    suite_check(m, "state")
    assert m.end() == 0


@pytest.mark.both_widths
@pytest.mark.parametrize("cpu", ["smdbltrp=true", "smdbltrp=true,ssdbltrp=true,smrnmi=true"])
def test_harts_with_double_traps(machine, backend, cpu):
    """Where a trap in a trap would end the hart: CSRs are tried out at boot, and guests' bad addresses later."""
    m = machine([payload("sbi", vcores=3), payload("devices", vcores=2)], backend, cpu=cpu, harts=2)
    m.expect_all([r"\[sbi\] RESULT", r"\[devices\] RESULT"])
    for name in ("sbi", "devices"):
        passed, failed = verdicts(m.console(), name)
        assert not failed and passed
    assert m.end() == 0


@pytest.mark.parametrize("backend", BACKENDS_RV32, ids=repr)
@pytest.mark.parametrize("memory,lost", [("2G", 0), ("3G", 1024), ("5G", 3072)])
def test_memory_beyond_4_gib(machine, backend, memory, lost):
    """RAM begins at 2 GiB. Where 32 bits don't reach, it is left alone; what ends at 4 GiB is used to its end."""
    m = machine([payload("state", vcores=2, cmdline="milliseconds=50"), payload("ends", memory="64M")], backend,
                memory=memory, options="scrub")
    m.expect_all([r"\[state\] RESULT", r"\[dio\] ends: [^\n]*ended"])
    passed, failed = verdicts(m.console(), "state")
    assert not failed and passed
    assert m.end() == 0
    assert re.findall(r"(\d+) MiB of RAM above 4 GiB are left unused", m.console()) == ([str(lost)] if lost else [])
    assert "2048 MiB RAM" in m.console()


def test_both_back_ends_at_once(machine):
    """A capsule of each back end, sharing the same harts."""
    m = machine([payload("state", "a", isolation="gstage", vcores=2), payload("state", "b", isolation="pmp", vcores=2)],
                harts=2)
    m.expect_all([r"\[a\] RESULT", r"\[b\] RESULT"])
    for name in "ab":
        passed, failed = verdicts(m.console(), name)
        assert not failed and passed
    assert m.end() == 0


@pytest.mark.parametrize("backend", [GSTAGE], ids=repr)
def test_clock_starts_near_zero(machine, backend):
    m = machine([payload("state", cmdline="only=clock near-zero=1")], backend)
    suite_check(m, "state")
    assert "PASS clock.near-zero" in m.console()

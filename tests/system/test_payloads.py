"""The bare test programs, each in a capsule of its own."""
import pytest
from conftest import GSTAGE, payload, suite_check, verdicts

SUITES = ["sbi", "state", "devices"]


@pytest.mark.both_widths
@pytest.mark.parametrize("suite", SUITES)
def test_suite(machine, backend, suite):
    m = machine([payload(suite, vcores=3)], backend)
    suite_check(m, suite)
    assert m.end() == 0


@pytest.mark.both_widths
@pytest.mark.parametrize("suite", SUITES)
def test_suite_more_vcores_than_harts(machine, backend, suite):
    """Two capsules of the same on two harts: each vcore moves, waits and is preempted."""
    m = machine([payload(suite, "a", vcores=3), payload(suite, "b", vcores=3)], backend, harts=2)
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

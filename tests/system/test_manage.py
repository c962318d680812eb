"""Capsules that manage capsules: the calls of include/diosix.h, from a bare payload with the right to make them."""
import pytest
from conftest import payload, suite_check, verdicts

MANAGER = {"rights": "[manage]", "quota": "{memory: 96M, vcores: 24, capsules: 12}", "vcores": 3,
           "devices": "[vsock]"}


@pytest.mark.both_widths
def test_manage(machine, backend):
    """Beside a neighbour that must notice nothing."""
    m = machine([payload("manage", **MANAGER), payload("ends", "neighbour", cmdline="end=never")], backend, terminal="all")
    m.expect(r"RESULT manage: .*\n", timeout=300)
    passed, failed = verdicts(m.console(), "manage")
    assert not failed and passed
    assert "[neighbour] START" in m.console()
    m.key("Q")
    assert m.end() == 0


def test_manage_one_hart(machine, backend):
    m = machine([payload("manage", **MANAGER)], backend, harts=1)
    suite_check(m, "manage")
    assert m.end() == 0

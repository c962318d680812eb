"""Capsules that mean harm: they hurt only themselves. A victim beside each must pass its own tests."""
import pytest
from conftest import payload, verdicts

# These find out by themselves whether all was well, and say so.
JUDGING = ["jump", "csr-scan", "mmio-scan", "memory-probe", "stack-bomb", "pte-unmap-mmio"]
FLOODS = ["ipi-flood", "fence-flood", "wild-sbi", "dbcn-wild", "hsm-storm"]
STORMS = ["spin", "self-modify", "wfi-storm", "timer-storm", "trap-loop", "sleep"]


def attack(name, seconds=1, **keys):
    return payload("hostile", name, cmdline=f"attack={name} seconds={seconds}", **{"vcores": 3, **keys})


def victim():
    return payload("state", "victim", vcores=2, cmdline="milliseconds=50")


def victim_check(m):
    passed, failed = verdicts(m.console(), "victim")
    assert not failed and len(passed) > 15


def attack_check(m, names):
    m.expect_all([r"\[victim\] RESULT [^\n]*\n"] + [rf"\[{name}\] RESULT hostile" for name in names], timeout=400)
    victim_check(m)
    for name in names:
        passed, failed = verdicts(m.console(), name)
        assert not failed
        assert passed or name not in JUDGING
    assert m.end() == 0


@pytest.mark.both_widths
@pytest.mark.parametrize("names", [JUDGING, FLOODS, STORMS], ids=["judging", "floods", "storms"])
def test_attacks(machine, backend, names):
    attack_check(machine([attack(name, 2) for name in names] + [victim()], backend, harts=3), names)


@pytest.mark.parametrize("name", JUDGING)
def test_attack_alone(machine, name):
    """With a hart for each vcore but one: nobody else is to blame."""
    attack_check(machine([attack(name), victim()], harts=4), [name])


@pytest.mark.parametrize("name", ["console-flood", "reboot-loop"])
def test_attack_without_end(machine, backend, name):
    """The flood of lines of the one, the endless restarts of the other must not keep the victim from its work."""
    m = machine([victim(), attack(name, seconds=100000)], backend, harts=2)
    m.expect(r"\[victim\] RESULT [^\n]*\n", timeout=300)
    victim_check(m)


@pytest.mark.both_widths
def test_attack_on_devices(machine, backend, tmp_path):
    """Rings and registers at random, from all harts; the last device serves whoever keeps to the rules."""
    image = tmp_path / "disk.img"
    image.write_bytes(b"x" * 30000)
    devices = f"[{{disk: {image}, overlay: 1M}}, {{disk: {image}}}, {{vsock: all}}, rng]"
    attack_check(machine([attack("virtio", seconds=3, devices=devices, rights="[manage]"), victim()], backend, harts=2), ["virtio"])

"""Capsules that mean harm: they hurt only themselves. A victim beside each must pass its own tests."""
import pytest
from conftest import payload, verdicts

# These find out by themselves whether all was well, and say so.
JUDGING = ["jump", "csr-scan", "mmio-scan", "memory-probe", "stack-bomb", "pte-unmap-mmio"]
OTHERS = ["spin", "ipi-flood", "fence-flood", "wild-sbi", "dbcn-wild", "self-modify", "wfi-storm", "timer-storm",
          "hsm-storm", "trap-loop", "sleep"]


def attack(name, seconds=1, **keys):
    return payload("hostile", "mallory", cmdline=f"attack={name} seconds={seconds}", **{"vcores": 3, **keys})


def victim():
    return payload("state", "victim", vcores=2, cmdline="milliseconds=50")


def victim_check(m):
    passed, failed = verdicts(m.console(), "victim")
    assert not failed and len(passed) > 15


def attack_check(m, name):
    m.expect_all([r"\[victim\] RESULT [^\n]*\n", r"\[mallory\] RESULT hostile"], timeout=300)
    victim_check(m)
    passed, failed = verdicts(m.console(), "mallory")
    assert not failed
    assert passed or name not in JUDGING
    assert m.end() == 0


@pytest.mark.both_widths
@pytest.mark.parametrize("name", JUDGING)
def test_attack_that_looks(machine, backend, name):
    attack_check(machine([attack(name), victim()], backend, harts=2), name)


@pytest.mark.parametrize("name", OTHERS)
def test_attack(machine, backend, name):
    attack_check(machine([attack(name), victim()], backend, harts=2), name)


@pytest.mark.parametrize("name", ["console-flood", "reboot-loop"])
def test_attack_without_end(machine, backend, name):
    """The flood of lines of the one, the endless restarts of the other must not keep the victim from its work."""
    m = machine([victim(), attack(name, seconds=100000)], backend, harts=2)
    m.expect(r"\[victim\] RESULT [^\n]*\n", timeout=300)
    victim_check(m)


@pytest.mark.both_widths
def test_attacks_at_once(machine, backend):
    names = ["ipi-flood", "fence-flood", "wild-sbi", "hsm-storm", "self-modify", "trap-loop"]
    capsules = [payload("hostile", f"m{number}", vcores=3, cmdline=f"attack={name} seconds=8")
                for number, name in enumerate(names)]
    m = machine(capsules + [victim()], backend, harts=4)
    m.expect_all([r"\[victim\] RESULT [^\n]*\n"] + [rf"\[m{n}\] RESULT hostile" for n in range(len(names))], timeout=400)
    victim_check(m)
    assert m.end() == 0


@pytest.mark.both_widths
def test_attack_on_devices(machine, backend, tmp_path):
    """Rings and registers at random, from all harts; the last device serves whoever keeps to the rules."""
    image = tmp_path / "disk.img"
    image.write_bytes(b"x" * 30000)
    devices = f"[{{disk: {image}, overlay: 1M}}, {{disk: {image}}}, rng]"
    attack_check(machine([attack("virtio", seconds=3, devices=devices), victim()], backend, harts=2), "virtio")

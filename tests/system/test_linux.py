"""What people do: the stock kernel in capsules, to a shell and back."""
import re

import pytest
from conftest import GSTAGE, PMP, PMP_BARE, PROMPT, linux

# What says no more than that the host is busy.
KNOWN_WARNINGS = [r"hrtimer: interrupt took", r"clocksource: .*unstable", r"rcu: .*stall"]


def prompt(name="linux1"):
    return PROMPT.format(name)


def login(m, name="linux1"):
    m.expect(prompt(name), timeout=240)


def test_to_the_prompt_and_off(machine, backend):
    m = machine([linux()], backend)
    login(m)
    assert "sh-was-here 3" in m.command("echo sh-was-here $((1+2))")
    assert m.command("nproc").split()[-1] == "2"
    m.line("poweroff -f")
    m.expect(r"\[dio\] linux1: [^\n]*ended")
    assert m.end() == 0


def test_no_warnings(machine, backend):
    """The kernel has nothing to complain of: neither the device tree nor the firmware."""
    m = machine([linux(cmdline="console=ttyS0 earlycon=sbi")], backend, options="console=attach:linux1")
    login(m)
    raw = m.command("dmesg -r | grep '^<[0-4]>'")
    lines = [line for line in raw.splitlines() if re.match(r"<[0-4]>", line)]
    strange = [line for line in lines if not any(re.search(known, line) for known in KNOWN_WARNINGS)]
    assert not strange
    assert "ttyS0 at MMIO" in m.console() and "irq" in m.console()


def test_two_capsules(machine, backend):
    m = machine([linux("linux1"), linux("linux2")], backend)
    m.expect_all([r"\[linux1\] " + prompt("linux1"), r"\[linux2\] " + prompt("linux2")], timeout=240)
    m.line("echo typed-to-$(hostname)")
    m.expect(r"\[linux1\] typed-to-linux1")
    # Each line is one source's, whole.
    for line in m.console().splitlines():
        assert not line or re.match(r"\[(dio|linux1|linux2)\] ", line), line
    m.line("poweroff -f")
    m.expect(r"\[dio\] linux1: [^\n]*ended")


def test_switching(machine):
    """Ctrl-] and a key: next, previous, one by number, all; twice sends one."""
    m = machine([linux("linux1"), linux("linux2")], options="console=attach:linux1")
    login(m, "linux1")
    m.key("n")
    login(m, "linux2")
    m.line("echo now-in-$(hostname)")
    m.expect("now-in-linux2")
    m.key("p")
    m.line("echo now-in-$(hostname)")
    m.expect("now-in-linux1")
    m.key("2")
    m.line("echo again-in-$(hostname)")
    m.expect("again-in-linux2")
    m.key("h")
    m.expect(r"Ctrl-\]")
    m.line("cat -v; echo got-it")
    m.expect("cat -v")
    m.send("\x1d\x1dx\r\x04")
    m.expect(r"\^\]x")
    m.expect("got-it")
    m.key("a")
    m.line("echo in-all-$(hostname)")
    m.expect(r"\[linux\d\] in-all-linux\d")
    m.key("1")
    m.line("poweroff -f")
    m.expect("ended")
    m.key("2")
    m.line("")
    login(m, "linux2")
    m.line("poweroff -f")
    assert m.end() == 0


def test_more_vcores_than_harts(machine, backend):
    """3 x 4 vcores on 2 harts: all boot, and each gets its share."""
    capsules = [linux(f"linux{n}", vcores=4, memory="256M") for n in (1, 2, 3)]
    m = machine(capsules, backend, harts=2)
    m.expect_all([rf"\[linux{n}\] " + prompt(f"linux{n}") for n in (1, 2, 3)], timeout=500)


LOAD = ("for i in 1 2 3 4; do awk 'BEGIN { for (i = 1; i < 400000; i++) s += sin(i) * sqrt(i); printf \"sum %.6f\\n\", s }' & "
        "done; wait; echo load-done")


def test_float_under_load(machine, backend):
    """Vcores of two capsules move between harts with live floating-point state."""
    m = machine([linux("linux1", vcores=3), linux("linux2", vcores=3, cmdline="console=ttyS0")], backend, harts=2)
    m.expect_all([r"\[linux1\] " + prompt("linux1"), r"\[linux2\] " + prompt("linux2")], timeout=400)
    m.key("2")
    m.line(LOAD)
    m.key("1")
    m.line(LOAD)
    m.expect("load-done", timeout=400)
    m.key("2")
    m.expect("load-done", timeout=400)
    sums = re.findall(r"sum (-?[\d.]+)", m.console())
    assert len(sums) >= 8 and len(set(sums)) == 1, sums


def test_reboot(machine, backend):
    m = machine([linux()], backend)
    login(m)
    m.line("reboot -f")
    m.expect("Linux version")
    login(m)
    m.line("poweroff -f")
    assert m.end() == 0


def test_panic_counts_as_failure(machine):
    m = machine([linux(cmdline="console=ttyS0 panic=-1", restart="never")])
    login(m)
    m.line("echo c > /proc/sysrq-trigger")
    # Linux reboots after its panic, and a guest's own reboot always restarts it.
    m.expect("Kernel panic")
    login(m)


MACHINES = [
    ("one-hart", GSTAGE, {"harts": 1}),
    ("one-hart", PMP_BARE, {"harts": 1}),
    ("eight-harts", GSTAGE, {"harts": 8}),
    ("eight-harts", PMP, {"harts": 8}),
    ("512M", GSTAGE, {"memory": "512M"}),
    ("512M", PMP_BARE, {"memory": "512M"}),
    ("8G", GSTAGE, {"memory": "8G"}),
    ("8G", PMP, {"memory": "8G"}),
    ("no-sstc", GSTAGE, {"cpu": "sstc=false"}),
    ("no-sstc", PMP_BARE, {"cpu": "sstc=false"}),
    ("smepmp", GSTAGE, {"cpu": "smepmp=true"}),
    ("smepmp", PMP, {"cpu": "smepmp=true"}),
    ("smepmp", PMP_BARE, {"cpu": "smepmp=true"}),
    ("vector", GSTAGE, {"cpu": "v=true"}),
    ("vector", PMP_BARE, {"cpu": "v=true"}),
]


@pytest.mark.parametrize("what,backend,machine_arguments", MACHINES, ids=[f"{w}-{b}" for w, b, _ in MACHINES])
def test_machines(machine, what, backend, machine_arguments):
    m = machine([linux("linux1")], backend, **machine_arguments)
    login(m)
    m.line("poweroff -f")
    assert m.end() == 0


@pytest.mark.parametrize("backend", [GSTAGE, PMP], ids=repr)
def test_three_fit_one_gigabyte(machine, backend):
    m = machine([linux(f"linux{n}", memory="256M", vcores=1) for n in (1, 2, 3)], backend)
    for n in (1, 2, 3):
        m.expect(r"\[dio\] linux%d: 1 vcore[^\n]*256 MiB" % n)
    m.expect_all([r"\[linux%d\] [^\n]*Linux version" % n for n in (1, 2, 3)], timeout=240)


def test_input_is_not_lost(machine):
    """A long line, typed at once, arrives whole."""
    m = machine([linux()], options="console=attach:linux1")
    login(m)
    word = "0123456789" * 20
    assert word in m.command(f"echo {word} | tr a-z A-Z")


def test_large_output_is_whole(machine, backend):
    m = machine([linux()], backend, options="console=attach:linux1")
    login(m)
    printed = m.command("seq 1 5000")
    numbers = re.findall(r"^\d+$", printed, re.M)
    assert numbers[-5000:] == [str(n) for n in range(1, 5001)]

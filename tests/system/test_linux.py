"""What people do: Linux in capsules, to a shell and back. RV64's kernel is Debian's, RV32's built from its source."""
import re

import pytest
from conftest import BACKENDS_RV32, CMDLINE, GSTAGE, PMP, PMP_BARE, PROMPT, linux, payload
from prompt import do, open_prompt

GSTAGE_RV32, PMP_RV32, PMP_BARE_RV32 = BACKENDS_RV32

# What says no more than that the host is busy; and what our RV32 kernel says on any machine, of the memory below
# itself and of how it is configured.
KNOWN_WARNINGS = [r"hrtimer: interrupt took", r"clocksource: .*unstable", r"rcu: .*stall",
                  r"OF: fdt: Ignoring memory range \S+ - 0x\w+[048c]00000$", r"Kernel memory protection not selected"]


def prompt(name="linux1"):
    return PROMPT.format(name)


def login(m, name="linux1"):
    m.expect(prompt(name), timeout=240)


def no_warnings(m):
    """The kernel has nothing to complain of: neither the device tree nor the firmware."""
    raw = m.command("dmesg -r | grep '^<[0-4]>'")
    lines = [line for line in raw.splitlines() if re.match(r"<[0-4]>", line)]
    assert not [line for line in lines if not any(re.search(known, line) for known in KNOWN_WARNINGS)]
    assert re.search(r"ttyS0 at MMIO \S+ \(irq = [1-9]", m.console())


def nothing_lost(m):
    """A long line typed at once arrives whole, and so does a lot of output; the kernel says nothing in the midst of it."""
    m.command("dmesg -n 1")
    word = "0123456789" * 20
    assert word in m.command(f"echo {word} | tr a-z A-Z")
    numbers = re.findall(r"^\d+$", m.command("seq 1 5000"), re.M)
    assert numbers == [str(n) for n in range(1, 5001)]


@pytest.mark.parametrize("backend", [GSTAGE, PMP, PMP_BARE, GSTAGE_RV32, PMP_BARE_RV32], ids=repr)
def test_journey(machine, backend):
    m = machine([linux(cmdline="console=ttyS0 earlycon=sbi")], backend, options="console=attach:linux1")
    login(m)
    assert "sh-was-here 3" in m.command("echo sh-was-here $((1+2))")
    assert re.search(r"^2$", m.command("nproc"), re.M)
    no_warnings(m)
    nothing_lost(m)
    m.line("reboot -f")
    m.expect("Linux version")
    login(m)
    m.line("poweroff -f")
    m.expect(r"\[dio\] linux1: [^\n]*ended")
    assert m.end() == 0


@pytest.mark.parametrize("backend", [GSTAGE, PMP_BARE, PMP_RV32], ids=repr)
def test_two_capsules(machine, backend):
    """As the plain QEMU line gives them: both on the console, each line one source's, input for the first."""
    m = machine([linux("linux1"), linux("linux2")], backend, terminal="all")
    m.expect_all([r"\[linux1\] " + prompt("linux1"), r"\[linux2\] " + prompt("linux2")], timeout=240)
    m.line("echo typed-to-$(hostname)")
    m.expect(r"\[linux1\] typed-to-linux1")
    for line in m.console().splitlines()[:-1]:
        assert not line or re.match(r"\[(dio|linux1|linux2)\] ", line), line
    m.line("poweroff -f")
    m.expect(r"\[dio\] linux1: [^\n]*ended")
    m.key("1")
    m.line("")
    login(m, "linux2")
    m.line("poweroff -f")
    assert m.end() == 0


def test_switching(machine):
    """Ctrl-] and a key: next, previous, one by number, all; twice sends one."""
    m = machine([linux("linux1"), linux("linux2")], terminal="linux1")
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
    m.line("echo rea''dy; cat -v; echo got-it")
    m.expect("ready")
    m.send("\x1d\x1dx\r\x04")
    m.expect(r"\^\]x")
    m.expect("got-it")
    m.key("a")
    m.line("echo in-all-$(hostname)")
    m.expect(r"\[linux\d\] in-all-linux\d")
    m.key("1")
    m.line("poweroff -f")
    m.expect("ended")


# Four processes that must all come to the same sum.
LOAD = ("for i in 1 2 3 4; do awk 'BEGIN { for (i = 1; i < 50000; i++) s += i / (s + 3.7); print \"sum \" s }' & done; "
        "wait; echo load-is-do''ne")


@pytest.mark.parametrize("backend", [GSTAGE, PMP_BARE_RV32], ids=repr)
def test_more_vcores_than_harts(machine, backend):
    """3 x 4 vcores on 2 harts and 1 GiB: all boot, and all compute right, however their vcores move."""
    names = ["linux1", "linux2", "linux3"]
    m = machine([linux(name, vcores=4, memory="256M") for name in names], backend, harts=2, terminal="all")
    m.expect_all([rf"\[{name}\] " + prompt(name) for name in names], timeout=500)
    for number in "123":
        m.key(number)
        m.line(LOAD)
    m.key("a")
    m.expect_all([rf"\[{name}\] load-is-done" for name in names], timeout=500)
    sums = re.findall(r"sum ([\d.]+)$", m.console(), re.M)
    assert len(sums) == 12 and len(set(sums)) == 1, sums


def test_panic(machine):
    """Linux reboots after its panic, if told to; a guest's own reboot always restarts it."""
    m = machine([linux(cmdline=f"{CMDLINE} panic=-1", restart="never")])
    login(m)
    m.line("echo c > /proc/sysrq-trigger")
    m.expect("Kernel panic")
    login(m)


MACHINES = [
    ("one-hart-512M", GSTAGE, {"harts": 1, "memory": "512M"}),
    ("one-hart-no-sstc", PMP_BARE, {"harts": 1, "cpu": "sstc=false"}),
    ("eight-harts-8G-no-sstc", GSTAGE, {"harts": 8, "memory": "8G", "cpu": "sstc=false"}),
    ("8G-smepmp", PMP_BARE, {"memory": "8G", "cpu": "smepmp=true"}),
    ("vector-smepmp", GSTAGE, {"cpu": "v=true,smepmp=true"}),
    ("vector-512M", PMP, {"cpu": "v=true", "memory": "512M"}),
    ("one-hart-no-sstc", GSTAGE_RV32, {"harts": 1, "cpu": "sstc=false"}),
    ("eight-harts-4G", PMP_BARE_RV32, {"harts": 8, "memory": "4G"}),
    ("512M-smepmp", PMP_RV32, {"memory": "512M", "cpu": "smepmp=true"}),
    ("4G", GSTAGE_RV32, {"memory": "4G"}),
    ("no-sstc", PMP_BARE_RV32, {"cpu": "sstc=false"}),
]


@pytest.mark.parametrize("what,backend,machine_arguments", MACHINES, ids=[f"{w}-{b}" for w, b, _ in MACHINES])
def test_machines(machine, what, backend, machine_arguments):
    """Each of what machines differ in, under each back end; more than one in a machine, as each boot takes its time."""
    m = machine([linux("linux1")], backend, **machine_arguments)
    login(m)
    m.line("poweroff -f")
    assert m.end() == 0


def stolen(m):
    """Ticks of 10 ms that the guest knows it did not run."""
    return int(re.search(r"^cpu +(?:\d+ ){7}(\d+)", m.command("head -n 1 /proc/stat"), re.M).group(1))


@pytest.mark.parametrize("backend", [GSTAGE_RV32, PMP_BARE_RV32], ids=repr)
def test_stolen_time(machine, backend):
    """Linux knows what time its neighbour had while it wanted to run."""
    neighbour = payload("hostile", cmdline="attack=spin seconds=100000", vcores=1)
    m = machine([linux(vcores=1), neighbour], backend, harts=1, options="console=attach:linux1")
    login(m)
    before = stolen(m)
    m.command("awk 'BEGIN { for (i = 1; i < 300000; i++) s += i / (s + 3.7) }'")
    assert stolen(m) > before


def test_clone_has_its_own_random_numbers(machine):
    m = machine([linux(vcores=1)], GSTAGE_RV32, terminal="linux1")
    login(m)
    open_prompt(m)
    do(m, "fork linux1 as twin")
    m.key("2")
    m.line("")
    login(m)
    assert "crng reseeded due to virtual machine fork" in m.command("dmesg")
    m.key("1")
    m.line("")
    login(m)
    assert "virtual machine fork" not in m.command("dmesg")

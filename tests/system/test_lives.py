"""Lives by the prompt, of real Linux: what a person does all day."""
import os
import re
import time

import pytest
from conftest import BACKENDS_RV32, GSTAGE, PMP, PROMPT, linux, payload
from prompt import at, do, go, memory_free, open_prompt, rows, say, state, state_comes

GSTAGE_RV32 = BACKENDS_RV32[0]
UUID = "cat /proc/sys/kernel/random/uuid"
RESTARTS = int(os.environ.get("DIOSIX_RESTARTS", 30))
TICKER = "(while :; do echo tick $((n += 1)); sleep 0.2; done) & :"


def booted(m, name="linux1"):
    """Attached to a Linux that is at its prompt; goes to ours."""
    m.expect(PROMPT.format(name), timeout=300)
    open_prompt(m)


def booted_again(m, name="linux1"):
    """What its last life has printed is shown first, a prompt at its end: that does not count."""
    go(m, name)
    m.expect(f"Welcome to {name}", timeout=240)
    booted(m, name)


def ticks(m, name):
    return re.findall(r"^\| tick (\d+)", do(m, f"log {name}"), re.M)


@pytest.mark.parametrize("backend", [GSTAGE, PMP, GSTAGE_RV32], ids=repr)
def test_a_day(machine, backend):
    """Pause, resume, stop, start, restart, kill, create, destroy: each does what it says."""
    m = machine([linux(memory="128M")], backend, terminal="linux1")
    booted(m)
    at(m, "linux1", TICKER)
    before = ticks(m, "linux1")
    do(m, "pause linux1")
    state_comes(m, "linux1", "paused")
    paused = ticks(m, "linux1")
    time.sleep(1)
    assert ticks(m, "linux1") == paused and len(paused) >= len(before)
    assert say(m, "pause linux1").startswith("error: linux1 is paused")
    do(m, "resume linux1")
    until = time.monotonic() + 60
    while ticks(m, "linux1") == paused:
        assert time.monotonic() < until
    do(m, "stop linux1 60")
    assert state(m, "linux1") == "stopped"
    said = do(m, "log linux1")
    assert re.search(r"^\| tick", said, re.M) and "last end: shut down" in said
    assert "sysrq: Power Off" in said
    free = memory_free(m)
    do(m, "start linux1")
    booted_again(m)
    do(m, "restart linux1")
    booted_again(m)
    assert rows(m)["linux1"]["restarts"] == "2"
    assert memory_free(m) < free
    do(m, "kill linux1")
    assert state(m, "linux1") == "stopped" and "last end: killed" in do(m, "log linux1")
    assert memory_free(m) == free
    do(m, "create web from kernel-1 initrd ramdisk-1 memory 128M vcores 2 start cmdline console=ttyS0 quiet")
    go(m, "web")
    booted(m, "web")
    assert "2\n" in at(m, "web", "nproc")
    do(m, "destroy web")
    do(m, "destroy linux1")
    assert not rows(m)
    m.line("poweroff")
    assert m.end() == 0


def test_stop_kills_who_does_not_listen(machine):
    m = machine([payload("hostile", cmdline="attack=spin seconds=100000")], terminal="all")
    m.expect("ATTACK spin")
    open_prompt(m)
    begun = time.monotonic()
    do(m, "stop hostile 2")
    assert time.monotonic() - begun >= 2 and state(m, "hostile") == "stopped"
    assert "last end: killed" in do(m, "log hostile")


def test_kill_while_it_ends(machine):
    """Is for that end, and not for the next life."""
    m = machine([payload("ends", cmdline="end=never", memory="512M")], terminal="all")
    m.expect("START ends")
    open_prompt(m)
    for _ in range(3):
        do(m, "restart ends")
        do(m, "kill ends")
        do(m, "start ends")
        state_comes(m, "ends", "running")
        do(m, "pause ends")
        state_comes(m, "ends", "paused")
        do(m, "resume ends")
        time.sleep(1)
        assert state(m, "ends") == "running"


def test_back_off(machine):
    """One second, then two, then four; `set restart never` lets the next end be the last."""
    m = machine([payload("ends", cmdline="end=failure", restart="on-crash")], terminal="all")
    for seconds in (1, 2, 4):
        m.expect(rf"restarting in {seconds} s")
        begun = time.monotonic()
        m.expect("START ends")
        assert time.monotonic() - begun > seconds - 0.5
    open_prompt(m)
    do(m, "set ends restart never")
    state_comes(m, "ends", "stopped")
    assert "last end: shut down, reporting a failure" in do(m, "log ends")


def restart(m, name):
    """Even if it is not done with the last one."""
    while not (said := say(m, f"restart {name}")).endswith("ok"):
        assert "wait until " in said
        time.sleep(0.1)


def test_restarts_at_random_moments(machine):
    """A booting Linux is restarted again and again beside a busy one: nothing is lost, nobody notices."""
    m = machine([linux("linux1", memory="128M"), payload("hostile", "spin", cmdline="attack=spin seconds=100000")],
                terminal="linux1")
    booted(m)
    do(m, "create again from kernel-1 initrd ramdisk-1 memory 96M vcores 2 restart always cmdline console=ttyS0")
    free = memory_free(m)
    do(m, "start again")
    running = memory_free(m)
    uptime = float(at(m, "linux1", "cut -d' ' -f1 /proc/uptime").split()[-1])
    begun = time.monotonic()
    for number in range(RESTARTS):
        time.sleep(number * 0.618034 % 1 * 0.6 if number % 10 else 3)
        restart(m, "again")
    went = float(at(m, "linux1", "cut -d' ' -f1 /proc/uptime").split()[-1]) - uptime
    assert abs(went - (time.monotonic() - begun)) < 5
    state_comes(m, "again", "running")
    assert memory_free(m) == running
    assert RESTARTS // 4 <= int(rows(m)["again"]["restarts"]) <= RESTARTS  # those that meet are one
    do(m, "kill again")
    assert memory_free(m) == free


# --- fork -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("backend", [GSTAGE, GSTAGE_RV32], ids=repr)
def test_fork(machine, backend):
    """The clone goes on from where its original was, with an identity of its own; then they part."""
    m = machine([linux(memory="128M")], backend, terminal="linux1")
    booted(m)
    at(m, "linux1", "echo before > /tmp/file; dmesg -c > /dev/null")
    assert "clone1: id 3" in do(m, "fork linux1 2 as clone")
    assert "before" in at(m, "clone1", "cat /tmp/file")
    at(m, "clone1", "echo clone >> /tmp/file")
    at(m, "linux1", "echo original >> /tmp/file")
    assert "before\nclone\n" in at(m, "clone1", "cat /tmp/file")
    assert "before\noriginal\n" in at(m, "linux1", "cat /tmp/file")
    assert "before\n" in at(m, "clone2", "cat /tmp/file")
    uuids = {re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", at(m, name, UUID)).group() for name in ("linux1", "clone1", "clone2")}
    assert len(uuids) == 3
    if backend is GSTAGE:
        assert "crng reseeded due to virtual machine fork" in at(m, "clone1", "dmesg")
    do(m, "destroy linux1")
    assert "before\nclone\n" in at(m, "clone1", "cat /tmp/file")
    do(m, "fork clone1 as grandchild")
    assert "before\nclone\n" in at(m, "grandchild", "cat /tmp/file")


def test_fork_needs_gstage(machine):
    m = machine([payload("ends", cmdline="end=never")], PMP, terminal="all")
    m.expect("START ends")
    open_prompt(m)
    assert "fork needs isolation gstage" in say(m, "fork ends")


def test_a_hundred_clones(machine):
    """Of a booted Linux of 128 MiB, in 1 GiB: all of them answer; who has answered makes room for the others."""
    m = machine([linux(memory="128M", vcores=1)], harts=2, terminal="linux1")
    booted(m)
    at(m, "linux1", "echo before > /tmp/file")
    do(m, "fork linux1 100 as clone", timeout=300)
    for number in range(1, 101):
        assert f"before\n{number * 7}\n" in at(m, f"clone{number}", f"cat /tmp/file; echo $(({number} * 7))")
        do(m, f"pause clone{number}")


# --- shares of the harts --------------------------------------------------------------------------------------------

def spinners(m, *settings):
    """Destroys what runs and makes three capsules that spin; what each of them gets in some seconds."""
    for name in rows(m):
        do(m, f"destroy {name}")
    for number, options in enumerate(settings):
        do(m, f"create s{number} from kernel-1 memory 16M {options} start cmdline attack=spin seconds=100000")
    time.sleep(1)
    before = rows(m)
    time.sleep(6)
    after = rows(m)
    return [float(after[f"s{n}"]["time"]) - float(before[f"s{n}"]["time"]) for n in range(len(settings))]


def test_shares(machine):
    """Weight, cap, affinity, and harts of one's own. Roughly, as the host may stop a hart for some slices at any time;
    what the shares are off by, without that, the benchmark tells."""
    m = machine([payload("hostile", cmdline="attack=spin seconds=100000")], harts=2, terminal="all")
    m.expect("ATTACK spin")
    open_prompt(m)
    one = "affinity 1 weight"
    times = spinners(m, f"{one} 100", f"{one} 200", f"{one} 400")
    assert [round(7 * t / sum(times), 1) for t in times] == pytest.approx([1, 2, 4], rel=0.25)
    capped, free = spinners(m, "cap 25", "cap 0")
    assert capped / free == pytest.approx(0.25, rel=0.25)
    spinners(m, "affinity 1", "weight 100", "weight 100")
    do(m, "set s0 exclusive yes")
    before = rows(m)
    time.sleep(6)
    after = rows(m)
    alone, first, second = (float(after[n]["time"]) - float(before[n]["time"]) for n in ("s0", "s1", "s2"))
    assert alone == pytest.approx(first + second, rel=0.2) and first == pytest.approx(second, rel=0.25)
    assert "owned by s0" in do(m, "machine")
    assert say(m, "set s1 affinity 1").startswith("error: ")


# --- the machine's end ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("end,status", [("shutdown", 0), ("failure", 1)])
def test_the_end_waits_for_who_is_at_the_prompt(machine, end, status):
    m = machine([payload("hostile", "first", cmdline="attack=sleep seconds=5"),
                 payload("ends", "second", cmdline=f"end={end}")], terminal="all")
    m.expect(r"second: [^\n]*ended")
    open_prompt(m)
    m.expect(r"all capsules have ended\s*\n")
    do(m, "start first")
    state_comes(m, "first", "running")
    assert "refused" in say(m, "kill console")
    m.key("a")
    m.expect("all capsules have ended")
    assert m.end() == status


@pytest.mark.parametrize("end,status", [("shutdown", 0), ("failure", 1)])
def test_the_end_without_prompt(machine, end, status):
    m = machine([payload("ends", "first"), payload("ends", "second", cmdline=f"end={end}")])
    assert m.end() == status

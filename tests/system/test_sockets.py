"""Sockets of capsules, by the drivers of stock kernels and with the guests' own program."""
import re

import pytest
from conftest import BACKENDS_RV32, CMDLINE, GSTAGE, PROMPT, linux, to
from prompt import do, open_prompt


def guest(name, devices, **keys):
    return linux(name, devices=devices, **{"memory": "128M", "vcores": 1, **keys})


def cid(m, name):
    return int(re.search(r"\d{5,}", m.command("dio-guest --cid", name)).group())


MANAGER = {"rights": "[manage]", "quota": "{memory: 512M, vcores: 4, capsules: 4}"}
CREATE = "dio-guest create kid from kernel-1 initrd ramdisk-1 memory 128M start cmdline " + CMDLINE


@pytest.mark.parametrize("backend", [GSTAGE, BACKENDS_RV32[2]], ids=repr)
def test_socket_journey(machine, backend):
    """One capsule rules its children by socket, others can't; capsules in a group talk, and a stranger hears nobody; who
    talked to one that reboots is told, and reaches it again."""
    m = machine([guest("manager", "[vsock]", **MANAGER), guest("left", "[{vsock: [talk, more], cid: 10}]"),
                 guest("right", "[{vsock: talk, cid: 11}]"), guest("stranger", "[{vsock: alone, cid: 12}]")],
                backend, terminal="manager")
    m.expect(PROMPT.format("manager"), timeout=300)
    to(m, 1, "manager")
    assert cid(m, "manager") > 65535
    assert re.search(r"kid: id \d+", m.command(CREATE, "manager"))
    listed = m.command("dio-guest list", "manager")
    assert re.search(r"\d+ kid +(loading|running) +128M", listed) and "left" not in listed
    assert re.search(r"kid +paused", m.command("dio-guest pause kid && dio-guest list", "manager"))
    said = m.command("printf 'resume kid\\nset kid weight 0\\n' | dio-guest; echo status $?", "manager")
    assert re.search(r"ok\s+error: '0' is no weight[^\n]*\s+status 1", said)
    m.command("until dio-guest log kid | grep -q Welcome; do sleep 1; done", "manager")
    said = m.command("(echo; echo 'echo typed-$((40+2)); poweroff -f') | dio-guest console kid; dio-guest start kid", "manager")
    assert "typed-42" in said and "error" not in said
    said = m.command("dio-guest kill right; dio-guest poweroff; dio-guest kill kid; dio-guest log kid", "manager")
    assert "error: no capsule 'right'" in said and "error: poweroff: only at" in said and "killed" in said
    assert re.search(r"--listen PORT(.*\n)*status 1", m.command("dio-guest --listen; echo status $?", "manager"))
    m.command("dio-guest destroy kid", "manager")
    assert "kid" not in m.command("dio-guest list", "manager")

    to(m, 2, "left")
    assert "error: this capsule may not manage others" in m.command("dio-guest list", "left")
    m.command("head -c 3000000 /dev/urandom >/tmp/noise", "left")
    total = re.search(r"[0-9a-f]{32}", m.command("md5sum </tmp/noise", "left")).group()
    m.command("(dio-guest --listen 77 </tmp/noise >/tmp/asked; echo over >/tmp/over) 2>/dev/null & true", "left")
    to(m, 3, "right")
    m.command("until echo question | dio-guest --connect 10 77 >/tmp/got 2>/dev/null; do sleep 1; done", "right")
    assert total in m.command("md5sum </tmp/got", "right")
    m.command("dio-guest --listen 78 </dev/null >/tmp/greeting 2>/dev/null & true", "right")
    to(m, 4, "stranger")
    assert "nobody listens there" in m.command("dio-guest --connect 11 78", "stranger")
    to(m, 2, "left")
    assert "question" in m.command("until [ -e /tmp/over ]; do sleep 1; done; cat /tmp/asked", "left")
    m.line("mkfifo /tmp/pipe; (exec 3<>/tmp/pipe; echo greeting >&3; dio-guest --connect 11 78 <&3; echo it is $((20+1)))")
    to(m, 3, "right")
    m.command("until grep greeting /tmp/greeting; do sleep 1; done", "right")
    m.line("reboot -f")
    m.key("2")
    m.expect("it is 21")
    m.expect(PROMPT.format("left"))
    m.key("3")
    m.expect(PROMPT.format("right"), timeout=300)


def test_clone_has_its_own_cid(machine):
    """A clone has a CID of its own, its connections are over, and it may talk to whom its original may."""
    m = machine([guest("one", "[vsock: talk]", **MANAGER), guest("two", "[{vsock: talk, cid: 10}]")], GSTAGE,
                terminal="one")
    m.expect(PROMPT.format("one"), timeout=300)
    to(m, 1, "one")
    before = cid(m, "one")
    m.command("mkfifo /tmp/pipe; (exec 3<>/tmp/pipe; dio-guest <&3; echo over >/tmp/over) 2>/dev/null & sleep 1", "one")
    m.command("dio-guest list && echo list >/tmp/pipe", "one")
    open_prompt(m)
    do(m, "fork one as twin")
    m.key("3")
    m.line("")
    m.expect(PROMPT.format("one"), timeout=240)
    m.command("echo list >/tmp/pipe; until [ -e /tmp/over ]; do sleep 1; done", "one")
    after = cid(m, "one")
    assert after != before
    assert "ID NAME" in m.command("dio-guest list", "one")
    m.command("dio-guest --listen 79 </dev/null >/tmp/got 2>/dev/null & true", "one")
    m.key("2")
    m.line("")
    m.expect(PROMPT.format("two"), timeout=240)
    m.command(f"until echo greeting | dio-guest --connect {after} 79; do sleep 1; done", "two")
    m.key("1")
    m.line("")
    m.expect(PROMPT.format("one"))
    assert "over" not in m.command("ls /tmp", "one")

"""Capsules on virtual switches, by the drivers of stock kernels."""
import hashlib
import os
import re
import socket
import subprocess

import pytest
from conftest import BACKENDS_RV32, CMDLINE, GSTAGE, PACK, PMP, PROMPT, ROOT, linux, payload, suite_check, to, verdicts
from prompt import do, open_prompt

VIRTIO_1 = ["-global", "virtio-mmio.force-legacy=false"]


def station(name, address, devices, cmdline="", **keys):
    return linux(name, devices=devices, cmdline=f"{CMDLINE} eth0={address} {cmdline}".strip(),
                 **{"memory": "128M", "vcores": 1, **keys})


def reaches(m, name, address):
    return " 0% packet loss" in m.command(f"ping -c 2 -W 3 {address}", name)


# Bits of VIRTIO 1.3, section 5.1.3: CSUM, GUEST_CSUM, GUEST_TSO4 and 6, HOST_TSO4 and 6, MRG_RXBUF.
OFFLOADS = [0, 1, 7, 8, 11, 12, 15]


def has_offloads(m, name):
    """Does the driver of the capsule's first device make use of them?"""
    features = re.search(r"[01]{64}", m.command("cat /sys/bus/virtio/devices/virtio0/features", name)).group()
    return all(features[bit] == "1" for bit in OFFLOADS)


def noise_make(m, name):
    """Has a capsule's web server serve 3 MB of noise; returns its MD5."""
    m.command("head -c 3000000 /dev/urandom >/tmp/www/noise", name)
    return re.search(r"^[0-9a-f]{32}", m.command("md5sum </tmp/www/noise", name), re.M).group()


def echoing(number, lan="lan"):
    return payload("net", "echo", vcores=1, cmdline="peer=1",
                   devices=f"[{{net: {lan}, mac: '02:00:00:00:00:{number:02}'}}]")


def asking(count, peer, options=""):
    return payload("net", "ask", vcores=1, cmdline=f"ask={count} peer={peer} {options}".strip(),
                   devices="[{net: lan, mac: '02:00:00:00:00:01'}]")


@pytest.mark.both_widths
def test_frames(machine, backend):
    """Frames of all lengths there and back, whole; none is lost, none gets in under a false name."""
    m = machine([asking(1000, 2), echoing(2)], backend, harts=2)
    suite_check(m, "ask")
    assert m.end() == 0


@pytest.mark.both_widths
def test_hostile_neighbour(machine, backend):
    """Somebody on the same switch with rings and registers that make no sense: frames of others arrive all the same."""
    mallory = payload("hostile", "mallory", cmdline="attack=virtio seconds=3", vcores=3,
                      devices="[{net: lan}, {net: lan, any-address: true}, rng]")
    m = machine([asking(300, 2, "may-lose=3000 patience=100"), echoing(2), mallory], backend, harts=2)
    m.expect_all([r"\[ask\] RESULT [^\n]*\n", r"\[mallory\] RESULT hostile"], timeout=300)
    for name in "ask", "mallory":
        passed, failed = verdicts(m.console(), name)
        assert passed and not failed
    assert m.end() == 0


@pytest.mark.parametrize("backend", [GSTAGE, BACKENDS_RV32[2]], ids=repr)
def test_network_journey(machine, backend):
    """Ping and HTTP between capsules; the isolated ones don't reach each other; a spoofed address is dropped; a server
    that reboots serves again."""
    m = machine([
        station("web", "10.1.0.1/24", "[{net: lan, mac: '02:00:00:00:00:01'}]", "serve=fresh-bread"),
        station("one", "10.1.0.11/24", "[{net: lan, isolated: true}]"),
        station("two", "10.1.0.12/24", "[{net: lan, isolated: true}]"),
        station("island", "10.1.0.13/24", "[{net: elsewhere}]"),
    ], backend, terminal="web")
    m.expect(PROMPT.format("web"), timeout=300)
    to(m, 1, "web")
    assert "02:00:00:00:00:01" in m.command("cat /sys/class/net/eth0/address", "web")
    to(m, 2, "one")
    m.command("until wget -q -O /dev/null http://10.1.0.1/; do sleep 1; done", "one")
    assert "fresh-bread" in m.command("wget -q -O - http://10.1.0.1/", "one")
    assert reaches(m, "one", "10.1.0.1")
    assert not reaches(m, "one", "10.1.0.12")
    assert not reaches(m, "one", "10.1.0.13")
    m.command("ip link set eth0 address 02:00:00:00:00:77; ip neigh flush dev eth0", "one")
    assert not reaches(m, "one", "10.1.0.1")
    to(m, 1, "web")
    assert reaches(m, "web", "10.1.0.12")
    assert has_offloads(m, "web")
    total = noise_make(m, "web")
    to(m, 3, "two")
    assert has_offloads(m, "two")
    assert total in m.command("wget -q -O - http://10.1.0.1/noise | md5sum", "two")
    to(m, 1, "web")
    m.line("reboot -f")
    m.expect(PROMPT.format("web"), timeout=300)
    to(m, 3, "two")
    m.command("until wget -q -O /dev/null http://10.1.0.1/; do sleep 1; done", "two")
    assert "fresh-bread" in m.command("wget -q -O - http://10.1.0.1/", "two")


def test_clone_has_its_own_address(machine):
    """A clone's link is down until its driver has begun anew, and then has an address of its own."""
    m = machine([station("web", "10.1.0.1/24", "[{net: lan}]"), station("one", "10.1.0.11/24", "[{net: lan}]")],
                GSTAGE, terminal="one")
    m.expect(PROMPT.format("one"), timeout=300)
    to(m, 2, "one")
    before = m.command("cat /sys/class/net/eth0/address", "one")
    m.command("until ping -c 1 -W 1 10.1.0.1; do sleep 1; done", "one")
    open_prompt(m)
    do(m, "fork one as twin")
    m.key("3")
    m.line("")
    m.expect(PROMPT.format("one"), timeout=240)
    assert "0" in m.command("cat /sys/class/net/eth0/carrier", "one").split()
    m.command("cd /sys/bus/virtio/drivers/virtio_net; echo virtio0 >unbind; echo virtio0 >bind; cd", "one")
    after = m.command("cat /sys/class/net/eth0/address", "one")
    assert re.search("..:..:..:..:..:..", after).group() not in before
    m.command("ip link set eth0 up; ip address add 10.1.0.12/24 dev eth0", "one")
    assert reaches(m, "one", "10.1.0.1")
    assert reaches(m, "one", "10.1.0.11")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetched(port, path):
    command = ["curl", "-s", "-m", "60", f"http://127.0.0.1:{port}/{path}"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_lab(machine, tmp_path):
    """manifests/lab.yaml: who reaches whom, and outside."""
    bundle, build, port = tmp_path / "lab.itb", os.path.join(ROOT, "build/rv64"), free_port()
    subprocess.run([PACK, "--terminal", build, os.path.join(ROOT, "manifests/lab.yaml"), "-o", bundle], check=True)
    up = ["-netdev", f"user,id=up,hostfwd=tcp:127.0.0.1:{port}-:80", "-device", "virtio-net-device,netdev=up"]
    m = machine(bundle, extra=VIRTIO_1 + up)
    m.expect(PROMPT.format("teacher"), timeout=300)
    to(m, 1, "teacher")
    m.command("until wget -q -O /dev/null http://10.1.0.1/; do sleep 1; done", "teacher")
    assert "welcome-to-the-lab" in m.command("wget -q -O - http://10.1.0.1/", "teacher")
    assert not reaches(m, "teacher", "10.1.0.99")
    assert "default" not in m.command("ip route", "teacher")
    to(m, 4, "student2")
    to(m, 3, "student1")
    assert reaches(m, "student1", "10.1.0.1") and reaches(m, "student1", "10.1.0.2")
    assert not reaches(m, "student1", "10.1.0.12")
    to(m, 2, "web")
    m.command("until ip address show eth1 | grep -q 10.0.2.15; do sleep 1; done", "web")
    assert fetched(port, "") == b"welcome-to-the-lab\n"


@pytest.mark.parametrize("backend", [GSTAGE, PMP, BACKENDS_RV32[2]], ids=repr)
def test_uplink(machine, backend):
    """Addresses come from QEMU's network, guests reach it and each other, and are reached from outside; what they leave
    to the switch is done to what goes there."""
    port = free_port()
    up = ["-netdev", f"user,id=up,hostfwd=tcp:127.0.0.1:{port}-:80", "-device", "virtio-net-device,netdev=up"]
    m = machine([linux("one", devices="[{net: up-lan}]", vcores=1, cmdline=f"{CMDLINE} serve=from-inside",
                       memory="128M")], backend, terminal="one", extra=VIRTIO_1 + up)
    m.expect(PROMPT.format("one"), timeout=300)
    to(m, 1, "one")
    m.command("until ip address show eth0 | grep -q 10.0.2.15; do sleep 1; done", "one")
    assert reaches(m, "one", "10.0.2.2")
    assert "10.0.2.3" in m.command("cat /etc/resolv.conf", "one")
    assert fetched(port, "") == b"from-inside\n"
    assert has_offloads(m, "one")
    total = noise_make(m, "one")
    assert hashlib.md5(fetched(port, "noise")).hexdigest() == total


def test_uplink_without_a_device(machine):
    m = machine([linux("one", devices="[{net: up-lan}]", cmdline=f"{CMDLINE} eth0=10.1.0.1/24")],
                options="console=attach:one", extra=VIRTIO_1)
    m.expect("switch 'up-lan' has no uplink: the machine has no network device for it")
    m.expect(PROMPT.format("one"), timeout=240)

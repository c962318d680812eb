"""The complete Debian of manifests/debian.yaml. Only where it has been made: that takes long."""
import pathlib
import re
import signal
import socket
import subprocess

import pytest
from conftest import GSTAGE, PMP_BARE, PROMPT, ROOT, Capsule, Machine

IMAGE = pathlib.Path(ROOT, "build/guests/debian")
CMDLINE = "console=ttyS0 root=/dev/vda"
VERSION_2 = ["-global", "virtio-mmio.force-legacy=false"]
# systemd starts some dozen services, each in an emulated machine.
BOOT_TIMEOUT = 1200

pytestmark = pytest.mark.skipif(
    not (IMAGE / "disk.img").exists(),
    reason="Debian's disk has not been made, which takes long: ./dio run debian.yaml makes it")


@pytest.fixture
def disk(tmp_path):
    """A copy of the image, and QEMU's words for it."""
    path = tmp_path / "debian.img"
    subprocess.run(["cp", "--sparse=always", IMAGE / "disk.img", path], check=True)
    return VERSION_2 + ["-drive", f"if=none,id=disk,format=raw,file={path}",
                        "-device", "virtio-blk-device,drive=disk,serial=debian"]


def debian(**keys):
    return Capsule("debian", str(IMAGE / "linux"), **{
        "initrd": str(IMAGE / "initrd.cpio"), "cmdline": CMDLINE, "memory": "512M", "vcores": 2,
        "devices": "[{host-disk: debian}, rng]", **keys})


def login(m):
    m.expect("debian login: ", timeout=BOOT_TIMEOUT)
    m.line("root")
    m.expect(PROMPT.format("debian"), timeout=BOOT_TIMEOUT)


def command(m, text):
    """Without what bash and systemd say to terminals."""
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\x1b\].*?(\x07|\x1b\\)", "", m.command(text, "debian"))


def disk_journey(start):
    """A system that has come up whole; what is synced outlives QEMU, and a reboot."""
    m = start()
    login(m)
    assert re.search(r"^running$", command(m, "systemctl is-system-running --wait"), re.M)
    assert re.search(r"^0$", command(m, "dpkg --audit | wc -l"), re.M)
    command(m, "echo was-here >/root/note; sync")
    machine_id = re.search(r"^[0-9a-f]{32}$", command(m, "cat /etc/machine-id"), re.M)[0]
    m.child.kill(signal.SIGKILL)
    m.end()
    m = start()
    login(m)
    assert "was-here" in command(m, "cat /root/note")
    assert machine_id in command(m, "cat /etc/machine-id")
    assert not re.search(r"I/O error|EXT4-fs error", command(m, "dmesg"))
    m.line("poweroff")
    assert m.end(timeout=BOOT_TIMEOUT) == 0


@pytest.mark.parametrize("backend", [GSTAGE, PMP_BARE], ids=repr)
def test_debian_in_a_capsule(machine, backend, disk):
    disk_journey(lambda: machine([debian()], backend, options="console=attach:debian", extra=disk))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_debian_natively(request, tmp_path, disk):
    """The image itself, on QEMU's firmware: its disk, its network and its SSH server."""
    request.node.machines = machines = []
    port = free_port()
    net = ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-device,netdev=net"]

    def start():
        machines.append(Machine(
            ["qemu-system-riscv64", "-machine", "virt", "-smp", "2", "-m", "1G", "-nographic", "-monitor", "none",
             "-kernel", str(IMAGE / "linux"), "-initrd", str(IMAGE / "initrd.cpio"), "-append", CMDLINE, *disk, *net],
            tmp_path / f"console{len(machines)}"))
        return machines[-1]

    try:
        disk_journey(start)
        m = start()
        login(m)
        assert re.search(r"inet 10\.0\.2\.15/", command(m, "ip addr show scope global"))
        assert re.search(r"^active$", command(m, "systemctl is-active ssh"), re.M)
        with socket.create_connection(("127.0.0.1", port), timeout=BOOT_TIMEOUT) as s:
            assert s.recv(8) == b"SSH-2.0-"
    finally:
        for m in machines:
            m.stop()

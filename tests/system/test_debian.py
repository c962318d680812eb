"""The complete Debian of manifests/debian.yaml. Only where it has been made: that takes long."""
import base64
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
        "devices": "[{host-disk: debian}, {net: up-link}, rng]", **keys})


def login(m):
    m.expect("debian login: ", timeout=BOOT_TIMEOUT)
    m.line("root")
    m.expect(PROMPT.format("debian"), timeout=BOOT_TIMEOUT)


def command(m, text):
    """Without what bash and systemd say to terminals."""
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\x1b\].*?(\x07|\x1b\\)", "", m.command(text, "debian"))


class Way:
    """A port of this host that leads to the guest's SSH server, and a key that opens it."""

    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.key], check=True)
        self.net = ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22",
                    "-device", "virtio-net-device,netdev=net"]
        public = base64.b64encode(self.key.with_suffix(".pub").read_bytes()).decode()
        self.cmdline = f"{CMDLINE} systemd.set_credential_binary=ssh.authorized_keys.root:{public}"

    def ssh(self, text):
        return subprocess.run(
            ["ssh", "-F", "none", "-i", self.key, "-p", str(self.port), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=600",
             "root@127.0.0.1", text], capture_output=True, text=True, check=False)


@pytest.fixture
def way(tmp_path):
    return Way(tmp_path)


def network_look(m, way):
    """An address by DHCP, and from outside a shell."""
    assert re.search(r"inet 10\.0\.2\.15/", command(m, "/usr/lib/systemd/systemd-networkd-wait-online -i en* -i eth0 "
                                                      "--any --timeout=900; ip addr show scope global"))
    assert "http://deb.debian.org/debian" in command(m, "cat /etc/apt/sources.list.d/debian.sources")
    done = way.ssh("hostname; id -u")
    assert done.stdout.split() == ["debian", "0"], done.stderr


def journey(start, way):
    """A system that has come up whole, on disk and network; what is synced outlives QEMU, and a reboot."""
    m = start()
    login(m)
    assert re.search(r"^running$", command(m, "systemctl is-system-running --wait"), re.M)
    assert re.search(r"^0$", command(m, "dpkg --audit | wc -l"), re.M)
    network_look(m, way)
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
def test_debian_in_a_capsule(machine, backend, disk, way):
    journey(lambda: machine([debian(cmdline=way.cmdline)], backend, options="console=attach:debian",
                            extra=disk + way.net), way)


def test_debian_natively(request, tmp_path, disk, way):
    """The image itself, on QEMU's firmware."""
    request.node.machines = machines = []

    def start():
        machines.append(Machine(
            ["qemu-system-riscv64", "-machine", "virt", "-smp", "2", "-m", "1G", "-nographic", "-monitor", "none",
             "-kernel", str(IMAGE / "linux"), "-initrd", str(IMAGE / "initrd.cpio"), "-append", way.cmdline,
             *disk, *way.net], tmp_path / f"console{len(machines)}"))
        return machines[-1]

    try:
        journey(start, way)
    finally:
        for m in machines:
            m.stop()

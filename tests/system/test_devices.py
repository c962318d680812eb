"""Virtio devices of capsules, by the drivers of stock kernels."""
import re
import subprocess

import pytest
from conftest import GSTAGE, PROMPT, linux


def login(m, name="linux1"):
    m.expect(PROMPT.format(name), timeout=240)


def filesystem(path, size="24M", **files):
    """An ext4 image with these files."""
    folder = path.with_suffix(".d")
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text)
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-d", folder, path], check=True)
    return str(path)


def disk_linux(tmp_path, **keys):
    image = filesystem(tmp_path / "root.img", greeting=b"hello-from-the-image\n", noise=bytes(range(256)) * 4000)
    return linux(devices=f"[rng, {{disk: {image}, overlay: 12M, serial: root-7}}, {{disk: {image}}}]",
                 **{"cmdline": "console=ttyS0", **keys})


@pytest.mark.both_widths
def test_disk_journey(machine, backend, tmp_path):
    """Read, write, sync, reboot, read; the image itself can't be written, and what ends begins anew."""
    m = machine([disk_linux(tmp_path)], backend, options="console=attach:linux1")
    login(m)
    assert "root-7" in m.command("cat /sys/block/vda/serial; echo")
    m.command("mount -t ext4 /dev/vda /mnt")
    assert "hello-from-the-image" in m.command("cat /mnt/greeting")
    sums = m.command("md5sum </mnt/noise; head -c 3000000 /dev/urandom >/mnt/new; md5sum </mnt/new")
    sums = re.findall(r"^[0-9a-f]{32}", sums, re.M)
    assert len(sums) == 2
    m.command("umount /mnt; sync")
    m.line("reboot -f")
    login(m)
    m.command("mount -t ext4 /dev/vda /mnt")
    assert re.findall(r"^[0-9a-f]{32}", m.command("cat /mnt/noise | md5sum; cat /mnt/new | md5sum"), re.M) == sums
    assert "rror" in m.command("dd if=/dev/zero of=/dev/vdb bs=4096 count=1 conv=fsync")
    m.command("mkdir /tmp/b; mount -t ext4 -o ro /dev/vdb /tmp/b")
    assert "new" not in m.command("ls /tmp/b").split()
    assert re.search(r"^[0-9a-f]{64}$", m.command("head -c 32 /dev/hwrng | od -An -v -tx1 | tr -d ' \\n'; echo"), re.M)
    assert not re.search(r"I/O error.*vda|EXT4-fs error", m.command("dmesg"))
    m.line("poweroff -f")
    assert m.end() == 0


def test_overlay_is_bounded(machine, tmp_path):
    """A full overlay is an I/O error, to that guest alone."""
    m = machine([disk_linux(tmp_path)], options="console=attach:linux1")
    login(m)
    m.command("dd if=/dev/zero of=/dev/vda bs=64k seek=1 count=300 conv=fsync")
    assert re.search(r"I/O error, dev vda", m.command("dmesg"))
    m.line("poweroff -f")
    assert m.end() == 0


def test_clone_has_its_own_overlay(machine, tmp_path):
    m = machine([disk_linux(tmp_path, vcores=1)], GSTAGE, options="console=attach:linux1")
    login(m)
    m.command("mount -t ext4 /dev/vda /mnt; echo before >/mnt/when; sync")
    m.key("d")
    m.expect("dio> ")
    m.line("fork linux1 as twin")
    m.expect(r"ok\s*\ndio> ")
    for number, word in ("2", "clone"), ("1", "original"):
        m.key(number)
        m.line("")
        login(m)
        m.command(f"echo {word} >>/mnt/when; sync; echo 3 >/proc/sys/vm/drop_caches")
    for number, word in ("2", "clone"), ("1", "original"):
        m.key(number)
        m.line("")
        login(m)
        assert re.findall(r"^(before|clone|original)$", m.command("cat /mnt/when"), re.M) == ["before", word]
        assert "hello-from-the-image" in m.command("cat /mnt/greeting")


def test_no_devices_unless_asked_for(machine):
    m = machine([linux()], options="console=attach:linux1")
    login(m)
    assert "virtio" not in m.command("ls /proc/device-tree/soc")
    m.line("poweroff -f")
    assert m.end() == 0

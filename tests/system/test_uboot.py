"""U-Boot as a capsule's kernel: what is on the disk boots as on a computer of its own."""
import os
import struct
import subprocess

from conftest import PMP, PROMPT, ROOT, Capsule, linux
from test_devices import VERSION_2, filesystem, qemu_disk

LOADER = os.path.join(ROOT, "build/guests/rv64/u-boot")
MIB = 1 << 20


def uboot(**keys):
    return Capsule("u-boot", LOADER, memory="256M", vcores=2, **keys)


def disk_with_linux(tmp_path, append):
    """A kernel, its initial file system and a menu, in a partition."""
    kernel, initrd = (open(linux()[key].replace("/ARCH/", "/rv64/"), "rb").read() for key in ("kernel", "initrd"))
    menu = f"default it\nlabel it\n  kernel /Image\n  initrd /initrd\n  append {append}\n".encode()
    partition = filesystem(tmp_path / "part.img", f"{(len(kernel) + len(initrd)) // MIB + 16}M",
                           **{"Image": kernel, "initrd": initrd, "extlinux/extlinux.conf": menu})
    sectors = os.path.getsize(partition) // 512
    entry = struct.pack("<BxxxBxxxII", 0x80, 0x83, 2048, sectors)  # bootable, Linux
    disk = tmp_path / "disk.img"
    with open(disk, "wb") as out:
        out.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
    subprocess.run(["dd", f"if={partition}", f"of={disk}", "bs=1M", "seek=1", "status=none"], check=True)
    return str(disk)


def booted(m):
    m.expect("Retrieving file: /Image")
    m.expect(PROMPT.format("u-boot"), timeout=240)


def test_boots_from_a_disk(machine, tmp_path):
    """Again after a reboot; Linux finds the disk that it came from, and all vcores."""
    disk = disk_with_linux(tmp_path, "console=ttyS0 quiet from=disk")
    m = machine([uboot(devices="[{host-disk: system}]")], options="console=attach:u-boot",
                extra=VERSION_2 + qemu_disk(disk, "system"))
    booted(m)
    assert "from=disk" in m.command("cat /proc/cmdline", "u-boot")
    assert m.command("nproc", "u-boot").strip().endswith("2")
    m.command("mount -t ext4 /dev/vda1 /mnt; echo written >/mnt/said; umount /mnt", "u-boot")
    m.line("reboot -f")
    booted(m)
    assert "written" in m.command("mount -t ext4 /dev/vda1 /mnt; cat /mnt/said", "u-boot")
    m.line("poweroff -f")
    assert m.end() == 0


def test_prompt(machine):
    """With nothing to boot it is at its own prompt, reaches the network, and switches its capsule off."""
    m = machine([uboot(devices="[{net: up}]")], options="console=attach:u-boot",
                extra=VERSION_2 + ["-netdev", "user,id=up,restrict=on", "-device", "virtio-net-device,netdev=up"])
    m.expect("Hit any key")
    m.send(" ")
    m.expect("=> ")
    m.line("setenv autoload no; dhcp && ping 10.0.2.2")
    m.expect("bound to address 10.0.2.15")
    m.expect("host 10.0.2.2 is alive")
    m.line("poweroff")
    assert m.end() == 0


def test_needs_its_address(machine):
    m = machine([uboot()], PMP)
    m.expect("u-boot: not started .*linked for an address outside its RAM")
    assert m.end() != 0

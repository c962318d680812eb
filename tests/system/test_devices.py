"""Virtio devices of capsules, by the drivers of stock kernels."""
import hashlib
import json
import re
import signal
import socket
import struct
import subprocess

import pytest
from conftest import BACKENDS_RV32, CMDLINE, GSTAGE, PMP_BARE, PROMPT, QUICK, linux, payload
from prompt import at, do, go, open_prompt, rows, say, state_comes


def login(m, name="linux1"):
    m.expect(PROMPT.format(name), timeout=240)


def filesystem(path, size="24M", **files):
    """An ext4 image with these files."""
    folder = path.with_suffix(".d")
    folder.mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-d", folder, path], check=True)
    return str(path)


def disk_linux(tmp_path, **keys):
    image = filesystem(tmp_path / "root.img", greeting=b"hello-from-the-image\n", noise=bytes(range(256)) * 4000)
    return linux(devices=f"[rng, {{disk: {image}, overlay: 12M, serial: root-7}}, {{disk: {image}}}]",
                 **keys)


@pytest.mark.parametrize("backend", [PMP_BARE, BACKENDS_RV32[0]], ids=repr)
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
    m = machine([disk_linux(tmp_path, vcores=1)], GSTAGE, terminal="linux1")
    login(m)
    m.command("mount -t ext4 /dev/vda /mnt; echo before >/mnt/when; sync")
    open_prompt(m)
    do(m, "fork linux1 as twin")
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


# --- disks of the machine ---------------------------------------------------------------------------------

VERSION_2 = ["-global", "virtio-mmio.force-legacy=false"]


def qemu_disk(path, serial, *options):
    return ["-drive", f"if=none,id={serial},format=raw,file={path}" + "".join("," + o for o in options),
            "-device", f"virtio-blk-device,drive={serial},serial={serial}"]


def host_linux(*devices, **keys):
    return linux(devices=f"[{', '.join(devices)}]", **keys)


@pytest.mark.parametrize("backend", [GSTAGE, BACKENDS_RV32[2]], ids=repr)
def test_host_disk_keeps_what_was_synced(machine, backend, tmp_path):
    """Written in one machine, whose QEMU is killed after the sync, and read in the next."""
    path = filesystem(tmp_path / "data.img", greeting=b"hello-from-the-disk\n")
    arguments = dict(options="console=attach:linux1", extra=VERSION_2 + qemu_disk(path, "data"))
    m = machine([host_linux("{host-disk: data}")], backend, **arguments)
    login(m)
    m.command("mount -t ext4 /dev/vda /mnt")
    assert "hello-from-the-disk" in m.command("cat /mnt/greeting")
    sums = re.findall(r"^[0-9a-f]{32}", m.command("head -c 5000000 /dev/urandom >/mnt/new; sync; md5sum </mnt/new"), re.M)
    m.child.kill(signal.SIGKILL)
    m.end()
    m = machine([host_linux("{host-disk: data}", restart="never")], backend, **arguments)
    login(m)
    m.command("mount -t ext4 /dev/vda /mnt")
    assert re.findall(r"^[0-9a-f]{32}", m.command("cat /mnt/new | md5sum"), re.M) == sums
    m.command("echo at-the-end >/mnt/last; umount /mnt")
    m.line("poweroff -f")
    assert m.end() == 0
    last = subprocess.run(["/sbin/debugfs", "-R", "cat /last", path], capture_output=True, text=True)
    assert last.stdout == "at-the-end\n"


def test_host_disk_errors_are_the_guests(machine, tmp_path):
    path = tmp_path / "data.img"
    path.write_bytes(bytes(4 << 20))
    fault = [{"event": "none", "iotype": kind, "errno": 5, "sector": 4096} for kind in ("read", "write")]
    disk = [{"driver": "file", "filename": str(path), "node-name": "file"},
            {"driver": "blkdebug", "node-name": "data", "image": "file", "inject-error": fault}]
    extra = VERSION_2 + [word for node in disk for word in ("-blockdev", json.dumps(node))]
    extra += ["-device", "virtio-blk-device,drive=data,serial=data,rerror=report,werror=report"]
    m = machine([host_linux("{host-disk: data}")], options="console=attach:linux1", extra=extra)
    login(m)
    assert "1+0 records out" in m.command("dd if=/dev/vda of=/dev/null bs=4096 count=1 skip=300")
    assert "rror" in m.command("dd if=/dev/vda of=/dev/null bs=4096 count=1 skip=512")
    assert "rror" in m.command("dd if=/dev/zero of=/dev/vda bs=4096 count=1 seek=512 conv=fsync")
    assert "1+0 records out" in m.command("dd if=/dev/zero of=/dev/vda bs=4096 count=1 seek=300 conv=fsync")
    m.line("poweroff -f")
    assert m.end() == 0


def partitioned(path, **partitions):
    """A disk with a GPT: names, and numbers of sectors."""
    entries, at = b"", 2048
    for name, sectors in partitions.items():
        entries += struct.pack("<16s16sQQQ72s", b"t" * 16, b"g" * 16, at, at + sectors - 1, 0, name.encode("utf-16le"))
        at += sectors
    header = struct.pack("<8s4I4Q16sQ3I", b"EFI PART", 0x10000, 92, 0, 0, 1, at + 33, 34, at, b"d" * 16, 2, 128, 128, 0)
    path.write_bytes((bytes(512) + header.ljust(512, b"\0") + entries.ljust(128 * 128, b"\0")).ljust((at + 34) * 512, b"\0"))
    return path


def label_write(path, sector, label):
    """An ext file system's superblock, as far as it says what it is and its label."""
    with open(path, "r+b") as file:
        for offset, data in (56, b"\x53\xef"), (120, label.encode().ljust(16, b"\0")):
            file.seek(sector * 512 + 1024 + offset)
            file.write(data)


def test_partitions_by_name(machine, tmp_path):
    """Each capsule has its own, none more; who is refused does not keep the others from running."""
    path = partitioned(tmp_path / "parts.img", one=2048, two=4096, three=4096)
    label_write(path, 2048 + 2048 + 4096, "backup")
    twin = [tmp_path / name for name in ("one.img", "other.img")]
    for image in twin:
        filesystem(image, "2M")
        label_write(image, 0, "twin")
    m = machine([host_linux("{host-disk: two}", "{host-disk: label=backup, readonly: true}"),
                 host_linux("{host-disk: name=one, readonly: true}", name="linux2"),
                 host_linux("{host-disk: parts}", name="whole"), host_linux("{host-disk: three-}", name="none"),
                 host_linux("{host-disk: label=twin}", name="both")],
                terminal="linux1", memory="2G", extra=VERSION_2 + qemu_disk(path, "parts")
                + qemu_disk(twin[0], "one-disk") + qemu_disk(twin[1], "other-disk"))
    login(m)
    m.command("echo second-partition >/dev/vda; sync")
    assert re.search(r"^4096$", m.command("cat /sys/block/vda/size"), re.M)
    open_prompt(m)
    do(m, "detach linux1 disk1")
    assert "label=twin" in say(m, "attach linux1 disk1 label=twin")
    do(m, "attach linux1 disk1 name=three")
    assert re.search(r"disk0 'two' 2M\s.*\s.*disk1 'name=three' 2M, read-only", do(m, "devices linux1"))
    at(m, "linux1", "until grep -q 4096 /sys/block/vdb/size; do sleep 1; done")
    assert "backup" in at(m, "linux1", "dd if=/dev/vdb bs=1k skip=1 count=1 | strings")
    m.key("2")
    m.line("")
    login(m, "linux2")
    assert re.search(r"^2048$", m.command("cat /sys/block/vda/size", "linux2"), re.M)
    assert re.search(r"^1$", m.command("cat /sys/block/vda/ro", "linux2"), re.M)
    assert "[dio] whole: disk 'parts': it is in use" in m.console()
    for where, name in ("both", "label=twin"), ("linux1", "label=twin"):
        assert re.search(rf"\[dio\] {where}: disk '{name}': that is partition 0 of disk 'o\w+-disk', and partition 0 of "
                         r"disk 'o\w+-disk' \(0: all of it\)", m.console())
    assert "[dio] none: disk 'three-': the machine has no such disk or partition" in m.console()
    assert re.search(r"\[dio\] none: not started .* it can't have its devices", m.console())
    m.stop()
    data = path.read_bytes()
    assert data.find(b"second-partition") == (2048 + 2048) * 512


def test_legacy_disk_is_named(machine, tmp_path):
    path = tmp_path / "data.img"
    path.write_bytes(bytes(1 << 20))
    m = machine([host_linux("{host-disk: data}")], extra=qemu_disk(path, "data"))
    m.expect(r"\[dio\] virtio disk at 0x1000\w+ is not used: it speaks virtio version 1")
    m.expect(r"\[dio\] linux1: disk 'data': the machine has no such disk")
    assert m.end() == 1


def test_read_only_disk(machine, tmp_path):
    path = tmp_path / "data.img"
    path.write_bytes(b"fixed".ljust(1 << 20, b"\0"))
    m = machine([host_linux("{host-disk: data, readonly: true}"), host_linux("{host-disk: data}", name="writer")],
                options="console=attach:linux1", extra=VERSION_2 + qemu_disk(path, "data", "readonly=on"))
    login(m)
    assert "fixed" in m.command("head -c 5 /dev/vda; echo")
    assert "rror" in m.command("dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=fsync")
    assert "[dio] writer: disk 'data': it can only be read" in m.console()
    m.line("poweroff -f")
    assert m.end() == 1  # one was not started


class Monitor:
    """QEMU's own, by its machine-readable protocol."""

    def __init__(self, path):
        self.path = path
        self.arguments = ["-qmp", f"unix:{path},server=on,wait=off"]

    def __call__(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.path))
            file = s.makefile("rw")
            assert "QMP" in file.readline()
            for name, values in ("qmp_capabilities", {}), (command, arguments):
                print(json.dumps({"execute": name, "arguments": values}), file=file, flush=True)
                answer = {}
                while "return" not in answer:
                    answer = json.loads(file.readline())
                    assert "error" not in answer, answer


def test_changes_while_in_use(machine, tmp_path):
    """Counters, rates, sizes, disks taken out and put in, cables pulled: the guest sees each, and goes on."""
    host = tmp_path / "host.img"
    host.write_bytes(b"from-the-host\n".ljust(1 << 20, b"\0"))
    monitor = Monitor(tmp_path / "qmp")
    devices = f"[{{disk: {filesystem(tmp_path / 'root.img')}, overlay: 8M, serial: root-7}}, " \
              "{host-disk: data}, {net: up-lan, packets: 100000}]"
    up = ["-netdev", "user,id=up", "-device", "virtio-net-device,netdev=up,id=nic"]
    m = machine([linux(devices=devices, memory="128M")], terminal="linux1",
                extra=VERSION_2 + qemu_disk(host, "data") + up + monitor.arguments)
    login(m)
    m.command("until ip address show eth0 | grep -q 10.0.2.15; do sleep 1; done")
    m.command("dd if=/dev/vda of=/dev/null bs=64k count=16")
    open_prompt(m)

    said = do(m, "devices linux1")
    read = re.search(r"disk0 'root-7' 24M\s+read \d+, (\d+\.?\d*)M", said)
    assert read and float(read[1]) >= 1
    assert re.search(r"disk1 'data' 1.0M|disk1 'data' 1M|disk1 'data' 1024K", said)
    assert re.search(r"net0 'up-lan' [0-9a-f:]{17}, up, 100000 a second\s+received [1-9]", said)

    do(m, "set linux1 disk0 bandwidth 256K")
    took = at(m, "linux1", "read a b </proc/uptime; dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct; "
                           "read c d </proc/uptime; echo took $((${c%.*} - ${a%.*}))")
    assert int(re.search(r"took (\d+)", took)[1]) >= 3
    do(m, "set linux1 disk0 bandwidth 0")

    do(m, "set linux1 disk0 size 64M")
    at(m, "linux1", "until grep -q 131072 /sys/block/vda/size; do sleep 1; done")
    at(m, "linux1", "echo beyond | dd of=/dev/vda bs=1M seek=60 conv=fsync")
    assert "beyond" in at(m, "linux1", "dd if=/dev/vda bs=1M skip=60 count=1 iflag=direct | head -n 1")
    assert say(m, "set linux1 disk0 size 64G").startswith("error: disk0 can't be set so")
    monitor("block_resize", device="data", size=3 << 20)
    at(m, "linux1", "until grep -q 6144 /sys/block/vdb/size; do sleep 1; done")

    for disk, back in ("disk0", ""), ("disk1", " data"):
        name = "/dev/vd" + "ab"[int(disk[-1])]
        do(m, f"detach linux1 {disk}")
        at(m, "linux1", f"until grep -qx 0 /sys/block/{name[5:]}/size; do sleep 1; done")
        assert "got-0" in at(m, "linux1", f"echo got-$(dd if={name} bs=4k count=1 iflag=direct | wc -c)")
        assert say(m, "attach linux1 disk1 nothing").startswith("error: the machine has no disk 'nothing'")
        do(m, f"attach linux1 {disk}{back}")
        at(m, "linux1", f"until [ $(dd if={name} bs=4k count=1 iflag=direct | wc -c) = 4096 ]; do sleep 1; done")
    assert "from-the-host" in at(m, "linux1", "head -n 1 /dev/vdb")

    carrier = "until grep -qx {} /sys/class/net/eth0/carrier; do sleep 1; done"
    for down, up in (lambda: do(m, "set linux1 net0 link down"), lambda: do(m, "set linux1 net0 link up")), \
                    (lambda: monitor("set_link", name="nic", up=False), lambda: monitor("set_link", name="nic", up=True)):
        down()
        at(m, "linux1", carrier.format(0))
        assert "down" in do(m, "devices linux1")
        up()
        at(m, "linux1", carrier.format(1))
    assert " 0% packet loss" in at(m, "linux1", "ping -c 2 -W 3 10.0.2.2")
    go(m, "linux1")
    m.line("poweroff -f")
    assert m.end() == 0


def test_disk_of_who_ends(machine, tmp_path):
    """What a drive was told while nobody ran who could do it is done when its capsule has ended."""
    extra = list(VERSION_2)
    for name in "one", "two":
        (tmp_path / name).write_bytes(bytes(1 << 20))
        extra += qemu_disk(tmp_path / name, name)
    m = machine([payload("ends", cmdline="end=never", devices="[{host-disk: one}]")], terminal="all", extra=extra)
    m.expect("START ends")
    open_prompt(m)
    do(m, "pause ends")
    state_comes(m, "ends", "paused")
    do(m, "detach ends disk0")
    assert say(m, "attach ends disk0 two").startswith("error: disk0 has still to do what it was told before")
    do(m, "kill ends")
    state_comes(m, "ends", "stopped")
    do(m, "attach ends disk0 two")
    do(m, "create other from kernel-1 host-disk one")
    assert say(m, "create third from kernel-1 host-disk two").startswith("error: the machine has no disk 'two'")


def private(m, name="linux1"):
    """MiB that list says are a capsule's own."""
    text = rows(m)[name]["private"]
    return float(text[:-1]) * {"K": 1 / 1024, "M": 1, "G": 1024}[text[-1]]


@pytest.mark.parametrize("backend", [GSTAGE, BACKENDS_RV32[0]], ids=repr)
def test_balloon(machine, backend):
    """What a guest does not use goes back, what it is asked for too; it has it again when it wants to, whole."""
    m = machine([linux(devices="[balloon]", memory="256M", vcores=2)], backend, terminal="linux1")
    login(m)
    open_prompt(m)
    while private(m) > 160: # pages reported as free, after a while
        at(m, "linux1", "sleep 1")
    do(m, "set linux1 balloon 64M")
    while not re.search(r"balloon0 64M of 64M", do(m, "devices linux1")):
        at(m, "linux1", "sleep 1")
    assert int(re.search(r"balloon_inflate (\d+)", at(m, "linux1", "cat /proc/vmstat"))[1]) >= 64 << 8 # pages
    assert private(m) < 130
    do(m, "set linux1 balloon 0")
    while not re.search(r"balloon0 0B of 0B", do(m, "devices linux1")):
        at(m, "linux1", "sleep 1")
    sums = at(m, "linux1", "mkdir /tmp/a; mount -t tmpfs -o size=100M a /tmp/a; head -c 60000000 /dev/zero >/tmp/a/zero; "
                           "md5sum </tmp/a/zero; rm /tmp/a/zero; for i in 1 2 3 4; do "
                           "head -c 1000000 /dev/urandom >/tmp/a/$i; done; cat /tmp/a/? | md5sum; cat /tmp/a/? | md5sum")
    sums = re.findall(r"^[0-9a-f]{32}", sums, re.M)
    assert sums[0] == hashlib.md5(bytes(60000000)).hexdigest() and sums[1] == sums[2]
    do(m, "fork linux1 as twin") # with pages that are blank in both
    assert sums[1] in at(m, "twin", "cat /tmp/a/? | md5sum; umount /tmp/a")
    assert sums[1] in at(m, "linux1", "cat /tmp/a/? | md5sum; umount /tmp/a")
    assert "linux1 has no memory" not in m.console()
    for name in "twin", "linux1":
        go(m, name)
        m.line("poweroff -f")
        m.expect(rf"{name}: shut down")
        m.key("d")
    m.expect("dio> ")
    do(m, "destroy twin")
    while rows(m)["linux1"]["state"] != "stopped":
        pass


def test_virtio_console(machine):
    """Log, login and input of a stock kernel by its virtio console; whole, if there is much; in clones, and anew after a
    reboot, before which the firmware's console has what is typed; a guest that is asked to shut down hears it there."""
    m = machine([linux(devices="[rng, console]", cmdline=f"console=hvc0 {QUICK}")], terminal="linux1")
    login(m)
    assert re.search(r"^/dev/hvc0$", m.command("tty"), re.M)
    assert "console [hvc0] enabled" in m.command("dmesg")
    assert re.findall(r"^\d+$", m.command("seq 6000"), re.M) == [str(n) for n in range(1, 6001)]
    open_prompt(m)
    counted = re.search(r"console0\n  typed (\d+), .* printed (\d+), (\d+)K", do(m, "devices linux1"))
    assert int(counted[3]) > 28 and int(counted[1]) > 0
    do(m, "fork linux1 as twin")
    assert "in-the-twin" in at(m, "twin", "echo in-the-$(echo twin)")
    assert "original" in at(m, "linux1", "echo orig$(echo inal)")
    do(m, "stop twin 60")
    go(m, "linux1")
    m.line("reboot -f")
    m.expect("Welcome to linux1")
    login(m)
    assert re.search(r"^/dev/hvc0$", m.command("tty"), re.M)
    open_prompt(m)
    m.line("stop linux1 60")
    m.expect("linux1: shut down")


def test_devices_of_new_capsules(machine, tmp_path):
    """A guest gives its child devices, of its own switch, from its quota; the person at the prompt of any."""
    image = filesystem(tmp_path / "root.img", "4M", greeting=b"hello-from-the-image\n")
    (tmp_path / "data.img").write_bytes(b"of-the-machine\n".ljust(1 << 20, b"-"))
    boss = linux(devices=f"[vsock, {{net: lan}}, {{disk: {image}}}]", memory="128M", rights="[manage]",
                 quota="{memory: 135200K, vcores: 2, capsules: 2}", cmdline=f"{CMDLINE} eth0=10.1.0.1/24")
    m = machine([boss, payload("ends", cmdline="end=never", devices="[{net: wan}]")], terminal="linux1",
                extra=VERSION_2 + qemu_disk(tmp_path / "data.img", "data"))
    login(m)
    create = "dio-guest create kid from kernel-1 initrd ramdisk-1 memory 128M rng console net {} disk disk-1 overlay {} " \
             "start cmdline console=hvc0 quiet cryptomgr.notests eth0=10.1.0.2/24"
    assert "error: 'wan': no such disk (images lists them) or switch" in m.command(create.format("wan", "4M"))
    assert "error: kid: its quota, or its parent's, is used up" in m.command(create.format("lan", "8M"))
    assert "kid: id " in m.command(create.format("lan", "4M"))
    open_prompt(m)
    go(m, "kid")
    login(m, "kid")
    m.command("mount -t ext4 /dev/vda /mnt; echo new >/mnt/new; sync", "kid")
    said = m.command("tty; cat /mnt/greeting; ping -c 1 10.1.0.1; head -c 1000 /dev/hwrng | wc -c", "kid")
    assert re.search(r"^/dev/hvc0\nhello-from-the-image$", said, re.M) and " 0% packet loss" in said and "1000" in said
    open_prompt(m)
    said = do(m, "devices kid")
    assert re.findall(r"^(\w+)", said, re.M) == ["rng0", "console0", "net0", "disk0"] and "'disk-1'" in said
    do(m, "create other from kernel-2 memory 16M net wan")
    refused = "error: kid: its quota, or its parent's, is used up" # by the memory, and what the disk may take
    assert refused in at(m, "linux1", "dio-guest set kid disk0 size 64M")
    do(m, "set linux1 quota-memory 150M")
    assert "error" not in at(m, "linux1", "dio-guest set kid disk0 size 64M")
    assert say(m, "create more from kernel-2 memory 16M net").startswith("error: net wants a value")
    do(m, "destroy kid")
    go(m, "linux1")
    assert "kid: id " in m.command(create.format("lan", "4M"))
    assert "refused: who asks has no right" in m.command("dio-guest create own from kernel-2 memory 12M host-disk data")
    open_prompt(m)
    create = "create chief from kernel-1 initrd ramdisk-1 memory 128M rights manage quota-memory 16M vsock host-disk {} " \
             "read-only start cmdline console=ttyS0 quiet cryptomgr.notests"
    assert say(m, create.format("date")).startswith("error: the machine has no disk 'date'")
    assert "chief" not in rows(m)
    do(m, create.format("data"))
    go(m, "chief")
    login(m, "chief")
    said = m.command("head -n 1 /dev/vda; dio-guest machine; echo x >/dev/vda || echo kept", "chief")
    assert "of-the-machine\n" in said and "isolation gstage" in said and "kept\n" in said


@pytest.mark.parametrize("backend", [GSTAGE, BACKENDS_RV32[2]], ids=repr)
def test_entropy_device_is_asked(machine, backend):
    m = machine([payload("ends")], backend, extra=["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-rng-device"])
    m.expect(r"\[dio\] the machine's entropy device gave 32 bytes")
    assert m.end() == 0


def test_legacy_entropy_device_is_named(machine):
    m = machine([payload("ends")], extra=["-device", "virtio-rng-device"])
    m.expect(r"\[dio\] virtio entropy device at 0x\w+ is not used: it speaks virtio version 1 [^\n]*force-legacy=false")
    assert m.end() == 0

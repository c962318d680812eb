"""The packer: what a manifest may say, what it is told where it may not, and what comes out."""
import gzip
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

PACK = pathlib.Path(__file__).parents[2] / "build/tools/pack"

GOOD = """\
capsules:
  - name: one
    kernel: linux
    initrd: initrd
    cmdline: "console=ttyS0"
    memory: 64M
"""


def linux_image(span=0x300000, body=b"\x13\0\0\0" * 4096, offset=0x200000):
    """The head of a RISC-V Linux Image, and something below it."""
    head = struct.pack("<IIQQQIIQQ4sI", 0x5A4D, 0, offset, span, 0, 2, 0, 0, 0x5643534952, b"RSC\x05", 0)
    return head + body


def elf(machine=243, kind=2, width=2, headers=0):
    head = b"\x7fELF" + bytes([width, 1, 1]) + bytes(9) + struct.pack("<HHI", kind, machine, 1)
    if headers:
        head += struct.pack("<QQQIHHHHHH", 0, 64, 0, 0, 64, 56, headers, 0, 0, 0)
        head += struct.pack("<IIQQQQQQ", 1, 5, 0, 1 << 21, 1 << 21, 128, 128, 4096) * headers
    return head.ljust(128, b"\0")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "linux").write_bytes(linux_image())
    (tmp_path / "initrd").write_bytes(b"070701" + bytes(range(256)) * 10)
    (tmp_path / "sub").mkdir()
    return tmp_path


def pack(place, text, *options, status=0):
    (place / "m.yaml").write_text(text)
    result = subprocess.run(
        [PACK, *options, "m.yaml", "-o", "out.itb"], cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert result.returncode == status, result.stderr
    assert (place / "out.itb").exists() == (status == 0)
    return result.stderr


def get(place, kind, node, name):
    out = subprocess.run(["fdtget", "-t", kind, "out.itb", node, name], cwd=place, capture_output=True, text=True, check=True)
    return out.stdout.strip()


def test_good_manifest_gives_what_the_design_says(place):
    assert pack(place, GOOD) == ""
    one = "/configurations/one"
    assert get(place, "s", "/configurations", "default") == "one"
    assert get(place, "u", "/configurations", "xlen") == "64"
    assert get(place, "s", one, "kernel") == "kernel-1"
    assert get(place, "s", one, "ramdisk") == "ramdisk-1"
    assert get(place, "s", one, "bootargs") == "console=ttyS0"
    assert get(place, "x", one, "memory") == "0 4000000"
    assert get(place, "u", one, "vcores") == "1"
    assert get(place, "s", one, "isolation") == "auto"
    assert get(place, "s", one, "restart") == "never"


def test_first_tells_what_the_first_capsule_is(place):
    (place / "m.yaml").write_text(GOOD + "  - {name: two, kernel: linux, memory: 128M}\n")
    told = subprocess.run([PACK, "--first", "m.yaml"], cwd=place, capture_output=True, text=True, check=True).stdout
    assert told.split("\n") == ["kernel ./linux", f"memory {64 << 20}", "vcores 1", "initrd ./initrd", "cmdline console=ttyS0", ""]
    assert subprocess.run([PACK, "--first", "m.yaml", "-o", "x"], cwd=place, capture_output=True).returncode == 2
    (place / "m.yaml").write_text(GOOD.replace("64M", "1"))
    told = subprocess.run([PACK, "--first", "m.yaml"], cwd=place, capture_output=True, text=True)
    assert told.returncode == 1 and not told.stdout


def test_limits_and_rights(place):
    more = "    weight: 1000\n    cap: 6400\n    affinity: [0, 63, 0]\n    exclusive: true\n    rights: [console, manage]\n"
    pack(place, GOOD + more + "    quota:\n      memory: 8G\n      vcores: 12\n      capsules: 3\n")
    one = "/configurations/one"
    assert get(place, "u", one, "weight") == "1000"
    assert get(place, "u", one, "cap") == "6400"
    assert get(place, "x", one, "affinity") == "80000000 1"
    assert get(place, "s", one, "exclusive") == ""
    assert get(place, "u", one, "rights") == "3"
    assert get(place, "x", one, "quota-memory") == "2 0"
    assert get(place, "u", one, "quota-vcores") == "12"
    assert get(place, "u", one, "quota-capsules") == "3"


def test_without_limits_and_rights(place):
    pack(place, GOOD + "    cap: 0\n    exclusive: false\n    rights: []\n    quota: {}\n")
    out = subprocess.run(["fdtget", "-p", "out.itb", "/configurations/one"], cwd=place, capture_output=True, text=True)
    assert not {"cap", "affinity", "exclusive", "rights", "quota-memory"} & set(out.stdout.split())
    assert get(place, "u", "/configurations/one", "weight") == "100"


DEVICES = """    devices:
      - rng
      - disk: disk.img
        overlay: 1M
        serial: data-1
      - {disk: sub/same.img}
      - {host-disk: data, readonly: true, iops: 200, bandwidth: 8M}
      - balloon
      - console
      - host-disk: label=backup-1
      - host-disk: name=two
"""


def test_devices(place):
    (place / "disk.img").write_bytes(b"x" * 1000)
    (place / "sub/same.img").write_bytes(b"x" * 1000)
    pack(place, GOOD + DEVICES)
    one = "/configurations/one/device-"
    assert get(place, "s", one + "0", "type") == "rng"
    assert get(place, "s", one + "1", "type") == "disk"
    assert get(place, "s", one + "1", "image") == "disk-1"
    assert get(place, "x", one + "1", "overlay") == "0 100000"
    assert get(place, "s", one + "1", "serial") == "data-1"
    assert get(place, "s", one + "2", "image") == "disk-1"
    assert get(place, "s", one + "3", "type") == "host-disk"
    assert get(place, "s", one + "3", "name") == "data"
    assert get(place, "s", one + "3", "read-only") == ""
    assert get(place, "s", one + "4", "type") == "balloon"
    assert get(place, "s", one + "5", "type") == "console"
    assert get(place, "s", one + "6", "name") == "label=backup-1"
    assert get(place, "s", one + "7", "name") == "name=two"
    assert get(place, "u", one + "3", "requests-per-second") == "0 200"
    assert get(place, "x", one + "3", "bytes-per-second") == "0 800000"
    blob = (place / "out.itb").read_bytes()
    assert blob.count(b"x" * 1000 + bytes(24)) == 1
    assert get(place, "s", "/images/disk-1", "type") == "filesystem"


@pytest.mark.parametrize("devices,message", [
    ("rng", "m.yaml:7: devices: must be a list in brackets"),
    ("[sound]", "m.yaml:7: devices: each is `rng`, `balloon`, `console`, `disk: PATH`, `host-disk: NAME`, `net: SWITCH` or `vsock`"),
    ("[{disc: a}]", "m.yaml:7: unknown key 'disc': a device has rng, or balloon, or console, or disk, overlay and serial"),
    ("[{rng: , disk: linux}]", "m.yaml:7: a device is one of `rng`, `balloon`, `console`, `disk: PATH`, `host-disk: NAME`, `net: SWITCH` and"),
    ("[{overlay: 1M}]", "m.yaml:7: a device is one of `rng`, `balloon`, `console`, `disk: PATH`, `host-disk: NAME`, `net: SWITCH` and `vsock`"),
    ("[{rng: , cid: 7}]", "m.yaml:7: cid: only a `vsock` has one"),
    ("[{vsock: , cid: 2}]", "m.yaml:7: cid '2': must be a number from 3 to 65535"),
    ("[{vsock: , cid: 65536}]", "m.yaml:7: cid '65536': must be a number from 3 to 65535"),
    ("[{vsock: 'A'}]", "m.yaml:7: name 'A': must be 1 to 31 of the characters"),
    ("[{vsock: {a: b}}]", "m.yaml:7: vsock: must be a list in brackets"),
    ("[vsock, rng, vsock]", "m.yaml:7: vsock: the capsule has one in line 7 already"),
    ("[{vsock: [%s]}]" % ", ".join(f"g{n}" for n in range(33)),
     "m.yaml:7: vsock: group 'g32': there can be no more than 32 groups"),
    ("[{balloon: 64M}]", "m.yaml:7: balloon: has nothing to be set: write `- balloon`"),
    ("[console, rng, console]", "m.yaml:7: devices: more than one `console`"),
    ("[balloon, rng, balloon]", "m.yaml:7: devices: more than one `balloon`"),
    ("[{rng: , overlay: 1M}]", "m.yaml:7: overlay: only a `disk` has one"),
    ("[{disk: linux, overlay: much}]", "m.yaml:7: overlay 'much': must be a size like 64M"),
    ("[{disk: linux, overlay: 0}]", "m.yaml:7: overlay '0': must be a size like 64M"),
    ("[{disk: linux, serial: 'a b'}]", "m.yaml:7: serial 'a b': must be 1 to 20 of the characters"),
    ("[{host-disk: 'a b'}]", "m.yaml:7: host-disk 'a b': must be 1 to 36 of the characters"),
    ("[{host-disk: label=abcdefghijklmnopq}]", "m.yaml:7: host-disk 'label=abcdefghijklmnopq': must be 1 to 36 of the"),
    ("[{host-disk: name=}]", "m.yaml:7: host-disk 'name=': must be 1 to 36 of the characters"),
    ("[{host-disk: a, serial: b}]", "m.yaml:7: serial: only a `disk` can be given one"),
    ("[{disk: linux, readonly: true}]", "m.yaml:7: readonly: only for a `host-disk`"),
    ("[{disk: linux, iops: 0}]", "m.yaml:7: iops '0': must be a number from 1 to 4294967295"),
    ("[{disk: linux, bandwidth: fast}]", "m.yaml:7: bandwidth 'fast': must be a size like 8M"),
    ("[{disk: linux, packets: 5}]", "m.yaml:7: packets: only of a `net`; of a disk it is `iops`"),
    ("[{rng: , bandwidth: 5M}]", "m.yaml:7: bandwidth: only of a disk or a `net`"),
    ("[{disk: nowhere}]", "m.yaml:7: disk ./nowhere: can't be read: No such file or directory"),
    ("[{disk: sub}]", "m.yaml:7: disk ./sub: is no file"),
    ("[rng, rng, rng, rng, rng, rng, rng, rng, rng]", "m.yaml:7: devices: more than 8: leave some out"),
])
def test_bad_devices(place, devices, message):
    assert message in pack(place, GOOD + f"    devices: {devices}\n", status=1)


def test_dumpimage_lists_it(place):
    pack(place, GOOD)
    out = subprocess.run(["dumpimage", "-l", "out.itb"], cwd=place, capture_output=True, text=True, check=True).stdout
    assert "Configuration 0 (one)" in out and "Hash algo:    sha256" in out and "RISC-V" in out
    subprocess.run(["dumpimage", "-T", "flat_dt", "-p", "0", "-o", "k", "out.itb"], cwd=place, check=True)
    assert (place / "k").read_bytes() == linux_image()


def test_images_are_shared_aligned_and_reproducible(place):
    shutil.copy(place / "linux", place / "sub/copy")
    text = GOOD + GOOD.split("\n", 1)[1].replace("one", "two").replace("linux", "sub/copy")
    pack(place, text)
    blob = (place / "out.itb").read_bytes()
    assert blob.count(linux_image()) == 1 and blob.find(linux_image()) % 4096 == 0
    assert get(place, "s", "/configurations/two", "kernel") == "kernel-1"
    pack(place, text)
    assert (place / "out.itb").read_bytes() == blob


def test_gzip_kernel_is_unpacked(place):
    (place / "linux").write_bytes(gzip.compress(linux_image()))
    pack(place, GOOD)
    assert linux_image() in (place / "out.itb").read_bytes()


def test_paths_are_relative_to_the_manifest(place):
    (place / "sub/m.yaml").write_text(GOOD.replace("linux", "../linux").replace("initrd: initrd", "initrd: ../initrd"))
    subprocess.run([PACK, "sub/m.yaml", "-o", "out.itb"], cwd=place, check=True)


@pytest.mark.parametrize("kernel", [elf(), elf(kind=3), b"\x6f\0\0\0" * 100])
def test_elf_and_raw_kernels_are_taken(place, kernel):
    (place / "linux").write_bytes(kernel)
    pack(place, GOOD)


def test_elf_of_32_bits(place):
    (place / "linux").write_bytes(elf(width=1))
    pack(place, GOOD, "--arch", "rv32")
    (place / "out.itb").unlink()
    assert "m.yaml:3: " in pack(place, GOOD, status=1)


BAD_KERNELS = {
    "empty": (b"", "is empty"),
    "text": (b"hello\n" * 100, "is text, no kernel"),
    "short": (b"\x6f\0", "too short"),
    "x86 ELF": (elf(machine=62), "another machine"),
    "object file": (elf(kind=1), "link it"),
    "ELF without its headers": (elf(headers=1)[:70], "cut short"),
    "ELF without its end": (elf(headers=1)[:-1], "cut short"),
    "x86 kernel": (bytes(0x202) + b"HdrS" + bytes(100), "for x86"),
    "arm64 kernel": (bytes(56) + b"ARM\x64" + bytes(100), "64-bit ARM"),
    "xz": (b"\xfd7zXZ\0" + bytes(100), "xz -d"),
    "bundle": (b"\xd0\x0d\xfe\xed" + bytes(100), "no kernel"),
    "damaged gzip": (gzip.compress(linux_image())[:40], "damaged"),
    "gzip twice": (gzip.compress(gzip.compress(linux_image())), "twice"),
    "gzip text": (gzip.compress(b"hello\n" * 100), "is text"),
    "broken header": (linux_image(span=1 << 40)[:16] + b"\xff" * 8 + linux_image()[24:], "broken header"),
}


@pytest.mark.parametrize("kind", BAD_KERNELS)
def test_what_is_no_kernel_is_refused(place, kind):
    data, reason = BAD_KERNELS[kind]
    (place / "linux").write_bytes(data)
    error = pack(place, GOOD, status=1)
    assert error.startswith("m.yaml:") and reason in error and error.count("\n") == 1


# What is written instead of what, and the line and words of the error.
BAD_MANIFESTS = {
    "unknown key": ("    memory: 64M", "    memory: 64M\n    colour: red", 7, "unknown key 'colour'"),
    "unknown top key": ("capsules:", "version: 1\ncapsules:", 1, "unknown key 'version'"),
    "key twice": ("    memory: 64M", "    memory: 64M\n    memory: 64M", 7, "twice"),
    "second document": ("    memory: 64M", "    memory: 64M\n---\ncapsules: []", 8, "second document"),
    "capsules twice": ("    memory: 64M", "    memory: 64M\ncapsules: []", 7, "twice"),
    "name taken": ("    memory: 64M", "    memory: 64M\n  - {name: one, kernel: linux, memory: 64M}", 7, "line 2"),
    "no name": ("name: one\n    ", "", 2, "no 'name'"),
    "no kernel": ("    kernel: linux\n", "", 2, "no 'kernel'"),
    "no memory": ("    memory: 64M\n", "", 2, "no 'memory'"),
    "bad name": ("name: one", "name: One", 2, "a-z"),
    "long name": ("name: one", "name: " + "a" * 32, 2, "1 to 31"),
    "empty name": ("name: one", "name: ''", 2, "1 to 31"),
    "name is a list": ("name: one", "name: [one]", 2, "single value"),
    "zero memory": ("64M", "0", 6, "needs some"),
    "negative memory": ("64M", "-64M", 6, "size like"),
    "no size": ("64M", "lots", 6, "size like"),
    "bad unit": ("64M", "64MB", 6, "size like"),
    "too much memory": ("64M", "99999999G", 6, "too much"),
    "overflowing memory": ("64M", "18446744073709551616", 6, "size like"),
    "overflowing unit": ("64M", "99999999999999999G", 6, "too much"),
    "odd memory": ("64M", "65M", 6, "multiple of 2M"),
    "memory without a unit": ("64M", "64", 6, "write 64M"),
    "too little memory": ("64M", "8M", 6, "too little"),
    "zero vcores": ("    memory: 64M", "    memory: 64M\n    vcores: 0", 7, "1 to 64"),
    "many vcores": ("    memory: 64M", "    memory: 64M\n    vcores: 65", 7, "1 to 64"),
    "bad vcores": ("    memory: 64M", "    memory: 64M\n    vcores: two", 7, "1 to 64"),
    "bad isolation": ("    memory: 64M", "    memory: 64M\n    isolation: pm", 7, "isolation 'pm': must be one of auto, gst"),
    "bad restart": ("    memory: 64M", "    memory: 64M\n    restart: 'on-crash, always'", 7, "never, on-crash, always"),
    "zero weight": ("    memory: 64M", "    memory: 64M\n    weight: 0", 7, "weight '0': must be a number from 1 to 1000"),
    "big weight": ("    memory: 64M", "    memory: 64M\n    weight: 1001", 7, "1 to 1000"),
    "big cap": ("    memory: 64M", "    memory: 64M\n    cap: 6401", 7, "0 to 6400"),
    "cap in percent": ("    memory: 64M", "    memory: 64M\n    cap: 50%", 7, "cap '50%'"),
    "affinity is no list": ("    memory: 64M", "    memory: 64M\n    affinity: 1", 7, "must be a list"),
    "empty affinity": ("    memory: 64M", "    memory: 64M\n    affinity: []", 7, "empty list"),
    "bad hart": ("    memory: 64M", "    memory: 64M\n    affinity:\n      - 1\n      - 64", 9, "0 to 63"),
    "no hart": ("    memory: 64M", "    memory: 64M\n    affinity: [two]", 7, "hart 'two'"),
    "exclusive nothing": ("    memory: 64M", "    memory: 64M\n    exclusive: true", 7, "which harts"),
    "bad exclusive": ("    memory: 64M", "    memory: 64M\n    affinity: [1]\n    exclusive: 1", 8, "one of true, false"),
    "unknown right": ("    memory: 64M", "    memory: 64M\n    rights: [manage, rule]", 7, "'rule': must be one of manage, console"),
    "rights are no list": ("    memory: 64M", "    memory: 64M\n    rights: manage", 7, "must be a list"),
    "quota is no mapping": ("    memory: 64M", "    memory: 64M\n    quota: 3", 7, "quota: must be"),
    "unknown quota": ("    memory: 64M", "    memory: 64M\n    quota:\n      disks: 3", 8, "a quota has memory"),
    "quota twice": ("    memory: 64M", "    memory: 64M\n    quota:\n      vcores: 3\n      vcores: 3", 9, "twice for this quota"),
    "bad quota of memory": ("    memory: 64M", "    memory: 64M\n    quota: {memory: much}", 7, "size like"),
    "bad quota of vcores": ("    memory: 64M", "    memory: 64M\n    quota: {vcores: -1}", 7, "quota: vcores '-1'"),
    "bad quota of capsules": ("    memory: 64M", "    memory: 64M\n    quota: {capsules: 4294967296}", 7, "to 4294967295"),
    "missing kernel": ("kernel: linux", "kernel: nowhere", 3, "nowhere: can't be read: No such file"),
    "kernel is a folder": ("kernel: linux", "kernel: sub", 3, "is no file"),
    "missing initrd": ("initrd: initrd", "initrd: nowhere", 4, "nowhere: can't be read: No such file"),
    "long cmdline": ("console=ttyS0", "x" * 2048, 5, "at most 2047"),
    "no YAML": ("    memory: 64M", "    memory: [64M", 7, "is no YAML"),
    "tab": ("    memory: 64M", "\tmemory: 64M", 6, "is no YAML"),
    "no list": (GOOD, "capsules: 3\n", 1, "must be a list"),
    "empty list": (GOOD, "capsules: []\n", 1, "must be a list"),
    "no capsules": (GOOD, "{}\n", 1, "no 'capsules'"),
    "not a mapping": (GOOD, "- 3\n", 1, "capsules:"),
    "empty file": (GOOD, "", 1, "capsules:"),
    "capsule is a word": (GOOD, "capsules:\n  - one\n", 2, "a capsule is expected"),
}


@pytest.mark.parametrize("kind", BAD_MANIFESTS)
def test_bad_manifest_is_told_line_and_reason(place, kind):
    old, new, line, reason = BAD_MANIFESTS[kind]
    assert old in GOOD
    error = pack(place, GOOD.replace(old, new, 1), status=1)
    assert error.startswith(f"m.yaml:{line}: ") and reason in error


def test_all_errors_are_told_at_once(place):
    error = pack(place, GOOD.replace("64M", "0").replace("name: one", "name: A"), status=1)
    assert error.count("\n") == 2


def test_memory_of_rv32(place):
    assert "kernel ./linux: is a Linux Image for RV64: see --arch" in pack(place, GOOD, "--arch", "rv32", status=1)
    (place / "linux").write_bytes(linux_image(offset=0x400000))
    pack(place, GOOD, "--arch", "rv32")
    (place / "out.itb").unlink()
    assert "multiple of 4M" in pack(place, GOOD.replace("64M", "66M"), "--arch", "rv32", status=1)
    assert "at most 2G" in pack(place, GOOD.replace("64M", "3G"), "--arch", "rv32", status=1)


def test_too_many_capsules(place):
    text = "capsules:\n" + "".join(f"  - {{name: c{i}, kernel: linux, memory: 64M}}\n" for i in range(65))
    assert "m.yaml:66: more than 64" in pack(place, text, status=1)


def test_no_manifest_and_no_place_to_write(place):
    result = subprocess.run([PACK, "nowhere.yaml", "-o", "out.itb"], cwd=place, capture_output=True, text=True)
    assert result.returncode == 1 and "nowhere.yaml: can't be read" in result.stderr
    (place / "m.yaml").write_text(GOOD)
    result = subprocess.run([PACK, "m.yaml", "-o", "none/out.itb"], cwd=place, capture_output=True, text=True)
    assert result.returncode == 1 and "can't be written" in result.stderr
    result = subprocess.run([PACK, "sub", "-o", "out.itb"], cwd=place, capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr.startswith("sub: can't be read: ")


@pytest.mark.parametrize("output", ["m.yaml", "linux", "initrd", "sub/../link", "pipe"])
def test_nothing_is_overwritten_by_a_slip(place, output):
    (place / "m.yaml").write_text(GOOD)
    (place / "link").symlink_to("linux")
    os.mkfifo(place / "pipe")
    before = os.stat(place / output)
    result = subprocess.run([PACK, "m.yaml", "-o", output], cwd=place, capture_output=True, text=True)
    assert result.returncode == 1 and "can't be written" in result.stderr
    after = os.stat(place / output)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_pipe_is_not_waited_for(place):
    os.mkfifo(place / "pipe")
    assert "kernel ./pipe: is no file" in pack(place, GOOD.replace("kernel: linux", "kernel: pipe"), status=1)
    assert "initrd ./pipe: is no file" in pack(place, GOOD.replace("initrd: initrd", "initrd: pipe"), status=1)


def test_sockets(place):
    other = GOOD.replace("capsules:\n", "").replace("one", "two")
    pack(place, GOOD + "    devices: [vsock]\n" + other + "    devices: [rng, {vsock: [a, b], cid: 42}, rng]\n"
         + other.replace("two", "three") + "    devices: [vsock: b]\n")
    assert get(place, "s", "/configurations/one/device-0", "type") == "vsock"
    assert get(place, "x", "/configurations/two/device-1", "groups") == "3"
    assert get(place, "i", "/configurations/two/device-1", "cid") == "42"
    assert get(place, "x", "/configurations/three/device-0", "groups") == "2"
    again = GOOD + "    devices: [{vsock: , cid: 42}]\n" + other + "    devices: [{vsock: , cid: 42}]\n"
    (place / "m.yaml").write_text(again)
    result = subprocess.run([PACK, "m.yaml", "-o", "out.itb"], cwd=place, capture_output=True, text=True)
    assert "cid: the device in line 7 has the same: give one of them another" in result.stderr


NET = """switches:
  - lan
  - {name: out, uplink: true, forward: ["2222:22", "8080:10.0.2.16:80"]}
"""


def test_networks(place):
    more = "    devices: [{net: lan, packets: 9}, {net: out, mac: '52:54:00:AB:cd:0e', isolated: true, any-address: true}]\n"
    pack(place, NET + GOOD + more)
    one = "/configurations/one/device-"
    assert get(place, "s", one + "0", "type") == "net"
    assert get(place, "s", one + "0", "switch") == "lan"
    assert get(place, "u", one + "0", "requests-per-second") == "0 9"
    derived = get(place, "bx", one + "0", "mac-address")
    assert derived.split()[0] == "2" and len(derived.split()) == 6
    assert get(place, "s", one + "1", "switch") == "out"
    assert get(place, "bx", one + "1", "mac-address") == "52 54 0 ab cd e"
    assert get(place, "s", one + "1", "isolated") == get(place, "s", one + "1", "any-address") == ""
    assert get(place, "s", "/switches/out", "uplink") == ""
    assert get(place, "s", "/switches/out", "forward") == "2222:22 8080:10.0.2.16:80"
    pack(place, GOOD.replace("one", "two") + "    devices: [rng, net: lan]\n" + NET)
    other = get(place, "bx", "/configurations/two/device-1", "mac-address")
    assert other != derived
    pack(place, NET + GOOD + "    devices: [rng, net: lan]\n")
    assert get(place, "bx", one + "1", "mac-address") == derived  # it follows from the names alone


@pytest.mark.parametrize("devices,message", [
    ("[net: lna]", "m.yaml:10: net 'lna': there is no such switch: name it in `switches: [...]`"),
    ("[net: 'L an']", "m.yaml:10: name 'L an': must be 1 to 31 of the characters"),
    ("[{net: lan, mac: 52-54-00-00-00-01}]", "m.yaml:10: mac '52-54-00-00-00-01': must be six bytes like"),
    ("[{net: lan, mac: '53:54:00:00:00:01'}]", "m.yaml:10: mac '53:54:00:00:00:01': must be six bytes like"),
    ("[{net: lan, mac: '52:54:00:00:00:01'}, {net: lan, mac: '52:54:00:00:00:01'}]",
     "m.yaml:10: the device in line 10 has the same address on the same switch"),
    ("[{net: lan, isolated: 1}]", "m.yaml:10: isolated '1': must be one of true, false"),
    ("[{rng: , mac: '52:54:00:00:00:01'}]", "m.yaml:10: mac: only a `net` has one"),
    ("[{rng: , isolated: true}]", "m.yaml:10: isolated: only a `net` is"),
    ("[{rng: , any-address: true}]", "m.yaml:10: any-address: only for a `net`"),
    ("[{net: lan, rng: }]", "m.yaml:10: a device is one of"),
])
def test_bad_networks(place, devices, message):
    assert message in pack(place, NET + GOOD + f"    devices: {devices}\n", status=1)


@pytest.mark.parametrize("switches,message", [
    ("lan", "m.yaml:1: switches: must be a list in brackets"),
    ("[lan, lan]", "m.yaml:1: switch 'lan' is there already: keep one"),
    ("[{uplink: true}]", "m.yaml:1: this switch has no 'name': add it"),
    ("[{name: a, uplink: true}, {name: b, uplink: true}]", "m.yaml:1: uplink: switch 'a' has it already"),
    ("[{name: a, forward: ['1:2']}]", "m.yaml:1: forward: only a switch with an uplink can"),
    ("[{name: a, uplink: true, forward: ['1:65536']}]", "m.yaml:1: forward '1:65536': must be like"),
    ("[{name: a, uplink: true, forward: ['1:x:2']}]", "m.yaml:1: forward '1:x:2': must be like"),
    ("[{name: a, ports: 3}]", "m.yaml:1: unknown key 'ports': a switch has name, uplink and forward"),
    (str([f"s{i}" for i in range(17)]), "m.yaml:1: switches: more than 16: leave some out"),
])
def test_bad_switches(place, switches, message):
    assert message in pack(place, f"switches: {switches}\n" + GOOD, status=1)

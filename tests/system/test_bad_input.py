"""Bundles and machines that are broken: one clear line, and whatever else can run runs."""
import os
import subprocess

import pytest
from conftest import PACK, payload, pack


def good(path):
    return pack(path / "good", [payload("ends", "first"), payload("ends", "second")])


def mangled(path, change):
    data = bytearray(good(path).read_bytes())
    bundle = path / "mangled.itb"
    bundle.write_bytes(bytes(change(data)))
    return bundle


def test_good(machine, tmp_path):
    assert machine(good(tmp_path)).end() == 0


def test_no_bundle(machine):
    m = machine(None)
    m.expect(r"\[dio\] [^\n]*(bundle|initrd)")
    assert m.end() != 0


@pytest.mark.parametrize("change", [
    lambda data: data[:100],
    lambda data: data[:len(data) // 2],
    lambda data: data[:-1000],
    lambda data: bytes(4096),
    lambda data: b"\x7fELF" + bytes(5000),
    lambda data: data[:4] + b"\x7f\xff\xff\xff" + data[8:],
    lambda data: data[:8] + b"\xff\xff\xff\xf0" + data[12:],
], ids=["stub", "half", "short", "zeros", "elf", "size", "offset"])
def test_broken_bundle(machine, tmp_path, change):
    m = machine(mangled(tmp_path, change))
    m.expect(r"\[dio\] [^\n]*bundle")
    assert m.end() != 0


def test_bundle_of_the_other_width(machine, tmp_path):
    bundle = pack(tmp_path / "bundle", [payload("ends")], "rv32")
    m = machine(bundle)
    m.expect(r"\[dio\] bundle: is for harts of the other width")
    assert m.end() != 0


def image_byte_flip(data):
    """One byte of a kernel's text, far behind its header."""
    at = data.index(b"RSC\x05") + 3000
    data[at] ^= 0xff
    return data


def test_wrong_hash(machine, tmp_path):
    m = machine(mangled(tmp_path, image_byte_flip), options="verify")
    m.expect(r"\[dio\] [^\n]*(hash|SHA)")
    assert m.end() != 0


def test_right_hash(machine, tmp_path):
    assert machine(good(tmp_path), options="verify").end() == 0


def test_too_much_memory(machine, backend):
    """The one that doesn't fit is named; the other runs."""
    m = machine([payload("ends", "huge", memory="4G"), payload("ends", "small")], backend)
    m.expect_all([r"\[dio\] huge: not started[^\n]*(memory|range)", r"\[small\] START"])
    assert m.end() == 1


def test_attach_to_nobody(machine, tmp_path):
    m = machine(good(tmp_path), options="console=attach:nobody")
    m.expect(r"\[dio\] option console=attach:nobody: there is no such capsule, so all are shown")
    m.expect_all([r"\[first\] START", r"\[second\] START"])
    assert m.end() == 0


def property_set(bundle, capsule, name, value):
    subprocess.run(["fdtput", str(bundle), f"/configurations/{capsule}", name, *value], check=True)


@pytest.mark.parametrize("name,value", [
    ("vcores", ["-t", "i", "0"]),
    ("vcores", ["-t", "i", "100000"]),
    ("memory", ["-t", "i", "0", "1000"]),
    ("memory", ["-t", "i", "0", "0"]),
    ("memory", ["-t", "i", "0xffffffff", "0xffe00000"]),
    ("kernel", ["-t", "s", "nothing"]),
    ("ramdisk", ["-t", "s", "nothing"]),
    ("isolation", ["-t", "s", "trust"]),
    ("restart", ["-t", "s", "perhaps"]),
], ids=["no-vcores", "many-vcores", "odd-memory", "no-memory", "all-memory", "kernel", "ramdisk", "isolation", "restart"])
def test_bad_capsule(machine, tmp_path, name, value):
    """A capsule that makes no sense is named with what is wrong; the other runs."""
    bundle = good(tmp_path)
    arguments = ["fdtput", *value[:2], str(bundle), "/configurations/first", name, *value[2:]]
    subprocess.run(arguments, check=True)
    m = machine(bundle)
    m.expect_all([r"\[dio\] [^\n]*first[^\n]*", r"\[second\] START"])
    assert m.end() != 0


def test_unknown_option(machine, tmp_path):
    m = machine(good(tmp_path), options="colour=blue isolation=hope")
    m.expect_all([r"\[dio\] [^\n]*colour=blue", r"\[dio\] [^\n]*isolation=hope", r"\[first\] START", r"\[second\] START"])


def host_tree(path, harts=2, memory="256M"):
    """The device tree that QEMU's machine has."""
    blob = path / "host.dtb"
    subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={blob}", "-smp", str(harts), "-m", memory,
                    "-display", "none"], check=True, capture_output=True)
    return blob


# What is deleted or set in the host's device tree, and what the message must name.
TREES = [
    (["-d", "/memory@80000000"], "memory"),
    (["-d", "/cpus"], "cpu"),
    (["-d", "/cpus", "timebase-frequency"], "timebase-frequency"),
    (["-d", "/soc/clint@2000000"], "(clint|timer)"),
    (["-d", "/soc/plic@c000000"], "(plic|interrupt)"),
]


@pytest.mark.parametrize("change,word", TREES, ids=["memory", "cpus", "timebase", "clint", "plic"])
def test_bad_host_tree(machine, tmp_path, change, word):
    blob = host_tree(tmp_path)
    if change[0] == "-d" and len(change) == 2:
        subprocess.run(["fdtput", "-r", str(blob), change[1]], check=True)
    else:
        subprocess.run(["fdtput", "-d", str(blob), *change[1:]], check=True)
    m = machine(good(tmp_path), harts=2, memory="256M", extra=["-dtb", str(blob)])
    m.expect(rf"(?i)\[dio\] [^\n]*{word}")


@pytest.mark.parametrize("text,complaint", [
    ("capsules:\n  - name: a\n    kernel: {kernel}\n    memory: 16M\n    color: red\n", r":5: .*color"),
    ("capsules:\n  - name: a\n    kernel: {kernel}\n    memory: 16M\n  - name: a\n    kernel: {kernel}\n    memory: 16M\n",
     r"\ba\b"),
    ("capsules:\n  - name: a\n    kernel: {kernel}\n    memory: 0\n", r":4: .*memory"),
    ("capsules:\n  - name: a\n    kernel: {kernel}\n    memory: 16M\n    vcores: 0\n", r":5: .*vcores"),
    ("capsules:\n  - name: a\n    kernel: nowhere\n    memory: 16M\n", r"nowhere"),
    ("capsules:\n  - name: a\n    kernel: {kernel}\n    initrd: nowhere\n    memory: 16M\n", r"nowhere"),
    ("capsules:\n  - name: A_b\n    kernel: {kernel}\n    memory: 16M\n", r":2: .*name"),
    ("capsules: []\n", r"capsule"),
    ("", r""),
], ids=["key", "twice", "no-memory", "no-vcores", "no-kernel", "no-initrd", "name", "none", "empty"])
def test_bad_manifest(tmp_path, text, complaint):
    import re
    manifest = tmp_path / "m.yaml"
    manifest.write_text(text.format(kernel=payload("ends")["kernel"].replace("ARCH", "rv64")))
    done = subprocess.run([PACK, "--arch", "rv64", str(manifest), "-o", str(tmp_path / "m.itb")], capture_output=True,
                          text=True)
    assert done.returncode != 0
    assert "m.yaml" in done.stderr and re.search(complaint, done.stderr)
    assert not os.path.exists(tmp_path / "m.itb")

"""What makes Debian's disk, as far as no Debian is needed for it; and how disks are given to machines."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
RECIPE = ROOT / "guests/debian"


def run(*command, **keys):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **keys)
    assert done.returncode == 0, done.stderr
    return done.stdout


def package(folder, name, files=(), **scripts):
    """A package for riscv64, of these files and maintainer scripts."""
    tree = folder / f"{name}.d"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1.0\nArchitecture: riscv64\nMaintainer: nobody\nDescription: a test\n")
    for script, text in scripts.items():
        (tree / "DEBIAN" / script).write_text(text)
        (tree / "DEBIAN" / script).chmod(0o755)
    for path in files:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(f"{name}\n")
    run("dpkg-deb", "--root-owner-group", "-b", tree, folder / f"{name}_1.0_riscv64.deb")


@pytest.fixture
def debugfs(tmp_path):
    return lambda words: run("/sbin/debugfs", "-R", words, tmp_path / "disk.img")


@pytest.mark.skipif(not shutil.which("fakeroot"), reason="there is no fakeroot: ./dio installs it for Debian's image")
def test_packages_are_unpacked_and_nothing_runs(tmp_path, debugfs):
    """What dpkg would run, it leaves to the first boot; what it knows of the packages is all there."""
    archives, modules = tmp_path / "archives", tmp_path / "modules"
    (modules / "lib/modules/1").mkdir(parents=True)
    archives.mkdir()
    script = f"#!/bin/sh\n: >{tmp_path}/ran\n"
    package(archives, "base-files", ["usr/share/base", "etc/apt/sources.list.d/other"])
    package(archives, "tool", ["usr/bin/tool", "usr/share/doc/tool"], preinst=script, postinst=script)
    run("fakeroot", RECIPE / "unpack", archives, modules, tmp_path / "disk.img", "64M")
    assert not (tmp_path / "ran").exists()
    assert debugfs("cat /usr/bin/tool") == debugfs("cat /usr/share/doc/tool") == "tool\n"
    assert debugfs("cat /preinst/tool") == debugfs("cat /var/lib/dpkg/info/tool.postinst") == script
    assert "User:     0   Group:     0" in debugfs("stat /usr/bin/tool")
    status = debugfs("cat /var/lib/dpkg/status")
    assert status.count("Status: install ok unpacked") == 2
    assert "URIs: http://deb.debian.org/debian\n" in debugfs("cat /etc/apt/sources.list.d/debian.sources")
    assert "Type: directory" in debugfs("stat /usr/lib/modules/1")
    assert "Mode:  0755" in debugfs("stat /configure")


def test_modules_are_loaded_after_what_they_need(tmp_path):
    for name, needs in {"virtio_mmio": "", "virtio_blk": "", "crc32c_generic": "", "ext4": "jbd2,mbcache",
                        "jbd2": "deep", "mbcache": "", "deep": "", "unwanted": ""}.items():
        (tmp_path / f"{name}.ko").write_bytes(b"\x7fELF\0name=x\0depends=" + needs.encode() + b"\0")
        run("xz", tmp_path / f"{name}.ko")
    (tmp_path / "busybox").write_text("")
    run(RECIPE / "make-initrd", tmp_path / "busybox", tmp_path, tmp_path / "initrd.cpio")
    run("cpio", "-id", "--quiet", "-F", tmp_path / "initrd.cpio", cwd=tmp_path)
    order = (tmp_path / "modules/order").read_text().split()
    assert order == ["virtio_mmio.ko", "virtio_blk.ko", "crc32c_generic.ko", "deep.ko", "jbd2.ko", "mbcache.ko", "ext4.ko"]
    assert sorted(path.name for path in (tmp_path / "modules").glob("*.ko")) == sorted(order)


# --- the disks -------------------------------------------------------------------------------------------

MANIFEST = """\
capsules:
  - name: a
    kernel: ../build/guests/debian/linux
    devices: [{host-disk: debian}, {host-disk: other}]
  - name: b
    devices:
      - host-disk: debian-b
"""


@pytest.fixture
def place(tmp_path):
    """A tree that has an image, and a manifest."""
    for image in "one", "two":
        (tmp_path / "cache/guests/debian" / image).mkdir(parents=True)
        (tmp_path / "cache/guests/debian" / image / "disk.img").write_text(image)
    (tmp_path / "build/guests").mkdir(parents=True)
    (tmp_path / "build/guests/debian").symlink_to(tmp_path / "cache/guests/debian/one")
    (tmp_path / "m.yaml").write_text(MANIFEST)
    return tmp_path


def shell(place, words):
    """Runs words in a shell that has tools/debian.sh, with a tree, a cache and disks of its own."""
    head = f"""set -euo pipefail; root={place} cache={place}/cache DIOSIX_DISKS={place}/disks disks=()
        say() {{ :; }}; . {ROOT}/tools/debian.sh; debian_recipe() {{ echo two; }}"""
    return run("bash", "-c", f"{head}\n{words}").split()


def test_disks_are_copies_that_stay(place):
    add = f'debian_disks_add {place}/m.yaml; printf "%s\\n" ${{disks[@]+"${{disks[@]}}"}}'
    folder = place / "disks/debian"
    assert shell(place, add) == [f"debian={folder}/debian.img", f"debian-b={folder}/debian-b.img"]
    (folder / "debian.img").write_text("changed")
    (folder / "debian-b.img").unlink()
    shell(place, add)
    assert (folder / "debian.img").read_text() == "changed"
    assert (folder / "debian-b.img").read_text() == "one"
    assert (place / "cache/guests/debian/one/disk.img").read_text() == "one"


def test_disks_that_are_given_are_not_made(place):
    assert shell(place, f'disks=(debian=x); debian_disks_add {place}/m.yaml; echo "${{disks[*]}}"') == [
        "debian=x", f"debian-b={place}/disks/debian/debian-b.img"]
    assert not (place / "disks/debian/debian.img").exists()


def test_other_manifests_get_none(place):
    (place / "m.yaml").write_text(MANIFEST.replace("build/guests/debian/", "build/guests/rv64/"))
    assert shell(place, f'debian_disks_add {place}/m.yaml; echo "none${{disks[*]-}}"') == ["none"]
    assert not (place / "disks").exists()


def test_image_stays_as_long_as_its_disks(place):
    assert shell(place, "debian_image; debian_link") == ["two"]
    assert (place / "build/guests/debian/disk.img").read_text() == "two"
    (place / "build/guests/debian").unlink()
    (place / "build/guests/debian").symlink_to(place / "cache/guests/debian/one")
    shell(place, f"debian_disks_add {place}/m.yaml")
    assert shell(place, "debian_image") == ["one"]
    (place / "cache/guests/debian/one/disk.img").unlink()
    assert shell(place, "debian_image") == ["two"]
    (place / "cache/guests/debian/two/disk.img").unlink()
    shell(place, "debian_link")
    assert not (place / "build/guests/debian").is_symlink()

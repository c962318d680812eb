"""The supervisor as a capsule or as a machine's only system, and its shell."""
import os
import re

from conftest import ROOT, TERMINAL, Backend, Capsule

PROMPT = r"sv> "
PROGRAMS = sorted(entry.name for entry in os.scandir(os.path.join(ROOT, "programs")) if entry.is_dir() and entry.name != "libc")
HOSTILE = ["handles", "groups", "pointers", "exhaust", "moves", "faults", "times"]


class Place(Backend):
    """Where it runs: under a back end, or bare on QEMU's default firmware."""

    def __init__(self, isolation, arch="rv64", harts=2, cpu=""):
        super().__init__(f"{arch}-{isolation}{'-without-h' if cpu else ''}-{harts}", isolation, cpu, arch)
        self.harts = harts


def program(name, arch, folder="programs"):
    """A program's ELF file, as it was linked."""
    with open(os.path.join(ROOT, "build", arch, folder, name + ".elf"), "rb") as file:
        return file.read()


def entry(name, data, mode=0o100755):
    """One file of a cpio archive (newc)."""
    name = name.encode() + b"\0"
    fields = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def archive(files):
    return b"".join(entry(name, data) for name, data in files.items()) + entry("TRAILER!!!", b"", 0)


def archive_default(arch):
    return os.path.join(ROOT, "build", arch, "programs.cpio")


def kernel(arch):
    return os.path.join(ROOT, "build", arch, "supervisor.bin")


def capsule(place, initrd=None, cmdline="", memory="64M"):
    keys = {"initrd": str(initrd or archive_default(place.arch)), "memory": memory, "vcores": place.harts}
    if cmdline:
        keys["cmdline"] = cmdline
    return Capsule("supervisor", kernel(place.arch), **keys)


def bare_command(place, initrd=None, cmdline="", memory="64M", extra=()):
    command = [f"qemu-system-riscv{place.arch[2:]}", "-machine", "virt", "-smp", str(place.harts), "-m", memory,
               *TERMINAL, "-kernel", kernel(place.arch), *extra]
    command += ["-initrd", str(initrd or archive_default(place.arch))]
    return command + (["-append", cmdline] if cmdline else [])


def boot(machine, place, others=(), **keys):
    """Starts it; attached to its console."""
    if place.isolation == "bare":
        return machine.command(bare_command(place, **keys))
    return machine([capsule(place, **keys), *others], place, harts=4, terminal="supervisor")


def say(m, line, timeout=60):
    """A command at the shell's prompt; returns what it printed."""
    m.line(line)
    m.expect(re.escape(line) + r"\s*?\n", timeout=timeout)
    m.expect(PROMPT, timeout=timeout)
    return m.child.before.replace("\r", "").strip()


def to_prompt(m):
    m.expect("'help' lists the commands")
    m.expect(PROMPT)


def frames_free(m):
    """In KiB."""
    return int(re.search(r"free (\d+)K", say(m, "machine")).group(1))

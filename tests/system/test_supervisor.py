"""The supervisor as somebody at its shell meets it: in a capsule, and alone on QEMU's default firmware."""
import gzip
import re
import struct

import pytest
from conftest import linux
from supervisor import (HOSTILE, PROGRAMS, PROMPT, Place, archive, archive_default, boot, frames_free, program, say,
                        to_prompt)

PLACES = [Place("gstage"), Place("pmp"), Place("pmp", cpu="h=false"), Place("bare", harts=1), Place("bare", harts=8),
          Place("gstage", "rv32"), Place("pmp", "rv32"), Place("bare", "rv32", 1), Place("bare", "rv32", 8)]
FEW = [Place("gstage"), Place("bare", harts=8), Place("pmp", "rv32"), Place("bare", "rv32", 1)]
everywhere = pytest.mark.parametrize("backend", PLACES, ids=repr)
somewhere = pytest.mark.parametrize("backend", FEW, ids=repr)


@everywhere
def test_journey(machine, backend):
    """Everything that the shell and the examples do, once."""
    m = boot(machine, backend)
    to_prompt(m)
    assert "poweroff" in say(m, "help")
    assert [line.split()[0] for line in say(m, "programs").splitlines()] == PROGRAMS
    examples(m)
    lists(m, backend)
    jobs(m)
    keyboard(m)
    m.line("reboot")
    m.expect("init: rebooting")
    to_prompt(m)
    m.line("poweroff")
    m.expect("init: switching off")
    assert m.end() == 0


def examples(m):
    assert say(m, "hello") == "Hello, world!"
    assert say(m, 'run hello "you there"') == "Hello, you there!"
    assert "'two words'" in say(m, 'template one "two words"')
    assert re.search(r"(beat \d after \d+ ms\s+timer: ){5}done", say(m, "timer"))
    said = say(m, "ping-pong")
    assert re.search(r"registers: \d+ ns", said) and "region of 4 KiB" in said and "region of 1024 KiB" in said
    assert said.endswith("ping-pong: done")
    said = say(m, "pipeline")
    assert "pipeline: 10: 100 + 1000 = 1100" in said and "join is done" in said
    assert "Good day, you! You are the 2. today." in say(m, "greeter me you")
    said = say(m, "fault")
    assert "fault: the run faulted: write" in said and re.search(r"shell: fault \(\d+\) faulted: write", said)
    assert re.search(r"shell: spin \(\d+\) used up its budget of time", say(m, "run -t 200 spin"))
    assert "out of memory" in say(m, "run -m 2M hog")


def lists(m, place):
    tasks = say(m, "tasks")
    assert re.search(r"\binit\b", tasks) and re.search(r"\bshell +running\b", tasks)
    assert "holders" in say(m, "regions")
    assert re.search(r"system .* read,copy", say(m, "caps"))
    assert len(say(m, "channels").splitlines()) >= 2
    said = say(m, "machine")
    assert f"harts {place.harts}," in said and f"programs {len(PROGRAMS)}" in said


def jobs(m):
    m.line("run -t 3600000 spin &")
    m.expect_all([r"spin runs as (\d+)\s", "round and round"])
    number = re.search(r"spin runs as (\d+)", m.console()).group(1)
    m.line("")
    m.expect(PROMPT)
    assert re.search(rf"^ *{number} .* spin +(running|ready)", say(m, "tasks"), re.M)
    m.line(f"kill {number}")
    m.expect(rf"shell: spin \({number}\) was ended from outside")
    m.expect(PROMPT)
    assert "no program that was started here" in say(m, "kill 1")
    assert "no command or program 'nonsense'" in say(m, "nonsense")
    assert "argument 1 is 'a;b & c'" in say(m, 'template "a;b & c"')
    assert "more than 24 words" in say(m, "template" + 24 * " a")
    assert "run knows -m SIZE" in say(m, "run -m")
    assert "is started by the kernel" in say(m, "init")
    assert "fault: knows write, read," in say(m, "fault nonsense")
    m.line("hello one & hello two")
    m.expect_all(["hello runs as", "Hello, one!", "Hello, two!", "ended well"])
    m.line("")
    m.expect(PROMPT)
    m.line("crash")
    m.expect("init: the shell faulted: write")
    to_prompt(m)


def keyboard(m):
    """What is typed goes to the program in the foreground; Ctrl-C ends it."""
    m.line("echo")
    m.expect("q ends it")
    m.send("x\t")
    m.expect("'x', which is 120.*echo: 9")
    m.send("q")
    m.expect("q after 2 keys")
    m.expect(PROMPT)
    m.line("echo")
    m.expect("q ends it")
    m.send("\x03")
    m.expect("was ended from outside")
    m.expect(PROMPT)
    m.send("pip\t\r")
    m.expect("join is done")
    m.expect(PROMPT)
    m.send("h\t")
    m.expect(r"help  hello  hog  \r*\n")
    m.expect("sv> h")
    m.send("elo\x1b[Dl\r")
    m.expect("Hello, world!")
    m.expect(PROMPT)


def comes_back(m, free, patience=20):
    """What a program had is given back soon after its end."""
    return any(frames_free(m) == free for _ in range(patience))


@pytest.fixture
def hostile_archive(backend, tmp_path):
    """All programs, and those that try what they may not."""
    files = {name: program(name, backend.arch) for name in PROGRAMS}
    files.update({name: program(name, backend.arch, "test-programs") for name in HOSTILE})
    path = tmp_path / "hostile.cpio"
    path.write_bytes(archive(files))
    return path


@somewhere
def test_hostile_programs_hurt_only_themselves(machine, backend, hostile_archive):
    m = boot(machine, backend, initrd=hostile_archive)
    to_prompt(m)
    free = frames_free(m)
    for name in HOSTILE:
        said = say(m, name, timeout=120)
        assert re.search(rf"RESULT {name}: \d+ passed, 0 failed", said), said
        assert comes_back(m, free), name
    assert say(m, "hello") == "Hello, world!"


def headers(elf):
    """Where an ELF file has its program headers, and how large one is."""
    wide = elf[4] == 2
    offset = struct.unpack_from("<Q", elf, 32)[0] if wide else struct.unpack_from("<I", elf, 28)[0]
    size, count = struct.unpack_from("<HH", elf, 54 if wide else 42)
    return offset, size, count, wide


def patched(elf, at, form, value):
    data = bytearray(elf)
    struct.pack_into(form, data, at, value)
    return bytes(data)


def bad_images(elf):
    """By name, what the shell must say of it (None: anything), and the file."""
    offset, size, count, wide = headers(elf)
    word, flags_at = ("<Q", 4) if wide else ("<I", 24)
    file_size_at, memory_size_at, address_at = (32, 40, 16) if wide else (16, 20, 8)
    code, last = offset + size, offset + (count - 1) * size  # headers
    return {
        "empty": ("no ELF file", b""),
        "text": ("no ELF file", b"#!/bin/sh\n" * 50),
        "magic": ("no ELF file", elf[:4]),
        "cut-1": (None, elf[:60]),
        "cut-2": (None, elf[:offset + size]),
        "cut-3": (None, elf[:4096]),
        "width": ("for another machine", patched(elf, 4, "<B", 3 - elf[4])),
        "machine": ("for another machine", patched(elf, 18, "<H", 62)),
        "fixed": ("not position-independent", patched(elf, 16, "<H", 2)),
        "entry": (None, patched(elf, 24, word, (1 << 31) - 2)),
        "headers": ("broken", patched(elf, 32 if wide else 28, word, 0xFFFFFFF0)),
        "many": ("broken", patched(elf, 56 if wide else 44, "<H", 0xFFFF)),
        "wx": ("has writable code", patched(elf, code + flags_at, "<I", 7)),
        "huge": ("too large", patched(elf, code + memory_size_at, word, 0x7FFFFFFF)),
        "wrap": (None, patched(elf, code + address_at, word, (1 << (64 if wide else 32)) - 4096)),
        "more-file": ("broken", patched(elf, code + file_size_at, word, 0x7FFFFFF)),
        "tls": ("uses thread-local storage", patched(patched(elf, last, "<I", 7), last + memory_size_at, word, 8)),
        "interp": ("not position-independent", patched(elf, last, "<I", 3)),
    }


@somewhere
def test_bad_images_are_refused(machine, backend, tmp_path):
    elf = program("hello", backend.arch)
    bad = bad_images(elf)
    files = {name: program(name, backend.arch) for name in ("init", "shell", "hello")}
    files.update({"bad-" + name: data for name, (_, data) in bad.items()})
    (tmp_path / "bad.cpio").write_bytes(archive(files))
    m = boot(machine, backend, initrd=tmp_path / "bad.cpio")
    to_prompt(m)
    free = frames_free(m)
    for name, (words, _) in bad.items():
        said = say(m, "bad-" + name)
        assert "Hello" not in said and f"bad-{name}" in said
        assert not words or words in said, (name, said)
        assert comes_back(m, free), name
    assert say(m, "hello") == "Hello, world!"


def bad_archives(arch):
    """By what must be said of it, archives that nothing can be started from."""
    with open(archive_default(arch), "rb") as file:
        good = file.read()
    init = {"init": program("init", arch)}
    return [("no cpio file", b" "), ("no cpio file", bytes(4096)), ("no cpio file", good[:64]),
            ("no cpio file", good[:54] + b"FFFFFFFF" + good[62:]), ("no cpio file", gzip.compress(good)),
            ("no program \"init\"", archive({"shell": b""})),
            ("init can't be started", archive({"init": b"nothing"})), ("the shell can't be started: not found", archive(init)),
            ("the shell can't be started: no ELF file", archive({**init, "shell": b"nothing"}))]


@pytest.mark.parametrize("backend", [Place("gstage"), Place("bare", "rv32", 2)], ids=repr)
def test_bad_archives(machine, backend, tmp_path):
    """It says what is missing, and switches off."""
    for words, data in bad_archives(backend.arch):
        (tmp_path / "archive.cpio").write_bytes(data)
        m = boot(machine, backend, initrd=tmp_path / "archive.cpio")
        m.expect(re.escape(words))
        m.end()


@pytest.mark.parametrize("backend", [Place("gstage"), Place("bare", "rv32", 2)], ids=repr)
def test_the_command_line_is_done_first(machine, backend):
    m = boot(machine, backend, cmdline="hello you; poweroff")
    m.expect("Hello, you!")
    m.expect("init: switching off")
    assert m.end() == 0


@pytest.mark.parametrize("backend", [Place("gstage")], ids=repr)
def test_beside_linux(machine, backend):
    m = boot(machine, backend, others=[linux("linux")])
    to_prompt(m)
    assert say(m, "hello") == "Hello, world!"
    m.key("n")
    m.line("")
    assert "riscv64" in m.command("uname -m", "linux")
    m.line("poweroff")
    m.expect("has ended")
    m.key("n")
    assert say(m, "hello") == "Hello, world!"
    m.line("poweroff")
    assert m.end() == 0

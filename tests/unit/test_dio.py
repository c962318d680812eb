"""The command: what it says to mistakes, and how it starts QEMU (a stand-in here)."""
import os
import pathlib
import pty
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]

FAKE_QEMU = """#!/bin/sh
if [ "$1" = --version ]; then echo "QEMU emulator version 99.0"; exit; fi
printf '<%s>\\n' "$0" "$@"
[ -z "$FAKE_WORDS" ] || echo "$FAKE_WORDS" >&2
[ -z "$FAKE_SIGNAL" ] || kill "-$FAKE_SIGNAL" $$
[ -z "$FAKE_WAIT" ] || { : >"$FAKE_WAIT.$$"; while [ "$(ls "$FAKE_WAIT".* | wc -l)" -lt 2 ]; do sleep 0.05; done; }
exit "${FAKE_STATUS:-0}"
"""

MANIFEST = """\
capsules:
  - {name: first, kernel: kernel, memory: 64M}
  - {name: second, kernel: kernel, memory: 64M}
"""


@pytest.fixture
def place(tmp_path):
    for name in ("qemu-system-riscv64", "qemu-system-riscv32"):
        (tmp_path / name).write_text(FAKE_QEMU)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "kernel").write_bytes(b"\x6f\0\0\0" * 100)
    (tmp_path / "m.yaml").write_text(MANIFEST)
    return tmp_path


def dio(place, *arguments, status=0, **environment):
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", **environment}
    result = subprocess.run(
        [ROOT / "dio", *arguments], cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert result.returncode == status, result.stderr
    return result


def test_help(place):
    for arguments in ([], ["help"], ["--help"], ["run", "--help"]):
        assert "./dio run [MANIFEST]" in dio(place, *arguments).stdout


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["fly"], "fly: unknown command"),
        (["run", "--fast"], "--fast: unknown option"),
        (["run", "-x"], "-x: unknown option"),
        (["run", "--arch"], "--arch: needs a value"),
        (["run", "--arch", "rv128"], "--arch rv128: is neither"),
        (["run", "--harts", "0"], "--harts 0: is no number from 1 to 64"),
        (["run", "--harts=65"], "--harts 65: is no number from 1 to 64"),
        (["run", "--memory", "lots"], "--memory lots: is no size"),
        (["run", "--isolation", "none"], "--isolation none: is none of"),
        (["run", "--log", "all"], "--log all: is none of"),
        (["run", "--qemu-args", "'", "m.yaml"], "--qemu-args: a quote"),
        (["run", "--cpu="], "--cpu: needs a value"),
        (["run", "a", "b"], "unexpected argument b"),
        (["run", "nowhere.yaml"], "nowhere.yaml: no such manifest"),
        (["run", "."], ".: is a folder, no manifest"),
        (["pack", "nowhere.yaml", "-o", "x.itb"], "nowhere.yaml: no such manifest"),
        (["pack"], "which manifest?"),
        (["pack", "m.yaml"], "where to?"),
        (["build", "all"], "unexpected argument all"),
        (["build", "--arch", "rv32"], "--arch: makes no sense for build"),
        (["pack", "--isolation", "pmp", "m.yaml"], "--isolation: makes no sense for pack"),
        (["test", "--harts=2"], "--harts: makes no sense for test"),
        (["bench", "--memory=2G"], "--memory: makes no sense for bench"),
        (["bench", "exits", "speed"], "bench: speed: no such section, there are sizes exits linux"),
        (["test", "--arch=rv32", "unit"], "--arch: unit tests run on no machine"),
    ],
)
def test_mistakes_are_told_in_one_line(place, arguments, words):
    error = dio(place, *arguments, status=2).stderr
    assert words in error and error.count("\n") == 1


def test_sections_of_bench_are_those_that_are_measured(place):
    known = dio(place, "bench", "speed", status=2).stderr.split("there are ")[1].split()
    measured = re.search(r"^SECTIONS = \[(.*)\]$", (ROOT / "bench/run").read_text(), re.M).group(1)
    assert known == [*measured.replace('"', "").split(", "), "native"]


def test_run_starts_qemu_as_documented(place):
    out = dio(place, "run", "m.yaml").stdout
    for words in ("<-machine>\n<virt>", "<-smp>\n<4>", "<-m>\n<1G>", "<-bios>\n<none>", "signal=off"):
        assert words in out
    assert "/qemu-system-riscv64>" in out and "/build/rv64/diosix.elf>" in out
    assert "<isolation=auto log=info console=attach:first>" in out
    assert "<-cpu>" not in out


def test_run_passes_options_on(place):
    options = ["--harts=8", "--memory", "512M", "--isolation=pmp", "--log=debug", "--cpu", "rv64,h=false", "--machine=virt,aia=none"]
    out = dio(place, "run", *options, "--qemu-args", "-global 'a=b c' -S", "m.yaml").stdout
    for words in ("<8>", "<512M>", "<rv64,h=false>", "<virt,aia=none>", "<-global>\n<a=b c>\n<-S>"):
        assert words in out
    assert "<isolation=pmp log=debug console=attach:first>" in out


def test_run_bare(place):
    """Without the hypervisor: what the manifest says of its first capsule becomes the machine."""
    (place / "initrd").write_bytes(b"070701")
    (place / "m.yaml").write_text(MANIFEST.replace("64M}", '64M, vcores: 3, initrd: initrd, cmdline: "two words"}', 1))
    out = dio(place, "run", "--bare", "m.yaml").stdout
    for words in ("<-smp>\n<3>", "<-m>\n<64M>", "<-kernel>\n<./kernel>", "<-initrd>\n<./initrd>", "<-append>\n<two words>"):
        assert words in out
    assert "<-bios>" not in out and "diosix.elf" not in out
    out = dio(place, "run", "--harts", "1", "--memory=1G", "m.yaml", "--bare", "--qemu-args", "-S").stdout
    for words in ("<-smp>\n<1>", "<-m>\n<1G>", "<-S>"):
        assert words in out
    # What only the others are made of need not be there.
    (place / "m.yaml").write_text(MANIFEST.replace("second, kernel: kernel", "second, kernel: nowhere"))
    assert "<./kernel>" in dio(place, "run", "--bare", "m.yaml").stdout
    (place / "m.yaml").write_text(MANIFEST.replace("first, kernel: kernel", "first, kernel: nowhere"))
    assert "nowhere: can't be read" in dio(place, "run", "--bare", "m.yaml", status=1).stderr


def test_a_key_too_late_ends_nothing(place):
    """Ctrl-C when the machine has ended already, and the terminal is yet to be put right."""
    (place / "stty").write_text('#!/bin/sh\n[ "$1" = -g ] && echo saved || kill -INT $PPID\n')
    (place / "stty").chmod(0o755)
    ours, terminal = pty.openpty()
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "FAKE_STATUS": "3"}
    result = subprocess.run([ROOT / "dio", "run", "m.yaml"], cwd=place, env=environment, stdin=terminal, capture_output=True, text=True)
    os.close(ours), os.close(terminal)
    assert (result.returncode, result.stderr) == (3, "")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["pack", "--bare", "m.yaml", "-o", "x.itb"], "--bare: makes no sense for pack"),
        (["run", "--bare", "--isolation=pmp", "m.yaml"], "--isolation: makes no sense with --bare"),
        (["run", "--bare", "--log", "info", "m.yaml"], "--log: makes no sense with --bare"),
        (["run", "--bare", "x.itb"], "--bare: takes a manifest"),
    ],
)
def test_what_bare_is_not_for(place, arguments, words):
    (place / "x.itb").write_bytes(b"\xd0\x0d\xfe\xed")
    assert words in dio(place, *arguments, status=2).stderr


def test_bundled_manifests_go_by_their_names(place):
    """From any folder, unless there is such a file; by the machine's width."""
    for arch in ("rv64", "rv32"):
        dio(place, "pack", "--arch", arch, "supervisor.yaml", "-o", f"{arch}.itb")
        nodes = subprocess.run(["fdtget", "-l", f"{arch}.itb", "/configurations"], cwd=place, capture_output=True, text=True)
        assert nodes.stdout.split() == ["supervisor", "linux", "console"]
    (place / "supervisor.yaml").write_text(MANIFEST)
    assert "attach:first" in dio(place, "run", "supervisor.yaml").stdout


def test_run_rv32(place):
    out = dio(place, "run", "--arch", "rv32", "m.yaml").stdout
    assert "/qemu-system-riscv32>" in out and "/build/rv32/diosix.elf>" in out


def test_run_passes_the_status_on(place):
    dio(place, "run", "m.yaml", FAKE_STATUS="1", status=1)


def test_run_never_calls_a_killed_machine_success(place):
    dio(place, "run", "m.yaml", FAKE_SIGNAL="KILL", status=137)
    # So QEMU ends when it is told to: with status 0.
    words = "qemu-system-riscv64: terminating on signal 15 from pid 1 (init)"
    assert words in dio(place, "run", "m.yaml", FAKE_WORDS=words, status=143).stderr


def test_two_runs_at_once(place):
    """Each has its own bundle, and takes it away."""
    waiting = str(place / "waiting")
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "FAKE_WAIT": waiting}
    runs = [subprocess.Popen([ROOT / "dio", "run", "m.yaml"], cwd=place, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True) for _ in range(2)]
    bundles = [re.search(r"<-initrd>\n<(.*)>", run.communicate(timeout=60)[0]).group(1) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert len(set(bundles)) == 2 and not any(os.path.exists(os.path.dirname(bundle)) for bundle in bundles)


def test_run_takes_a_bundle(place):
    dio(place, "pack", "m.yaml", "-o", "x.itb")
    assert "<x.itb>" in dio(place, "run", "x.itb").stdout


def test_bad_manifest_stops_run(place):
    (place / "m.yaml").write_text(MANIFEST.replace("64M", "1", 1))
    result = dio(place, "run", "m.yaml", status=1)
    assert "m.yaml:2: " in result.stderr and "<-m>" not in result.stdout

"""The command: what it says to mistakes, and how it starts QEMU (a stand-in here)."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]

FAKE_QEMU = """#!/bin/sh
if [ "$1" = --version ]; then echo "QEMU emulator version 99.0"; exit; fi
printf '<%s>\\n' "$0" "$@"
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
    ],
)
def test_mistakes_are_told_in_one_line(place, arguments, words):
    error = dio(place, *arguments, status=2).stderr
    assert words in error and error.count("\n") == 1


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


def test_run_rv32(place):
    out = dio(place, "run", "--arch", "rv32", "m.yaml").stdout
    assert "/qemu-system-riscv32>" in out and "/build/rv32/diosix.elf>" in out


def test_run_passes_the_status_on(place):
    dio(place, "run", "m.yaml", FAKE_STATUS="1", status=1)


def test_run_takes_a_bundle(place):
    dio(place, "pack", "m.yaml", "-o", "x.itb")
    assert "<x.itb>" in dio(place, "run", "x.itb").stdout


def test_bad_manifest_stops_run(place):
    (place / "m.yaml").write_text(MANIFEST.replace("64M", "1", 1))
    result = dio(place, "run", "m.yaml", status=1)
    assert "m.yaml:2: " in result.stderr and "<-m>" not in result.stdout

"""The guide to programs: its code is in programs/, or is a program, and compiles."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = (ROOT / "docs/programs.md").read_text()
BLOCKS = re.findall(r"^```c\n(.*?)^```", GUIDE, re.M | re.S)
WHOLE = [block for block in BLOCKS if "#include" in block]
PARTS = [block for block in BLOCKS if "#include" not in block]
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fPIE", "-mcmodel=medany", "-iquote", "programs/libc",
         "-Iprograms/libc", "-Iinclude", "-isystem", "/usr/lib/picolibc/riscv64-unknown-elf/include", "-S", "-o", "/dev/null"]


def test_there_is_code():
    assert len(WHOLE) >= 3 and len(PARTS) >= 5


@pytest.mark.parametrize("block", PARTS)
def test_parts_are_in_the_programs(block):
    assert any(block in path.read_text() for path in ROOT.glob("programs/*/*.c"))


@pytest.mark.parametrize("abi", [["-march=rv64imac", "-mabi=lp64"], ["-march=rv32imac", "-mabi=ilp32"]], ids=["rv64", "rv32"])
@pytest.mark.parametrize("block", WHOLE)
def test_programs_compile(block, abi):
    done = subprocess.run(["riscv64-unknown-elf-gcc", *abi, *FLAGS, "-x", "c", "-"], input=block, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_program_that_is_gone_leaves_the_archive():
    """Whatever was added to programs/ or taken away, the archive is made anew."""
    for folder, made in (("programs/.", "programs.cpio"), ("programs/hello", "programs/hello.elf")):
        would = subprocess.run(["make", "-n", "-W", folder, "build/rv64/" + made], cwd=ROOT, capture_output=True, text=True).stdout
        assert f"-o build/rv64/{made}" in would or f">build/rv64/{made}.new" in would

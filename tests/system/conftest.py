"""Fixtures of the system tests: a machine with Diosix and capsules in it, its console at hand.

Every wait is for something to appear on the console, or for the machine to end. A test that fails shows
the console's last part, and keeps all of it in build/failed/."""
import os
import re
import subprocess
import time

import pexpect
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAILED = os.path.join(ROOT, "build/failed")
PACK = os.path.join(ROOT, "build/tools/pack")
# Generous: a busy host of two slow cores is no reason to fail.
TIMEOUT = 120
# All keys, Ctrl-C too, go to the machine.
TERMINAL = ["-display", "none", "-monitor", "none", "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
PROMPT = r"root@{}:[^ ]*# "
# Leaves out of Linux' boot what takes QEMU long: messages, self-tests, a random number generator that nobody asks, and
# page tables of more than three levels. test_journey boots as people do.
QUICK = "quiet cryptomgr.notests initcall_blacklist=jent_mod_init no4lvl"
CMDLINE = "console=ttyS0 " + QUICK


class Backend:
    """An isolation back end, and a machine for it."""

    def __init__(self, name, isolation, cpu="", arch="rv64"):
        self.name, self.isolation, self.cpu, self.arch = name, isolation, cpu, arch

    def __repr__(self):
        return self.name


GSTAGE = Backend("gstage", "gstage")
PMP = Backend("pmp", "pmp")
PMP_BARE = Backend("pmp-without-h", "pmp", "h=false")
BACKENDS = [GSTAGE, PMP, PMP_BARE]
BACKENDS_RV32 = [Backend("rv32-" + b.name, b.isolation, b.cpu, "rv32") for b in BACKENDS]

# What ./dio test was told, as --name=value: arch, isolation and cpu.
OPTIONS = dict(word[2:].split("=", 1) for word in os.environ.get("DIOSIX_TEST_OPTIONS", "").split() if "=" in word)
# QEMU's model and what it is to have: `rv64,v=true`; a model named for a width is for machines of that.
CPU_MODEL, _, CPU_PROPERTIES = OPTIONS.get("cpu", "").partition(",")
if "=" in CPU_MODEL:
    CPU_MODEL, CPU_PROPERTIES = "", OPTIONS["cpu"]
if CPU_MODEL in ("rv64", "rv32"):
    OPTIONS.setdefault("arch", CPU_MODEL)


def cpu_of(backend, cpu=""):
    """QEMU's -cpu for a back end's machine, and a test's further wishes."""
    return ",".join(word for word in (CPU_MODEL or backend.arch, CPU_PROPERTIES, backend.cpu, cpu) if word)


def pytest_configure(config):
    config.addinivalue_line("markers", "both_widths: runs on RV32 machines too")


def pytest_generate_tests(metafunc):
    """A test that asks for a back end runs on each, unless it names its own. On RV32, a machine without H is enough for
    PMP: what differs with it does so on RV64 too."""
    marks = list(metafunc.definition.iter_markers())
    if "backend" not in metafunc.fixturenames or any(
            mark.name == "parametrize" and "backend" in str(mark.args[0]) for mark in marks):
        return
    rv32 = [b for b in BACKENDS_RV32 if b.isolation == "gstage" or b.cpu]
    backends = BACKENDS + (rv32 if any(mark.name == "both_widths" for mark in marks) else [])
    metafunc.parametrize("backend", backends, ids=repr)


def pytest_collection_modifyitems(config, items):
    """--arch, --isolation and --cpu leave only the tests of such machines, and those of none."""
    def wanted(item):
        if "machine" not in getattr(item, "fixturenames", ()):
            return True
        backend = (getattr(item, "callspec", None) and item.callspec.params.get("backend")) or GSTAGE
        return (OPTIONS.get("arch", backend.arch) == backend.arch
                and OPTIONS.get("isolation", "auto") in ("auto", backend.isolation)
                and not (backend.isolation == "gstage" and "h=false" in CPU_PROPERTIES.split(",")))
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for number, machine in enumerate(getattr(item, "machines", [])):
            report.sections.append((f"console, whole in {console_keep(item.name, number, machine)}",
                                    machine.console()[-6000:]))


def console_keep(test, number, machine):
    """Copies a machine's console to where it outlives the test; returns where that is."""
    os.makedirs(FAILED, exist_ok=True)
    kept = os.path.join(FAILED, re.sub(r"[^\w-]+", "-", test).strip("-") + f"-{number}.log")
    with open(kept, "w", encoding="utf-8") as file:
        file.write(machine.console())
    return os.path.relpath(kept, ROOT)


class Capsule(dict):
    """An entry of a manifest."""

    def __init__(self, name, kernel, **keys):
        super().__init__(name=name, kernel=kernel, **keys)


def payload(program, name=None, **keys):
    """A capsule with one of the bare test programs, of the machine's width."""
    kernel = os.path.join(ROOT, "build/ARCH/guests", program + ".bin")
    return Capsule(name or program, kernel, **{"memory": "16M", "vcores": 2, **keys})


def linux(name="linux1", **keys):
    """A capsule with the stock kernel and a small system."""
    folder = os.path.join(ROOT, "build/guests/ARCH")
    return Capsule(name, os.path.join(folder, "linux"), **{
        "initrd": os.path.join(folder, "initrd.cpio"), "cmdline": CMDLINE, "memory": "192M", "vcores": 2, **keys})


def manifest_write(path, capsules, arch, terminal=None):
    lines = ["capsules:"]
    nets = sorted(set(re.findall(r"\bnet: ([a-z0-9-]+)", " ".join(str(c.get("devices", "")) for c in capsules))))
    if nets: # one that begins with "up" has an uplink
        lines[0:0] = ["switches:"] + [f"  - {{name: {net}, uplink: {str(net.startswith('up')).lower()}}}" for net in nets]
    for capsule in capsules:
        for number, (key, value) in enumerate(capsule.items()):
            text = f'"{value}"' if isinstance(value, str) and not re.fullmatch(r"[\w./-]+|\[.*\]|\{.*\}", value) else value
            lines.append(("  - " if number == 0 else "    ") + f"{key}: {text}")
    if terminal:
        lines.append(f"terminal: {terminal}")
    path.write_text("\n".join(lines).replace("/ARCH/", f"/{arch}/") + "\n")


def pack(path, capsules, arch="rv64", terminal=None):
    """Makes a bundle; returns its path. With the terminal of this capsule, or `all`, it has the console service."""
    manifest, bundle = path.with_suffix(".yaml"), path.with_suffix(".itb")
    manifest_write(manifest, capsules, arch, terminal)
    service = ["--terminal", os.path.join(ROOT, "build", arch)] if terminal else []
    done = subprocess.run([PACK, "--arch", arch, *service, str(manifest), "-o", str(bundle)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return bundle


class Machine:
    def __init__(self, command, log):
        self.log = open(log, "w+", encoding="utf-8", errors="replace")
        self.child = pexpect.spawn(command[0], command[1:], encoding="utf-8", codec_errors="replace",
                                   timeout=TIMEOUT, logfile=None, echo=False, dimensions=(50, 200), maxread=65536)
        self.child.logfile_read = self.log

    def expect(self, pattern, timeout=TIMEOUT):
        """Waits for a pattern (or the first of several: returns which)."""
        return self.child.expect(pattern, timeout=timeout)

    def expect_all(self, patterns, timeout=TIMEOUT):
        """Waits for several patterns, in whatever order they come."""
        missing = list(patterns)
        while missing:
            del missing[self.child.expect(missing, timeout=timeout)]

    def send(self, text):
        self.child.send(text)

    def line(self, text):
        self.child.send(text + "\r")

    def key(self, key):
        """The escape key, then another."""
        self.child.send("\x1d" + key)

    def command(self, text, name="linux1"):
        """Runs a command at a guest's prompt; returns what it printed."""
        self.line(text + "; echo end-of-$((40+2))")
        self.expect("end-of-42")
        printed = self.child.before
        self.expect(PROMPT.format(name))
        return printed.replace("\r", "")

    def end(self, timeout=TIMEOUT):
        """Waits for the machine to end by itself; returns its exit status."""
        self.child.expect(pexpect.EOF, timeout=timeout)
        self.child.close()
        return self.child.exitstatus if self.child.signalstatus is None else -self.child.signalstatus

    def console(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace", newline="") as text:
            return text.read().replace("\r", "")

    def stop(self):
        self.child.close(force=True)


def to(m, number, name):
    """Goes to another capsule's console."""
    m.key(str(number))
    m.line("")
    m.expect(PROMPT.format(name), timeout=240)
    m.line("stty -echo")
    m.expect(PROMPT.format(name))


def machine_command(bundle, backend, harts=4, memory="1G", cpu="", options="", model="virt", extra=()):
    """QEMU's command line."""
    command = [f"qemu-system-riscv{backend.arch[2:]}", "-machine", model, "-cpu", cpu_of(backend, cpu), "-smp", str(harts),
               "-m", memory, *TERMINAL, "-bios", "none",
               "-kernel", os.path.join(ROOT, "build", backend.arch, "diosix.elf"),
               "-append", f"isolation={backend.isolation} {options}".strip(), *extra]
    return command + (["-initrd", str(bundle)] if bundle else [])


@pytest.fixture
def machine(request, tmp_path):
    """Starts a machine: machine(capsules or bundle, backend, ...)."""
    request.node.machines = []

    def start_command(command):
        """Any command line: of a machine without Diosix."""
        started = Machine(command, tmp_path / f"console{len(request.node.machines)}.log")
        request.node.machines.append(started)
        return started

    def start(capsules, backend=GSTAGE, terminal=None, **keys):
        number, bundle = len(request.node.machines), capsules
        if isinstance(capsules, list):
            bundle = pack(tmp_path / f"bundle{number}", capsules, backend.arch, terminal)
        return start_command(machine_command(bundle, backend, **keys))

    start.command = start_command
    yield start
    for started in request.node.machines:
        started.stop()


def verdicts(console, name):
    """What a payload said of its tests: how many passed, and the lines of those that failed."""
    prefix = rf"^(?:\[{re.escape(name)}\] )?"
    passed = re.findall(prefix + r"PASS (.*)$", console, re.M)
    failed = re.findall(prefix + r"(FAIL .*)$", console, re.M)
    return passed, failed


def suite_check(machine, name):
    """Waits for a payload's end; everything in it must have passed."""
    machine.expect(r"RESULT \w+: .*\n")
    passed, failed = verdicts(machine.console(), name)
    assert not failed
    assert passed

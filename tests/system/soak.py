#!/usr/bin/env python3
"""Random management operations against running capsules, hostile ones among them; what was promised is looked at all along.

The operations follow from the seed alone, not from what comes of them nor from how fast the machine is: the same seed
gives the same ones, a longer run only more of them. That the machine goes on, that each command is answered, that a
Linux beside all this answers and keeps time, and that no memory is lost: this is what is looked at."""
import argparse
import itertools
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import pexpect

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from conftest import GSTAGE, PMP, PROMPT, ROOT, Backend, Machine, linux, machine_command, pack, payload  # noqa: E402
from prompt import at, do, memory_free, open_prompt, rows, say  # noqa: E402

ATTACKS = ["spin", "ipi-flood", "fence-flood", "wild-sbi", "dbcn-wild", "pte-unmap-mmio", "self-modify", "csr-scan",
           "mmio-scan", "wfi-storm", "timer-storm", "hsm-storm", "console-flood", "stack-bomb", "trap-loop",
           "memory-probe", "reboot-loop", "sleep", "jump"]
ENDS = ["shutdown", "failure", "stop-all", "reboot-cold", "finisher-fail", "never"]
NAMES = [f"c{n}" for n in range(9)]
IMAGES = ["hostile", "ends", "manage"]  # kernel-2 and on; kernel-1 is Linux
PATIENCE = 120  # seconds for an answer: bounded, and generous as hosts are slow
CHECK_EVERY = 25
ROUND = 100  # operations, then everything that was made is destroyed
OBJECTS = 60  # more capsules than a round can have at once
# What no command may be answered with: it would be an error that nobody explains.
UNEXPLAINED = re.compile(r"refused \(|\(null\)")


class Broken(Exception):
    """What was promised was not kept."""


# --- the operations: functions of the random numbers and of the round's names alone ---------------------------------

def kernel(image):
    return f"kernel-{IMAGES.index(image) + 2}"


def op_create(r, name):
    kind = r.choices(["hostile", "ends", "manage", "linux"], [8, 4, 1, 3])[0]
    words = [f"create {name} from"]
    if kind == "linux":
        words += ["kernel-1 initrd ramdisk-1 memory", r.choice(["96M", "128M"])]
        cmdline = "console=ttyS0 quiet"
    else:
        words += [kernel(kind), "memory", r.choice(["12M", "16M", "32M"])]
        cmdline = {"hostile": f"attack={r.choice(ATTACKS)} seconds={r.choice([1, 3, 1000000])}",
                   "ends": f"end={r.choice(ENDS)}", "manage": ""}[kind]
    words += ["vcores", str(r.randint(1, 4)), "restart", r.choice(["never", "on-crash", "always"])]
    if kind == "manage":
        words.append("rights manage quota-memory 96M quota-vcores 24 quota-capsules 12")
    if r.random() < 0.2:
        words.append(f"weight {r.choice([1, 50, 400, 1000])}")
    if r.random() < 0.2:
        words.append(f"cap {r.choice([1, 20, 100, 150])}")
    if r.random() < 0.8:
        words.append("start")
    return " ".join(words + ["cmdline", cmdline])


def op_set(r, name):
    setting, values = r.choice([
        ("weight", ["1", "100", "1000"]), ("cap", ["0", "1", "50", "200"]), ("affinity", ["all", "0", "1-2", "0,3"]),
        ("exclusive", ["yes", "no"]), ("restart", ["never", "on-crash", "always"]), ("rights", ["none", "manage"]),
        ("quota-memory", ["0", "32M"]), ("quota-vcores", ["0", "4"]), ("quota-capsules", ["0", "2"])])
    return f"set {name} {setting} {r.choice(values)}"


def op_nonsense(r, name):
    return r.choice([
        "kill 0", "kill 4294967296", "destroy 99999", f"stop {name} 100000000", f"set {name} weight 0",
        f"set {name} affinity 63", f"set {name} cap 99999999999999999999", f"fork {name} 0", f"fork {name} 1001",
        f"create {name} from kernel-9", f"create {name} from kernel-1 memory 1K", f"create {name} from kernel-1 vcores 65",
        f"create {name} from kernel-1 memory 1000G start", "create neighbour from kernel-1", f"fork {name} as neighbour",
        f"create {'x' * 40} from kernel-1", "kill \"", f"trace {name} -1", "list all", "x" * 250, f"help {name}"])


def op_fork(r, name):
    return f"fork {name} as {r.choice(NAMES)}" if r.random() < 0.7 else f"fork {name} {r.randint(1, 3)}"


OPERATIONS = [
    (24, op_create),
    (8, lambda r, name: f"start {name}"),
    (8, lambda r, name: f"stop {name} {r.choice([0, 0, 1, 2])}"),
    (8, lambda r, name: f"kill {name}"),
    (12, lambda r, name: f"restart {name}"),
    (10, lambda r, name: f"pause {name}"),
    (10, lambda r, name: f"resume {name}"),
    (10, op_set),
    (10, op_fork),
    (10, lambda r, name: f"destroy {name}"),
    (4, lambda r, name: "list"),
    (3, lambda r, name: "machine"),
    (3, lambda r, name: f"log {name}"),
    (3, lambda r, name: f"trace {name}{r.choice(['', ' 50', ' off'])}"),
    (1, lambda r, name: "images"),
    (6, op_nonsense),
]


def operations(seed):
    """Endless: a pause before it in seconds, and a command line. Mostly about capsules that may be there."""
    r = random.Random(seed)
    weights = [weight for weight, _ in OPERATIONS]
    made = []
    for number in itertools.count():
        if number % ROUND == 0:
            made = []
        operation = r.choices(OPERATIONS, weights)[0][1]
        fresh = operation is op_create or not made or r.random() < 0.05
        name = r.choice([n for n in NAMES if n not in made] or NAMES) if fresh else r.choice(made)
        line = operation(r, name)
        made += [name] if operation is op_create and name not in made else []
        made = [n for n in made if line != f"destroy {n}"]
        yield r.choice([0, 0, 0, 0.05, 0.3, 1.0]), line


# --- a machine, and what is looked at -------------------------------------------------------------------------------

class Soak:
    def __init__(self, m, seed, say_line=lambda line: None):
        self.m, self.tell = m, say_line
        self.operations, self.count, self.refused, self.checks = operations(seed), 0, 0, 0
        self.begun = time.monotonic()
        m.child.delaybeforesend = None

    def begin(self):
        """Only the neighbour is left, and what it takes is known."""
        self.m.expect(r"\[neighbour\] " + PROMPT.format("neighbour"), timeout=600)
        open_prompt(self.m)
        for name in set(rows(self.m)) - {"neighbour"}:
            do(self.m, f"destroy {name}")
        self.objects_make()
        self.clock = None
        self.neighbour_check()
        self.memory = memory_free(self.m)

    def objects_make(self):
        """The hypervisor keeps the memory of its own objects for others: as many are made as will ever be needed.

        Devices too: `manage` gives its children some."""
        for number in range(OBJECTS):
            do(self.m, f"create warm{number} from kernel-2 vcores 4 rng balloon console")
        for number in range(OBJECTS):
            do(self.m, f"destroy warm{number}")

    def neighbour_check(self):
        """It answers, and its clock goes as the machine's does; while that was asked some time may have passed."""
        before = self.machine_time()
        said = at(self.m, "neighbour", "cat /proc/uptime")
        said = re.sub(r"\n(\[dio\] [^\n]*\n)+", "", said)  # of others' endings, maybe in the midst of a line
        uptime = float(re.search(r"(\d+\.\d\d) \d+\.\d\d", said).group(1))
        after = self.machine_time()
        if self.clock:
            least, most = before - self.clock[1], after - self.clock[0]
            if not least - 1 <= uptime - self.clock[2] <= most + 1:
                raise Broken(f"the neighbour's clock went on by {uptime - self.clock[2]:.2f} s "
                             f"in {least:.2f} to {most:.2f} s")
        self.clock = (before, after, uptime)
        self.checks += 1

    def machine_time(self):
        return float(re.search(r"up +(\d+\.\d+) s", do(self.m, "machine")).group(1))

    def step(self):
        pause, command = next(self.operations)
        time.sleep(pause)
        started = time.monotonic()
        said = say(self.m, command, PATIENCE)
        result = said.splitlines()[-1]
        self.count += 1
        self.refused += result != "ok"
        self.tell(f"{time.monotonic() - self.begun:8.2f} {self.count:5} {command} -> {result}"
                  f" ({time.monotonic() - started:.2f} s)")
        if UNEXPLAINED.search(said):
            raise Broken(f"{command} is answered with: {said}")
        if self.count % CHECK_EVERY == 0:
            self.neighbour_check()
        if self.count % ROUND == 0:
            self.clean()

    def clean(self):
        """All that was made is destroyed: then memory is what it was."""
        for name in list(rows(self.m)):
            if name != "neighbour":
                said = say(self.m, f"destroy {name}", PATIENCE)
                if not said.endswith("ok") and "no capsule" not in said:  # or gone with its parent
                    raise Broken(f"destroy {name} is answered with: {said}")
        self.neighbour_check()
        free = memory_free(self.m)
        self.tell(f"{time.monotonic() - self.begun:8.2f} cleaned: {free} KiB are free, {self.memory} were")
        if free != self.memory:
            raise Broken(f"{self.memory - free} KiB of memory are lost")

    def end(self):
        self.clean()
        self.m.line("poweroff")
        status = self.m.end()
        if status != 0:
            raise Broken(f"the machine ended with status {status}")


def soak_capsules():
    return [linux("neighbour", memory="128M"), payload("hostile", cmdline="attack=sleep"), payload("ends"),
            payload("manage")]


def run(m, seed, seconds, tell=lambda line: None, count=None):
    """Soaks a machine that is starting; returns one line that tells of it. Raises Broken."""
    soak = Soak(m, seed, tell)
    try:
        soak.begin()
        until = time.monotonic() + seconds
        while time.monotonic() < until if count is None else soak.count < count:
            soak.step()
        soak.end()
    except pexpect.TIMEOUT as error:
        raise Broken("no answer in time: the machine hangs") from error
    except pexpect.EOF as error:
        raise Broken("the machine has ended") from error
    if re.search(r"^\[dio\] panic", m.console(), re.M):
        raise Broken("the hypervisor panicked")
    return (f"{soak.count} operations ({soak.refused} refused), {soak.checks} looks at the neighbour, "
            f"{soak.memory} KiB free as before")


# --- ./dio soak -----------------------------------------------------------------------------------------------------

def backends(arguments):
    archs = ["rv64", "rv32"] if arguments.arch == "both" else [arguments.arch]
    kinds = [arguments.isolation] if arguments.isolation != "auto" else ["gstage", "pmp"]
    cpu = arguments.cpu.partition(",")[2] if arguments.cpu.startswith("rv") else arguments.cpu
    return [Backend(f"{arch}-{kind}", kind, cpu, arch) for arch in archs for kind in kinds]


def soak_one(backend, seed, seconds, folder, verbose):
    path = os.path.join(folder, backend.name)
    bundle = pack(pathlib.Path(path), soak_capsules(), backend.arch, "all")
    m = Machine(machine_command(bundle, backend), path + ".console")
    with open(path + ".log", "w", encoding="utf-8") as log:
        def tell(line):
            print(line, file=log, flush=True)
            if verbose:
                print(line, flush=True)
        try:
            return True, run(m, seed, seconds, tell)
        except (Broken, AssertionError, AttributeError) as error:
            return False, f"{error}\n{m.console()[-3000:]}\nthe operations are in {path}.log"
        finally:
            m.stop()


def main():
    parser = argparse.ArgumentParser(prog="dio soak", description="random management operations, for as long as asked")
    parser.add_argument("seconds", nargs="?", type=int, default=300, help="in all (300)")
    parser.add_argument("--seed", type=int, help="replays the operations of a run")
    parser.add_argument("--arch", choices=["rv64", "rv32", "both"], default="both")
    parser.add_argument("--isolation", choices=["auto", "gstage", "pmp"], default="auto")
    parser.add_argument("--cpu", default="")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    folder = os.path.join(ROOT, "build/soak")
    os.makedirs(folder, exist_ok=True)
    wanted, failed = backends(arguments), 0
    print(f"soak: seed {seed}, operations and consoles in build/soak/", flush=True)
    for backend in wanted:
        good, told = soak_one(backend, seed, arguments.seconds / len(wanted), folder, arguments.verbose)
        failed += not good
        print(f"{backend.name}: {'ok' if good else 'FAILED'}: {told}", flush=True)
    if failed:
        print(f"again: ./dio soak {arguments.seconds} --seed {seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Lives of capsules and their scheduling, measured from inside one with the right `manage`."""
import os
import re

from figures import Table
from machine import ICOUNT, ROOT, Guest, MachineError

SAYS = r"^(?:\[guest0\] )?LIVES "  # with its name before it if all capsules are shown
BESIDE = "`-icount shift=0,sleep=off`, one hart. "
LIVES_NOTE = BESIDE + (
    "A bare payload makes children of its own image, of 16 MiB and one vcore, and they note the time at their first "
    "instruction; the clock ticks in 100 ns, the mean of 20. create_call: the call alone; create_to_...: with the "
    "start and the copy of the image, which image_copy_... estimates from what an initial file system of 1 MiB adds. "
    "Restarting clears the memory. fork_N: a capsule of N MiB, all touched, forks itself, until the clone's first "
    "instruction, the mean of 10; ..._first: the first time, when it has no clones yet. fork_linux_128: a booted "
    "Linux of 128 MiB, until the clone runs; ..._answers: until its shell has computed something, looked for each 100 us; "
    "linux_answers_...: how long that takes the original.")
SCHEDULING_NOTE = BESIDE + (
    "share_error: weights 1:2:4 over 10 s, how far the worst is off its due. wake_beside_N: from when a sleeper's timer "
    "is due until it runs, beside N vcores that spin. switch_among_N: from one vcore's last instruction to the next "
    "one's first at the end of a slice, some 10 of their own included, with N vcores that want the hart.")
COUNT_NOTE = ("4 harts, 4 GiB, without icount: children of 8 MiB (RV32: 12 MiB) and one vcore, all of which run, and of a "
              "Linux with little memory (Debian's kernel needs 96 MiB, the RV32 guest's 32), all of which get to their "
              "prompt. On RV32, QEMU's virt has 2 GiB at most.")
RAM_OF_MOST = {"rv64": 8, "rv32": 12}  # MiB: the least that holds the payload and its device tree
RAM_OF_LINUX = {"rv64": 96, "rv32": 32}


def figures_of(bench, column, cmdline, **arguments):
    """What a payload with this command line says, by name."""
    memory, initrd = arguments.pop("ram", "16M"), arguments.pop("initrd", None)
    rights, beside = arguments.pop("rights", "manage"), arguments.pop("beside", [])
    guest = Guest(os.path.join(bench.build, "guests/lives.bin"), initrd, cmdline, memory, rights=rights)
    output = bench.machine.run(column, [guest] + beside, until=SAYS + "done 0",
                               **{"memory": "4G", "extra": ICOUNT, "timeout": 120, **arguments})
    found = {name: float(figure) for name, figure in re.findall(SAYS + r"(\w+) (\d+)$", output, re.M)}
    if found.pop("done", None) is None or not found:
        raise MachineError(f"{cmdline}: no figures")
    return found


def create(bench, column):
    initrd = bench.machine.path("initrd-of-1-mib")
    with open(initrd, "wb") as out:
        out.write(bytes(range(256)) * 4096)
    return figures_of(bench, column, "lives=create", initrd=initrd)


def fork(bench, column):
    small, big = (figures_of(bench, column, "lives=forks", ram=f"{mib}M") for mib in (128, 512))
    return {"fork_128": small["fork"], "fork_128_first": small["fork_first"],
            "fork_128_until_parent_goes_on": small["fork_until_parent_goes_on"], "fork_512": big["fork"],
            "fork_per_further_mib": (big["fork"] - small["fork"]) / 384,
            "private_bytes_per_idle_clone": small["clone_private_bytes"]}


def linux(bench):
    """The bundled guest, as a capsule that brings the bundle a second kernel."""
    folder = os.path.join(ROOT, "build/guests", bench.arch)
    return Guest(os.path.join(folder, "linux"), os.path.join(folder, "initrd.cpio"), "console=ttyS0 quiet", "128M")


def fork_linux(bench, column):
    found = figures_of(bench, column, "lives=linux-fork", beside=[linux(bench)], timeout=300)
    return {"fork_linux_128": found["fork_linux"], "fork_linux_128_until_it_answers": found["fork_linux_until_it_answers"],
            "linux_answers_without_fork": found["linux_answers"],
            "private_bytes_per_linux_clone": found["clone_private_bytes"]}


def linux_most(bench, column):
    return figures_of(bench, column, f"lives=linux mib={RAM_OF_LINUX[bench.arch]}", beside=[linux(bench)], harts=4, extra=(),
                      timeout=1200)


def simple(cmdline, **arguments):
    return lambda bench, column: figures_of(bench, column, cmdline, **arguments)


def most(bench, column):
    return figures_of(bench, column, f"lives=most mib={RAM_OF_MOST[bench.arch]}", harts=4, extra=(), timeout=120)


# Tables of rows: what is measured together, and what it is called if it can't be.
TABLES = [
    ("Lives of capsules, nanoseconds by the machine's clock (= instructions)", LIVES_NOTE, {
        "create_call": simple("lives=call"),
        "create_to_first_instruction": create,
        "restart_16_mib": simple("lives=restart"),
        "fork_128": fork,
        "fork_linux_128": fork_linux,
    }),
    ("Scheduling, nanoseconds by the machine's clock (= instructions)", SCHEDULING_NOTE, {
        "share_error_millionths": simple("lives=shares seconds=10"),
        "wake_beside_1": simple("lives=wakes spinning=1"),
        "wake_beside_10": simple("lives=wakes spinning=10"),
        "wake_beside_1000": simple("lives=wakes spinning=1000"),
        "switch_among_10": simple("lives=switches spinning=10"),
        "switch_among_1000": simple("lives=switches spinning=1000", timeout=600),
    }),
    ("Capsules that run at once", COUNT_NOTE, {
        "minimal_capsules": most,
        "linux_capsules": linux_most,
    }),
]


def tables_of(bench):
    """Measures all of it; what goes wrong leaves its row empty."""
    for title, note, rows in TABLES:
        table = Table(title, note, ratios=False)
        for column in (c for c in bench.columns if c.isolation):
            for row, function in rows.items():
                if row.startswith("fork") and column.isolation != "gstage":
                    continue  # refused, as it should be
                bench.measure(table, column, lambda c, f=function: f(bench, c), row)
        yield table

"""Disks and networks of Linux guests: QEMU's own devices natively, ours in capsules."""
import socket
import threading

import lives
from figures import Table, lines_of
from machine import ICOUNT, UPLINK, MachineError

HOST_DISK_RUNS = 3
HOST_NET_RUNS = 3
REQUESTS = 400  # of each kind, in guest/devices.c
DISK_NOTE = ("`-icount shift=0,sleep=off`, one hart: the instructions it retires for each request of 4 KiB, one at a time, "
             "past the page cache, whoever's they are. The machine's disk answers at once, with zeros. host_...: natively "
             "QEMU's device, in a capsule ours, and behind it QEMU's. image_...: a disk in the bundle, with an overlay. "
             "Where QEMU's part comes later the guest goes to sleep and back, a fifth more, which depends on the host: of "
             f"host_... the least of {HOST_DISK_RUNS} runs.")
EXITS_NOTE = ("One hart, as above: by the hypervisor's counters, which a capsule beside reads; the waking up and sleeping around "
              "the requests not counted. Then which they are, of a random read: device registers, interrupts, the guest's going "
              f"to sleep. Of host_... the one of {HOST_DISK_RUNS} runs that has the fewest at a random read.")
NETWORK_NOTE = ("`-icount shift=0,sleep=off`, one hart: the instructions it retires for each MiB of a TCP stream, and for a "
                "byte there and back. Natively from the guest to the host, whose own are not counted; in capsules from "
                "one to another, both counted. host_...: from a capsule to the host too, through the uplink and QEMU's user "
                f"network. What goes to the host differs by a fifth from run to run; of host_... the least of {HOST_NET_RUNS}.")
WAKES_NOTE = ("`-icount shift=0,sleep=off`, one hart: how late a bare payload's capsule runs that sleeps until its timer is due, the "
              "mean and the worst of 150 each 5 ms, the clock's ticks being 100 ns: alone, beside a vcore that spins, beside a "
              "Linux that reads and writes a disk in the bundle or of the machine without a pause, 4 KiB or 1 MiB at a time, "
              "and beside two with a TCP stream from one to the other.")
VERSION_2 = ["-global", "virtio-mmio.force-legacy=false"]
HOST_NET = VERSION_2 + ["-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net"]
HOST_DISK = VERSION_2 + ["-blockdev", "null-co,node-name=disk,size=67108864,read-zeroes=on",
                         "-device", "virtio-blk-device,drive=disk,serial=measured"]


def guest(bench, measure, devices="", address=""):
    made = bench.linux(f"quiet rdinit=/devices-init measure={measure}" + (f" address={address}" if address else ""),
                       "devices.cpio")
    made.devices = devices
    return made


def figures_of(output):
    found = lines_of(output, "BENCH")
    if found.pop("done", None) is None:
        raise MachineError("did not get to its end:\n" + output[-1000:])
    return found


def host_disk(bench, column):
    measured = guest(bench, "disk,/dev/vda", "[{host-disk: measured}]")
    runs = [figures_of(bench.machine.run(column, [measured], extra=ICOUNT + HOST_DISK, timeout=300))
            for _ in range(HOST_DISK_RUNS)]
    return {"host_" + name: min(run[name] for run in runs) for name in runs[0]}


def image_device(bench):
    image = bench.machine.path("image")
    with open(image, "wb") as out:
        out.truncate(16 << 20)
    return f"[{{disk: {image}, overlay: 32M}}]"


def image_disk(bench, column):
    if column.isolation is None:
        return {}
    measured = guest(bench, "disk,/dev/vda", image_device(bench))
    found = figures_of(bench.machine.run(column, [measured], extra=ICOUNT, timeout=300))
    return {"image_" + name: figure for name, figure in found.items()}


def exits_of(bench, column, name, devices, extra=()):
    """How many exits a request costs, and of which kinds those of a random read are."""
    found = lives.figures_of(bench, column, "lives=exits", beside=[guest(bench, "phases,/dev/vda", devices)], timeout=300,
                             rights="manage, console", extra=ICOUNT + list(extra))
    exits = {}
    for figure, count in found.items():
        pattern, kind = figure.rsplit("_", 1)
        exits.setdefault(f"{name}_{pattern}", {})[kind] = count / REQUESTS
    return {row: sum(kinds.values()) for row, kinds in exits.items()} | {
        f"{row}_{kind}": count for row, kinds in exits.items() if row.endswith("read_4k_random")
        for kind, count in kinds.items() if count >= 0.01}


def host_disk_exits(bench, column):
    runs = [exits_of(bench, column, "host", "[{host-disk: measured}]", HOST_DISK) for _ in range(HOST_DISK_RUNS)]
    return min(runs, key=lambda run: run["host_read_4k_random"])


def image_disk_exits(bench, column):
    return exits_of(bench, column, "image", image_device(bench))


def host_serve(door):
    """What the serving guest does: takes 8 MiB, answers, and then each byte."""
    peer, _ = door.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    left = 8 << 20
    while left > 0:
        part = peer.recv(min(left, 1 << 16))
        if not part:
            return
        left -= len(part)
    peer.send(b"x")
    while byte := peer.recv(1):
        peer.send(byte)


def to_host(bench, column, devices=""):
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=host_serve, args=(door,), daemon=True).start()
        sender = guest(bench, f"send,10.0.2.2,{door.getsockname()[1]}", devices, "10.0.2.15/24")
        return figures_of(bench.machine.run(column, [sender], extra=ICOUNT + HOST_NET, timeout=600))


def network(bench, column):
    if column.isolation is None:
        return to_host(bench, column)
    sender = guest(bench, "send,10.1.0.2,5201", "[{net: lan}]", "10.1.0.1/24")
    server = guest(bench, "serve", "[{net: lan}]", "10.1.0.2/24")
    return figures_of(bench.machine.run(column, [sender, server], extra=ICOUNT, timeout=600, until=r"^BENCH done"))


def uplink(bench, column):
    runs = [to_host(bench, column, f"[{{net: {UPLINK}}}]") for _ in range(HOST_NET_RUNS)]
    return {"host_" + name: min(run[name] for run in runs) for name in runs[0]}


def wakes_of(bench, column, name, what, beside=(), extra=()):
    found = lives.figures_of(bench, column, f"lives=wakes-beside {what}".strip(), beside=list(beside), timeout=300,
                             rights="manage, console" if beside else "manage", extra=ICOUNT + list(extra))
    return {figure.replace("wake", "wake_" + name): value for figure, value in found.items()}


def wakes(bench, column):
    """Of who sleeps: alone, beside one that spins, and beside Linux guests at work."""
    found = wakes_of(bench, column, "alone", "") | wakes_of(bench, column, "beside_spinner", "spinning=1")
    for kib in (4, 1024):
        busy = f"busy,/dev/vda,{kib}"
        image, host = guest(bench, busy, image_device(bench)), guest(bench, busy, "[{host-disk: measured}]")
        found |= wakes_of(bench, column, f"beside_image_{kib}k", "others=1", [image])
        found |= wakes_of(bench, column, f"beside_host_{kib}k", "others=1", [host], HOST_DISK)
    return found | wakes_of(bench, column, "beside_tcp", "others=2", [
        guest(bench, "flood,10.1.0.2,5201", "[{net: lan}]", "10.1.0.1/24"),
        guest(bench, "sink", "[{net: lan}]", "10.1.0.2/24")])


# What there is natively too, or only of capsules.
TABLES = [
    ("Disks of Linux guests, instructions for a request", DISK_NOTE, True, [host_disk, image_disk]),
    ("Disks of Linux guests, exits for a request", EXITS_NOTE, False, [host_disk_exits, image_disk_exits]),
    ("Networks of Linux guests, instructions", NETWORK_NOTE, True, [network, uplink]),
    ("Wake-ups beside devices at work, nanoseconds by the machine's clock (= instructions)", WAKES_NOTE, False, [wakes]),
]


def tables_of(bench):
    for title, note, natively, functions in TABLES:
        table = Table(title, note, ratios=natively)
        for column in (c for c in bench.columns if natively or c.isolation):
            for function in functions:
                bench.measure(table, column, lambda c, f=function: f(bench, c))
        yield table

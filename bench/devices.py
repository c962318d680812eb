"""Disks and networks of Linux guests: QEMU's own devices natively, ours in capsules."""
import socket
import threading

from figures import Table, lines_of
from machine import ICOUNT, MachineError

HOST_DISK_RUNS = 3
DISK_NOTE = ("`-icount shift=0,sleep=off`, one hart: the instructions it retires for each request of 4 KiB, one at a time, "
             "past the page cache, whoever's they are. The machine's disk answers at once, with zeros. host_...: natively "
             "QEMU's device, in a capsule ours, and behind it QEMU's. image_...: a disk in the bundle, with an overlay. "
             "Where QEMU's part comes later the guest goes to sleep and back, a fifth more, which depends on the host: of "
             f"host_... the least of {HOST_DISK_RUNS} runs.")
NETWORK_NOTE = ("`-icount shift=0,sleep=off`, one hart: the instructions it retires for each MiB of a TCP stream, and for a "
                "byte there and back. Natively from the guest to the host, whose own are not counted; in capsules from "
                "one to another, both counted. The bare machine's differ by a fifth from run to run.")
VERSION_2 = ["-global", "virtio-mmio.force-legacy=false"]
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


def image_disk(bench, column):
    if column.isolation is None:
        return {}
    image = bench.machine.path("image")
    with open(image, "wb") as out:
        out.truncate(16 << 20)
    measured = guest(bench, "disk,/dev/vda", f"[{{disk: {image}, overlay: 32M}}]")
    found = figures_of(bench.machine.run(column, [measured], extra=ICOUNT, timeout=300))
    return {"image_" + name: figure for name, figure in found.items()}


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


def network(bench, column):
    if column.isolation is None:
        with socket.create_server(("127.0.0.1", 0)) as door:
            threading.Thread(target=host_serve, args=(door,), daemon=True).start()
            sender = guest(bench, f"send,10.0.2.2,{door.getsockname()[1]}", address="10.0.2.15/24")
            nic = VERSION_2 + ["-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net"]
            return figures_of(bench.machine.run(column, [sender], extra=ICOUNT + nic, timeout=600))
    sender = guest(bench, "send,10.1.0.2,5201", "[{net: lan}]", "10.1.0.1/24")
    server = guest(bench, "serve", "[{net: lan}]", "10.1.0.2/24")
    return figures_of(bench.machine.run(column, [sender, server], extra=ICOUNT, timeout=600, until=r"^BENCH done"))


def tables_of(bench):
    for title, note, functions in [("Disks of Linux guests, instructions for a request", DISK_NOTE, [host_disk, image_disk]),
                                   ("Networks of Linux guests, instructions", NETWORK_NOTE, [network])]:
        table = Table(title, note)
        for column in bench.columns:
            for function in functions:
                bench.measure(table, column, lambda c, f=function: f(bench, c))
        yield table

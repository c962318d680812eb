"""Boots one QEMU machine, natively or under Diosix, and gives back what it printed."""
import os
import re
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ICOUNT = ["-icount", "shift=0,sleep=off"]
UPLINK = "outside"  # the switch that has the machine's network device
TICK_NS = 100  # of the clock of QEMU's virt machine


class Column:
    """Where something is measured: natively, or under one isolation back end."""

    def __init__(self, name, isolation=None, cpu=""):
        self.name, self.isolation, self.cpu = name, isolation, cpu


class Guest:
    """What is measured: a Linux kernel with its initrd, or a bare payload."""

    def __init__(self, kernel, initrd=None, cmdline="", memory="256M", vcores=1, rights=""):
        self.kernel, self.initrd, self.cmdline = kernel, initrd, cmdline
        self.memory, self.vcores, self.rights = memory, vcores, rights
        self.devices = ""  # as the manifest has them

    def manifest(self, name):
        lines = [f"  - name: {name}", f"    kernel: {self.kernel}"]
        if self.initrd:
            lines.append(f"    initrd: {self.initrd}")
        if self.cmdline:
            lines.append(f'    cmdline: "{self.cmdline}"')
        if self.rights:
            lines += [f"    rights: [{self.rights}]", "    quota: {memory: 4G, vcores: 4000, capsules: 2000}"]
        if self.devices:
            lines.append(f"    devices: {self.devices}")
        return "\n".join(lines + [f"    memory: {self.memory}", f"    vcores: {self.vcores}"])


class MachineError(Exception):
    pass


class Machine:
    def __init__(self, arch="rv64", verbose=False):
        self.arch, self.verbose = arch, verbose
        self.folder = tempfile.mkdtemp(prefix="diosix-bench-")

    def path(self, name):
        return os.path.join(self.folder, name)

    def pack(self, guests):
        manifest, bundle = self.path("bench.yaml"), self.path("bench.itb")
        with open(manifest, "w") as out:
            for net in sorted(set(re.findall(r"\bnet: (\w+)", " ".join(guest.devices for guest in guests)))):
                out.write(f"switches:\n  - name: {net}\n" + ("    uplink: true\n" if net == UPLINK else ""))
            out.write("capsules:\n")
            for number, guest in enumerate(guests):
                out.write(guest.manifest(f"guest{number}") + "\n")
        pack = os.path.join(ROOT, "build/tools/pack")
        subprocess.run([pack, "--arch", self.arch, manifest, "-o", bundle], check=True, stdout=subprocess.DEVNULL)
        return bundle

    def command(self, column, guests, harts=1, memory="1G", options="", extra=()):
        if column.isolation is None:
            memory = guests[0].memory if guests[0].initrd else memory  # a payload has no room for the firmware
        line = [f"qemu-system-riscv{self.arch[2:]}", "-machine", "virt", "-smp", str(harts), "-m", memory,
                "-display", "none", "-monitor", "none", "-serial", "stdio", "-seed", "1"]
        if column.cpu:
            line += ["-cpu", column.cpu]
        if column.isolation is None:
            guest = guests[0]
            line += ["-kernel", guest.kernel, "-append", guest.cmdline]
            if guest.initrd:
                line += ["-initrd", guest.initrd]
        else:
            elf = os.path.join(ROOT, "build", self.arch, "diosix.elf")
            line += ["-bios", "none", "-kernel", elf, "-initrd", self.pack(guests),
                     "-append", f"isolation={column.isolation} console=attach:guest0 {options}".strip()]
        return line + list(extra)

    def run(self, column, guests, timeout=300, until=None, **arguments):
        """Returns the output, up to the machine's end or a line that matches `until`."""
        line = self.command(column, guests, **arguments)
        if self.verbose:
            print("+", " ".join(line))
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            return self.read(process, time.monotonic() + timeout, until)
        finally:
            process.kill()
            process.wait()

    def read(self, process, deadline, until):
        output = b""
        os.set_blocking(process.stdout.fileno(), False)
        while time.monotonic() < deadline:
            chunk = process.stdout.read()
            if chunk:
                output += chunk
            elif chunk == b"":
                break
            else:
                time.sleep(0.01)
            if until and re.search(until, output.decode(errors="replace"), re.M):
                break
        else:
            raise MachineError("does not end; the last it said:\n" + output.decode(errors="replace")[-2000:])
        return output.decode(errors="replace").replace("\r", "")

    def time_said(self, column, guests, address, pattern, **arguments):
        """Nanoseconds from reset until the guest read its clock and printed it, in ticks, as `pattern`
        has it. A capsule's clock does not start at reset: a debugger stops the machine in the guest, at
        a virtual address, and reads how far its clock is set off."""
        path, log = self.path("gdb"), self.path("log")
        extra = ICOUNT + ["-S", "-gdb", f"unix:path={path},server=on,wait=off"]
        line = self.command(column, guests, extra=extra, **arguments)
        with open(log, "w") as out:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            debugger = Debugger(path)
            debugger.run_to(address)
            offset = debugger.time_offset()
            debugger.go_on()
            return (wait_for_line(log, pattern) - offset) * TICK_NS
        except (OSError, MachineError) as error:
            with open(log, errors="replace") as out:
                raise MachineError(f"{error}\n{out.read()[-2000:]}") from error
        finally:
            process.kill()
            process.wait()
            if os.path.exists(path):
                os.unlink(path)


def wait_for_line(log, pattern):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with open(log, errors="replace") as out:
            match = re.search(pattern, out.read())
        if match:
            return int(match.group(1))
        time.sleep(0.05)
    raise MachineError(f"never said {pattern}")


class Debugger:
    """As much of GDB's remote protocol as it takes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(300)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.buffer = b""

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) % 256))

    def receive(self):
        while True:
            match = re.search(rb"\$([^#]*)#..", self.buffer)
            if match:
                self.buffer = self.buffer[match.end():]
                self.socket.sendall(b"+")
                return match.group(1).decode()
            chunk = self.socket.recv(4096)
            if not chunk:
                raise MachineError("the machine ended before it got there")
            self.buffer += chunk

    def ask(self, text):
        self.send(text)
        return self.receive()

    def run_to(self, address):
        if self.ask(f"Z1,{address:x},2") != "OK":
            raise MachineError("breakpoint refused")
        answer = self.ask("c")
        if not answer.startswith("T"):
            raise MachineError(f"stopped with {answer}")
        self.ask(f"z1,{address:x},2")

    def go_on(self):
        self.send("c")

    def time_offset(self):
        """htimedelta, a signed number; 0 on harts that have none."""
        offset = self.csr("htimedelta") | self.csr("htimedeltah") << 32
        return offset - (1 << 64) if offset >> 63 else offset

    def csr(self, name):
        xml = self.ask("qXfer:features:read:riscv-csr.xml:0,fffff")
        match = re.search(rf'name="{name}"[^>]*regnum="(\d+)"', xml)
        if not match:
            return 0
        value = self.ask(f"p{int(match.group(1)):x}")
        return 0 if value.startswith("E") else int.from_bytes(bytes.fromhex(value), "little")

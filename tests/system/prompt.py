"""The management prompt, as programs use it: a command, what it prints, and a last line that says how it went."""
import re
import time

AT_PROMPT = r"\[dio\] at the prompt - [^\n]*\n(?:\r*\[dio\] [^\n]*\n)*[^\n]*dio> "
RESULT = r"(?:^|\n)(ok|error: [^\r\n]*)\s*\n(?:\[dio\] [^\n]*\n)*\r?(?:\x1b\[K)?dio> "


class Refused(AssertionError):
    """A command ended in an error."""


def open_prompt(m, key="d"):
    m.key(key)
    m.expect(AT_PROMPT)


def say(m, command, timeout=120):
    """Gives a command; returns what was said, its result last."""
    m.line(command)
    m.expect(re.escape(command) + r"\s*?\n", timeout=timeout)
    m.expect(RESULT, timeout=timeout)
    return (m.child.before + "\n" + m.child.match.group(1)).replace("\r", "").strip()


def do(m, command, timeout=120):
    """Gives a command that must succeed; returns what it printed."""
    said = say(m, command, timeout)
    if not said.endswith("ok"):
        raise Refused(f"{command}: {said}")
    return said[:-2].rstrip()


def go(m, name):
    """From the prompt to a capsule's terminal."""
    m.line(f"console {name}")
    m.expect(rf"\[dio\] at {name} - [^\n]*\n")


def at(m, name, command):
    """From the prompt, runs a command at a Linux' prompt; comes back and returns what it printed."""
    go(m, name)
    printed = m.command(command, r"\S+")
    open_prompt(m)
    return printed


FIELDS = ["id", "name", "state", "memory", "private", "vcores", "isolation", "time", "restarts"]


def rows(m):
    """What list says of all but the console service: by name, a dictionary of strings."""
    lines = [line.split() for line in do(m, "list").splitlines() if re.match(r"\s*\d+ ", line)]
    return {words[1]: dict(zip(FIELDS, words)) for words in lines if words[1] != "console"}


def state(m, name):
    row = rows(m).get(name)
    return row and row["state"]


def state_comes(m, name, wanted, seconds=120):
    until = time.monotonic() + seconds
    while state(m, name) != wanted:
        assert time.monotonic() < until, f"{name} is {state(m, name)}, not {wanted}"
        time.sleep(0.2)


def memory_free(m):
    """In KiB, exactly."""
    return int(re.search(r"free (\d+)K", do(m, "machine")).group(1))

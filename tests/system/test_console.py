"""The console service: views, keys and the prompt, as a program in a capsule."""
import re

import pytest
from conftest import GSTAGE, PMP_BARE, PROMPT, linux, payload
from prompt import open_prompt


def waits(name, **keys):
    return payload("ends", name, cmdline="end=never", vcores=1, **keys)


def command(m, text, answer):
    m.line(text)
    m.expect(answer)
    m.expect(r"ok\r+\n|failed")
    m.expect("dio> ")


@pytest.mark.both_widths
def test_views_and_prompt(machine, backend):
    m = machine([waits("one"), waits("two")], backend, terminal="one")
    m.expect("at one - Ctrl-]")
    m.key("n")
    m.expect("at two - Ctrl-]")
    m.key("a")
    m.expect("all capsules, input to one")
    open_prompt(m)
    command(m, "list", r"1 one +running(.*\n)+.*2 two +running(.*\n)+.*3 console +running")
    command(m, "kill two", "two: killed; it has ended")
    command(m, "start two", r"two|ok")
    m.send("pause tw\t")
    m.expect("pause two")
    command(m, "", "")
    m.line("poweroff")
    assert m.end() == 0


def test_ends_with_the_last(machine, backend):
    """The service does not keep the machine on, and failures are told."""
    m = machine([payload("ends", "one", cmdline="end=failure", vcores=1)], backend, terminal="all")
    m.expect("one: shut down, reporting failure")
    assert m.end() == 1


def test_nothing_is_lost(machine, backend):
    """Kill the service again and again: the hypervisor shows what it did not, and then it has the terminal again."""
    m = machine([waits("one")], backend, terminal="all")
    m.expect("all capsules, input to one")
    for _ in range(3):
        open_prompt(m)
        m.line("restart console")
        m.expect("console: killed; restarting")
        m.expect("all capsules, input to one")
    open_prompt(m)
    command(m, "list", r"2 console +running")
    m.line("poweroff")
    assert m.end() == 0
    assert len([line for line in m.console().splitlines() if "START ends" in line]) == 1


@pytest.mark.parametrize("backend", [GSTAGE, PMP_BARE], ids=repr)
def test_linux(machine, backend):
    m = machine([linux()], backend, terminal="linux1")
    m.expect(PROMPT.format("linux1"))
    assert "linux1" in m.command("hostname")
    m.line("yes capsule | head -n 2000; echo end-of-$((1+1))")
    m.expect("end-of-2")
    m.expect(PROMPT.format("linux1"))
    assert m.console().count("capsule\n") >= 2000
    m.line("poweroff")
    m.expect("linux1: shut down; it has ended")
    assert m.end() == 0


@pytest.mark.parametrize("backend", [GSTAGE], ids=repr)
def test_leaving_and_coming_back_loses_nothing(machine, backend):
    """From all capsules to the prompt and back, in the middle of lines: nothing is shown twice, nothing is missing but
    what is said to be (a slow host may leave the prompt late)."""
    m = machine([linux()], backend, terminal="linux1")
    m.expect(PROMPT.format("linux1"))
    m.command("stty -echo")
    m.line("(sleep 2; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line-$i-end; done; echo all-is-said) &")
    m.key("a")
    m.expect("all capsules, input to")
    for _ in range(20):
        m.expect(r"line-\d+-end")
        m.key("d")
        m.expect("dio> ")
        m.key("a")
        m.expect("all capsules, input to")
    m.expect("all-is-said")
    m.key("Q")
    m.end()
    said = m.console()
    dropped = [int(count) for count in re.findall(r"(\d+) bytes of output dropped", said)]
    assert sum(dropped) < 45000
    text = "".join(line.partition("] ")[2] for line in said.splitlines() if line.startswith("[linux1] "))
    numbers = [int(number) for number in re.findall(r"line-(\d+)-end", text)]
    assert numbers == (sorted(set(numbers)) if dropped else list(range(1, 3001)))

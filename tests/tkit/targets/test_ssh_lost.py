"""A connection that ends in mid-work: one clean message here, and nothing is left there."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tkit
from tkit import console
from tkit.bench_config import Bench
from tkit.remote import client, connection
from tkit_edge.errors import InputError

WORK = ["/bin/sh", "-c", "echo $$ >&2; exec sleep 600"]


def end_sessions(machine, number=signal.SIGKILL):
    for pid in machine.sessions():
        os.kill(pid, number)


def test_a_session_that_is_killed_in_mid_measurement(bundle, machine, devices, ended, monkeypatch):
    agents = []

    def kill(line):
        if line.endswith(" ms") and not agents:
            agents.extend(machine.agents())
            end_sessions(machine)

    monkeypatch.setattr(console, "progress", kill)
    with pytest.raises(InputError, match="The connection to 127.0.0.1 was lost while .* ran there: "):
        tkit.bench_on(bundle, ["pi"], settings=Bench(seconds=1, formats=("int8",)))
    [agent] = agents
    assert ended(agent)
    assert machine.left() == []


@pytest.mark.parametrize("end", [KeyboardInterrupt, "killed"])
def test_what_runs_there_ends_with_the_connection(machine, ended, end):
    running = []

    def stop(data):
        running.append(int(data))
        if end == "killed":
            return end_sessions(machine)
        raise end

    with pytest.raises(InputError if end == "killed" else end), machine.connect() as there:
        agent = there.facts["pid"]
        there.run(WORK, stop)
    assert ended(agent) and ended(running[0])
    assert machine.left() == []


def test_ctrl_c_ends_the_command_at_both_ends(bundle, machine, devices):
    command = [sys.executable, "-m", "tkit", "bench", bundle, "--device", "pi", "--seconds", "600"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not machine.left() and process.poll() is None:
            os.sched_yield()
        [agent] = machine.agents()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130 and "Traceback" not in said, said
    assert not Path(f"/proc/{agent}").exists()
    assert machine.left() == []


def test_the_end_of_this_process_ends_the_one_there(machine, ended):
    code = (
        "import sys; from pathlib import Path; from tkit.remote.address import Address; "
        "from tkit.remote.connection import Connection\n"
        f"with Connection(Address.parse({machine.address!r}), ['python3'], Path({str(machine.config)!r})) as there:\n"
        "    print(there.facts['pid'], flush=True)\n"
        f"    there.run({WORK!r}, lambda data: print(int(data), flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        pids = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
    assert all(map(ended, pids))
    assert machine.left() == []


def end_after(session, size):
    """Kills a session once it has received so many bytes."""
    while int(re.search(r"rchar: (\d+)", Path(f"/proc/{session}/io").read_text())[1]) < size:
        os.sched_yield()
    os.kill(session, signal.SIGKILL)


def test_a_transfer_that_is_cut_in_the_middle_names_the_file(machine, ended, tmp_path):
    (tmp_path / "model.tflite").write_bytes(bytes(32 << 20))
    lost = pytest.raises(InputError, match=r"was lost while model.tflite \(33,554,432 bytes\) was sent")
    with lost, machine.connect() as there:
        agent, [session] = there.facts["pid"], machine.sessions()
        os.kill(agent, signal.SIGSTOP)  # so that the file can't arrive before the cut
        cut = threading.Thread(target=end_after, args=(session, 1 << 20))
        cut.start()
        try:
            there.put(tmp_path / "model.tflite", "model.tflite")
        finally:
            cut.join()
            os.kill(agent, signal.SIGCONT)  # it finds the beginning of the file, and the end of the connection
    assert ended(agent)
    assert machine.left() == []


def test_a_connection_that_falls_silent_ends_at_both_ends(machine, ended, monkeypatch):
    monkeypatch.setattr(client, "ALIVE_SECONDS", 1)
    monkeypatch.setattr(client, "ALIVE_COUNT", 2)
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 4)
    running = []

    def stop(data):
        running.append(int(data))
        end_sessions(machine, signal.SIGSTOP)

    with pytest.raises(InputError, match="lost while sh ran there: .*not responding"), machine.connect() as there:
        there.run(WORK, stop)
    assert ended(there.facts["pid"]) and ended(running[0])  # while sshd there still believes in the connection
    assert machine.left() == []
    end_sessions(machine)


def test_a_program_there_that_dies_is_one_message(machine):
    with machine.connect() as there:
        os.kill(there.facts["pid"], signal.SIGKILL)
        with pytest.raises(InputError, match="or Python there was killed"):
            there.run(WORK, print)

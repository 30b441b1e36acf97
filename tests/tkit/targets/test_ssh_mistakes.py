"""What can be wrong with another machine, and with what is sent there: one message each, which says what to do."""

import json
import re
import socket
import subprocess
import sys

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

import tkit
from tkit.remote import environment
from tkit.remote.address import Address
from tkit.targets import target_of
from tkit_edge.errors import InputError

OLD = "echo tkit: python 3.7; cat >/dev/null"  # a stand-in for a Python of that version
EMPTY = f'exec {sys.executable} -S "$@"'  # a Python without packages


def refused(run, *parts):
    """The message of the InputError that `run` ends with, which has all of the parts."""
    with pytest.raises(InputError) as error:
        run()
    message = str(error.value)
    assert all(part in message for part in parts), message
    assert "Traceback" not in message and message.count("\n") == 0
    return message


def test_a_host_that_nobody_knows():
    target = target_of("ssh://pi@no-such-host.invalid")
    refused(target.session().__enter__, "There is no host no-such-host.invalid: ")


def test_a_port_on_which_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = target_of(f"ssh://127.0.0.1:{port}")
    refused(target.session().__enter__, f"127.0.0.1 refuses connections on port {port}: ", "systemctl enable --now ssh")


def test_a_key_that_is_refused(machine):
    (machine.folder / "authorized_keys").write_text("")
    refused(machine.connect, "refuses your ssh keys", f"ssh-copy-id -p {machine.port} 127.0.0.1")


def test_a_host_key_that_is_not_known(machine):
    machine.known.write_text("")
    refused(machine.connect, "isn't known on this machine", f"accept it: ssh -p {machine.port} 127.0.0.1")
    assert machine.known.read_text() == ""  # it isn't accepted by itself


def test_a_host_key_that_has_changed(machine):
    machine.known.write_text(f"[127.0.0.1]:{machine.port} {(machine.folder / 'user_key.pub').read_text()}")
    refused(machine.connect, "another one than in your known_hosts", f"ssh-keygen -R '[127.0.0.1]:{machine.port}'")


def test_an_ssh_configuration_that_cannot_be_read(machine):
    machine.config.write_text("Hots *\n")
    refused(machine.connect, "Your ssh configuration: ", "hots")
    machine.config.unlink()
    refused(machine.connect, "Your ssh configuration: Can't open user config file")


def test_no_ssh_here(machine, monkeypatch):
    monkeypatch.setenv("PATH", "")
    refused(machine.connect, "sudo apt install openssh-client")


def test_a_machine_that_gives_no_shell(machine):
    key = (machine.folder / "user_key.pub").read_text()
    (machine.folder / "authorized_keys").write_text(f'command="echo files only; exit 1" {key}')
    refused(machine.connect, "ran no shell command (exit code 1): files only")


def test_no_python_there(machine, bundle, devices):
    machine.start(PATH=str(machine.folder / "bin"))
    devices()
    refused(lambda: tkit.check(bundle, device="bare"), "has no Python", "sudo apt install python3", 'python = "/')


def test_the_python_of_devices_toml_is_not_there(machine):
    refused(lambda: machine.connect("/opt/no/python"), "has no Python (/opt/no/python)")


def test_a_python_there_that_is_too_old(machine):
    machine.tool("python3", OLD)
    refused(machine.connect, "has Python 3.7; tkit-edge needs 3.9 or newer", 'python = "/')


def test_a_python_there_without_numpy_and_runtime(machine, bundle, devices):
    machine.tool("python3", EMPTY)
    message = refused(lambda: tkit.check(bundle, device="bare"), "lacks numpy and a LiteRT runtime", "--install")
    assert re.search(r"by hand: ssh -p \d+ 127.0.0.1 'python3 -m venv .* && .*pip install numpy ", message)
    assert machine.left() == []


def test_the_python_of_devices_toml_without_packages_gets_them_itself(machine, bundle):
    python = str(machine.tool("python3.11", EMPTY))
    settings = {"ssh_config": machine.config, "python": python, "install": True}
    target = target_of(f"ssh://{machine.address}", settings)
    refused(lambda: target.check(bundle), f"{python} -m pip install numpy ai-edge-litert pillow")


def test_a_disk_there_that_is_full(machine, tmpfs, tmp_path):
    disk = tmpfs("300k")
    machine.start(TMPDIR=str(disk))
    (tmp_path / "model.tflite").write_bytes(bytes(1 << 20))

    def send():
        with machine.connect() as there:
            there.put(tmp_path / "model.tflite", "model.tflite")

    refused(send, "model.tflite (1,048,576 bytes) can't be written to", "No space left on device", "bytes are free")
    assert list(disk.iterdir()) == []


def test_a_disk_there_without_room_for_another_file(machine, tmpfs, tmp_path):
    machine.start(TMPDIR=str(tmpfs("8m,nr_inodes=4")))
    (tmp_path / "model.tflite").write_bytes(bytes(4 << 20))

    def send():
        with machine.connect() as there:
            there.put(tmp_path / "model.tflite", "0/export/model.tflite")

    refused(send, "model.tflite (4,194,304 bytes) can't be written to", "No space left on device")


def test_an_operator_that_the_runtime_there_is_too_old_for(machine, bundle, devices, tmp_path):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((bundle / "model-int8.tflite").read_bytes(), 0))
    model.operatorCodes[0].version = 99
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "model.tflite").write_bytes(builder.Output())
    with pytest.raises(InputError, match="model.tflite cannot be run by this runtime") as error:
        tkit.bench_on(tmp_path / "model.tflite", ["pi"])
    assert "99" in str(error.value) and str(tmp_path) in str(error.value)


def test_a_bundle_that_is_truncated_or_newer_is_not_sent(bundle, machine, devices):
    model = bundle / "model-int8.tflite"
    model.write_bytes(model.read_bytes()[:-1])
    refused(lambda: tkit.check(bundle, device="pi"), f"{model} has 6,999 bytes, bundle.json says 7,000")
    document = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**document, "version": 3}))
    refused(lambda: tkit.check(bundle, device="pi"), "has version 3", "Update tkit-edge")


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("ssh://", "Expected a device ssh://[user@]host[:port]"),
        ("ssh://pi@", "Expected a device"),
        ("ssh://-oProxyCommand=reboot", "Expected a device"),
        ("ssh://-lroot@host", "Expected a device"),
        ("ssh://host;reboot", "Expected a device"),
        ("ssh://pi:raspberry@host", "without a password"),
        ("ssh://host:ssh", "the port is a number"),
        ("ssh://host:70000", "the port is a number"),
    ],
)
def test_an_address_that_is_none(address, part):
    message = refused(lambda: target_of(address), part)
    assert "raspberry" not in message  # the password


def test_addresses_that_are_some():
    assert Address.parse("pi@[fe80::1%eth0]:2222/") == Address("fe80::1%eth0", "pi", 2222)
    assert target_of("ssh:my_pi").title == "ssh://my_pi"


@pytest.mark.parametrize(
    ("machine", "bits", "python", "found"),
    [
        ("aarch64", 64, "3.11.2", "ai-edge-litert"),
        ("x86_64", 64, "3.13.0", "ai-edge-litert"),
        ("armv7l", 32, "3.11.2", "tflite-runtime"),
        ("aarch64", 32, "3.9.1", "tflite-runtime"),  # Raspberry Pi OS of 32 bits on a 64-bit kernel
        ("armv7l", 32, "3.13.5", "wheels for ARMv7 up to Python 3.11. Install a 64-bit system"),
        ("armv6l", 32, "3.11.2", "no LiteRT runtime for a 32-bit system on armv6l"),
        ("i686", 32, "3.11.2", "no LiteRT runtime for a 32-bit system on i686"),
    ],
)
def test_what_is_installed_depends_on_the_system(machine, bits, python, found):
    facts = {"machine": machine, "bits": bits, "python": python}
    if " " in found:
        refused(lambda: environment.requirements(facts), found)
    else:
        assert found in environment.requirements(facts)


def test_installing_is_for_machines(bundle, devices, machine):
    refused(lambda: tkit.check(bundle, device="local", install=True), "--install is for devices", "local")


def test_a_real_python_of_another_version_runs_the_agent(machine):
    """The oldest that tkit-edge allows, where it is installed."""
    path = subprocess.run(["sh", "-c", "ls -d ~/.pyenv/versions/3.9.*/bin/python"], capture_output=True, text=True)
    if not path.stdout.strip():
        pytest.skip("no Python 3.9 here")
    with machine.connect(path.stdout.split()[0]) as there:
        assert there.facts["python"].startswith("3.9.")
        assert there.run(["echo", "here"], print).output == b"here\n"

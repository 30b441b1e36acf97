"""What the tests of devices share, with a machine to reach by ssh: Debian's own sshd on this one."""

import functools
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest

import tkit
from tkit.cli import main
from tkit.conversion.converter import Converter
from tkit.graph import of_size
from tkit.models import Spec, Statistics
from tkit.models.fasttext import FastText
from tkit.models.mobilenet import MobileNet
from tkit.models.resnet import ResNet
from tkit.remote.address import Address
from tkit.remote.connection import Connection
from tkit_edge.tensors import TensorSpec

HOST, SSHD = "127.0.0.1", "/usr/sbin/sshd"
FROZEN = Path(__file__).parents[2] / "frozen" / "runs-1" / "finished-1"
SECONDS = 60  # until a process that should end has
IMAGES = Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0))
TEXTS = Spec((TensorSpec("tokens", (12,), "int32"),), (TensorSpec("logits", (3,), "float32"),), {}, {"tokens": 60})
FAMILIES = {
    "resnet8": (ResNet(depth=8, width=8), IMAGES),
    "mobilenet": (MobileNet(width=0.25, output_stride=8), IMAGES),
    "bag of n-grams": (FastText(width=8), TEXTS),
}


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Machine:
    """The far end, with keys, home and temporary folder of its own; and the configuration that ssh reaches it by."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("home", "tmp", "bin"):
            (folder / name).mkdir()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self.config, self.known = folder / "ssh_config", folder / "known_hosts"
        self.process, self.log = None, []

    def start(self, **environment):
        """Starts sshd on a free port, again if it runs; `environment` changes that of its sessions."""
        self.stop()
        variables = {"HOME": "home", "PATH": "bin", "TMPDIR": "tmp"}
        variables = {name: str(self.folder / path) for name, path in variables.items()}
        variables = {**variables, "PATH": f"{variables['PATH']}:/usr/bin:/bin", **environment}
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        settings = {
            "Port": self.port,
            "ListenAddress": HOST,
            "HostKey": self.folder / "host_key",
            "AuthorizedKeysFile": self.folder / "authorized_keys",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UsePAM": "no",
            "StrictModes": "no",
            "PidFile": "none",
            "SetEnv": " ".join(f"{name}={value}" for name, value in variables.items()),
        }
        lines = [f"{name} {value}\n" for name, value in settings.items()]
        (self.folder / "sshd_config").write_text("".join(lines))
        self.known.write_text(f"[{HOST}]:{self.port} {(self.folder / 'host_key.pub').read_text()}")
        self.config.write_text(
            f"Host {HOST}\nIdentityFile {self.folder}/user_key\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {self.known}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking ask\n"
        )
        command = [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            self.log.append(line)
            if "listening" in line:
                break
        else:
            pytest.fail("".join(self.log))
        threading.Thread(target=self.log.extend, args=(self.process.stderr,), daemon=True).start()
        return self

    @property
    def address(self):
        """For `--device ssh://`."""
        return f"{HOST}:{self.port}"

    def connect(self, *pythons):
        """A connection to it, without what tkit-edge needs."""
        return Connection(Address.parse(self.address), pythons or ["python3"], self.config)

    def tool(self, name, script):
        """Puts a program on the path there."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def sessions(self):
        """The processes of connections."""
        return children(self.process.pid)

    def agents(self):
        """What they have started."""
        return [pid for session in self.sessions() for pid in children(session)]

    def left(self):
        """What is in the temporary folder there."""
        return sorted(path.name for path in (self.folder / "tmp").iterdir())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


@pytest.fixture
def ended():
    """A function that waits until a process has ended: whether it did in time."""

    def wait(pid):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([descriptor], [], [], SECONDS)[0])
        finally:
            os.close(descriptor)

    return wait


@pytest.fixture
def bundle(tmp_path):
    """A bundle of a small classifier of digits."""
    return shutil.copytree(FROZEN / "float" / "export", tmp_path / "export")


@pytest.fixture
def machine(tmp_path):
    """A machine that ssh reaches; skips where there is no sshd."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH here: sudo apt install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it separates privileges, which Debian makes at boot
    (tmp_path / "machine").mkdir()
    made = Machine(tmp_path / "machine")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def devices(machine, tmp_path, monkeypatch):
    """devices.toml with `pi`, that machine with this Python, and `bare`, the same with the Python that is found."""
    path = tmp_path / "devices.toml"

    def write():
        common = f'device = "ssh://{machine.address}"\nssh_config = "{machine.config}"\n'
        path.write_text(f'[pi]\n{common}python = "{sys.executable}"\n\n[bare]\n{common}')

    write()
    monkeypatch.setenv("TKIT_DEVICES", str(path))
    return write


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The run of `make demo`, two steps long: two variants, in all formats."""
    return tkit.run("digits_cnn_edge", dry_run=True, runs_dir=tmp_path_factory.mktemp("demo"))


@pytest.fixture(autouse=True)
def no_devices_of_the_user(tmp_path, monkeypatch):
    """devices.toml is read from a folder of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TKIT_DEVICES", raising=False)


@pytest.fixture
def tkit_command():
    """A function that runs a command line in this process, and gives its exit code."""

    def run(arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return ended.value.code

    return run


@pytest.fixture(scope="session")
def int8_file():
    """A function from the name of a family to an int8 file of it, whose weights are chance, and to examples."""

    @functools.cache
    def made(name):
        family, spec = FAMILIES[name]
        keras.utils.set_random_seed(1)
        chance = np.random.default_rng(1)
        [taken] = spec.inputs
        highest = 256 if taken.dtype == "uint8" else spec.sizes[taken.name]
        given = {taken.name: chance.integers(0, highest, (24, *taken.shape), taken.dtype)}
        model = of_size(family.build(spec), spec.inputs)
        for variable in model.trainable_variables:
            variable.assign(variable + chance.normal(0, 0.1, variable.shape))
        with Converter(model, given, io="int8") as convert:
            return convert("int8"), given

    return made

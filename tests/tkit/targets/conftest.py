"""A machine to reach by ssh: Debian's own sshd on this one, with keys, home and temporary folder of its own."""

import os
import select
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

HOST, SSHD = "127.0.0.1", "/usr/sbin/sshd"
SECONDS = 60  # until a process that should end has


class Machine:
    """The far end: what is there, and the configuration that ssh reaches it by."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("home", "tmp", "bin"):
            (folder / name).mkdir()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self.config, self.known = folder / "ssh_config", folder / "known_hosts"
        self.process, self.log = None, []

    def start(self, environment=None):
        """Starts sshd on a free port; `environment` changes that of its sessions."""
        variables = {"HOME": "home", "PATH": "bin", "TMPDIR": "tmp"}
        variables = {name: str(self.folder / path) for name, path in variables.items()}
        variables = {**variables, "PATH": f"{variables['PATH']}:/usr/bin:/bin", **(environment or {})}
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
        return f"{HOST}:{self.port}"

    def sessions(self):
        """The processes of connections."""
        own = self.process.pid
        return [int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()]

    def left(self):
        """What is in the temporary folder there."""
        return sorted(path.name for path in (self.folder / "tmp").iterdir())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


def ended(pid):
    """Waits until a process has ended; whether it did in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], SECONDS)[0])
    finally:
        os.close(descriptor)


@pytest.fixture
def machine(tmp_path):
    """A machine that ssh reaches; skips where there is no sshd."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH here: sudo apt install openssh-server")
    Path("/run/sshd").mkdir(exist_ok=True)  # where it separates privileges, which Debian makes at boot
    made = Machine(tmp_path)
    try:
        yield made.start()
    finally:
        made.stop()

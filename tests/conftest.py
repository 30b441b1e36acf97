"""What several folders of tests need."""

import shutil
import signal
import subprocess

import pytest

# Jobs started with `&` and some CI runners ignore SIGINT, and what is ignored stays so in children: the tests of Ctrl-C
# would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def tmpfs(tmp_path):
    """Makes a folder on a real file system of its own: `tmpfs("300k")`; skips where mounting is not allowed."""
    folder = tmp_path / "disk"

    def make(size):
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            folder.rmdir()
            pytest.skip("a file system can't be mounted here; root may")
        return folder

    yield make
    if folder.exists():
        subprocess.run(["umount", str(folder)], check=True)

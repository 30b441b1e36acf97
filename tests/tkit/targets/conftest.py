"""What the tests of devices share."""

import pytest

import tkit
from tkit.cli import main


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

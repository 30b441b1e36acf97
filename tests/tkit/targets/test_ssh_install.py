"""--install: an environment of tkit's own, made there by the real venv and pip, from wheels on the disk."""

import importlib.metadata
import re
import sys
import zipfile

import pytest

import tkit
from tkit import console
from tkit.remote.environment import FOLDER
from tkit_edge.errors import InputError

EMPTY = f'exec {sys.executable} -S "$@"'  # a Python without packages
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder with the wheels of what is installed, packed again: numpy, LiteRT, Pillow, and what they need."""
    folder, wanted, packed = tmp_path_factory.mktemp("wheels"), ["numpy", "ai-edge-litert", "pillow"], set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in packed:
            continue
        packed.add(name)
        found = importlib.metadata.distribution(name)
        lines = [line for line in found.requires or () if ";" not in line]
        wanted += [re.match(r"[A-Za-z0-9._-]+", line)[0] for line in lines]
        tag = re.findall(r"^Tag: (.*)$", found.read_text("WHEEL"), re.M)[-1]  # py3's, behind py2's
        path = folder / f"{name.replace('-', '_')}-{found.version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for file in found.files:
                if ".." not in file.parts and file.suffix != ".pyc" and file.name not in ("INSTALLER", "REQUESTED"):
                    wheel.write(file.locate(), str(file))
    return folder


@pytest.fixture
def offline(machine, devices, wheels):
    """The machine with a Python without packages, whose pip finds them in that folder alone."""
    machine.tool("python3", EMPTY)

    def start(**changes):
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
        machine.start(**{**pip, **changes})
        devices()
        return machine

    return start


def test_it_is_made_when_asked_for_and_used_from_then_on(offline, bundle, capfd):
    machine = offline()
    with pytest.raises(InputError, match="--install"):
        tkit.check(bundle, device="bare")
    found = tkit.check(bundle, device="bare", install=True)
    environment = machine.folder / "home" / FOLDER
    assert found["ok"] and found["device"]["interpreter"] == f"{environment}/bin/python"
    assert "installing numpy, ai-edge-litert, pillow into" in capfd.readouterr().err
    assert tkit.check(bundle, device="bare")["device"] == found["device"]  # without being asked again
    tkit.check(bundle, device="bare", install=True)
    assert "installing" not in capfd.readouterr().err  # all is there
    assert [path.name for path in environment.parent.iterdir()] == [environment.name]
    assert machine.left() == []


def test_without_a_network_there_is_one_message_and_nothing_is_left(offline, bundle):
    machine = offline(PIP_NO_INDEX="0", PIP_FIND_LINKS="/nowhere", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="1")
    with pytest.raises(InputError, match="pillow can't be installed: it can't reach its package index; connect it"):
        tkit.check(bundle, device="bare", install=True)
    assert list((machine.folder / "home" / FOLDER).parent.iterdir()) == []
    assert machine.left() == []


def test_a_disk_that_is_too_small_for_it(offline, bundle, tmpfs):
    home = tmpfs("60m")
    offline(HOME=str(home))
    with pytest.raises(InputError, match="can't be installed: its disk is full"):
        tkit.check(bundle, device="bare", install=True)
    assert list((home / FOLDER).parent.iterdir()) == []


def test_a_python_without_venv(offline, bundle):
    machine = offline()
    said = "The virtual environment was not created successfully because ensurepip is not available."
    machine.tool("python3", f'[ "$2" = venv ] && echo "{said}" && exit 1; {EMPTY}')  # a stand-in for Debian's
    with pytest.raises(InputError, match="sudo apt install python3-venv"):
        tkit.check(bundle, device="bare", install=True)


def test_an_interrupted_installation_leaves_nothing(offline, bundle, monkeypatch):
    machine, environments = offline(), []
    folder = (machine.folder / "home" / FOLDER).parent

    def interrupt(line):
        if line.startswith("Processing"):
            environments.extend(path.name for path in folder.iterdir())
            raise KeyboardInterrupt

    monkeypatch.setattr(console, "progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tkit.check(bundle, device="bare", install=True)
    assert environments and list(folder.iterdir()) == []
    assert machine.left() == []

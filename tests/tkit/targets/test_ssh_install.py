"""--install: an environment of tkit's own, made there by the real venv and pip, from wheels on the disk."""

import importlib.metadata
import re
import sys
import zipfile

import pytest

import tkit
from tkit.remote.environment import FOLDER
from tkit_edge.errors import InputError

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
    machine.tool("python3", f'exec {sys.executable} -S "$@"')

    def start(folder=wheels, **more):
        machine.start(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder), PIP_CONFIG_FILE="/dev/null", **more)
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


def test_what_cannot_be_installed_leaves_nothing(offline, bundle, tmp_path):
    (tmp_path / "none").mkdir()
    machine = offline(tmp_path / "none")
    with pytest.raises(InputError, match="can't be installed: .*No matching distribution found for numpy"):
        tkit.check(bundle, device="bare", install=True)
    assert list((machine.folder / "home" / FOLDER).parent.iterdir()) == []
    assert machine.left() == []

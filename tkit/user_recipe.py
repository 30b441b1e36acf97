"""A user's own recipe file: Python that tkit runs for its `recipe()` and for the components that it defines.

A recipe file is code; `--recipe mine.py` requests to run it. The JSON of its recipe names the file's own kinds, so
reading that JSON again needs the unchanged file: its path and sha256 are kept in the run's manifest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from pydantic import ConfigDict, PrivateAttr, ValidationError

from tkit import console, manifest
from tkit.models import Model, Spec
from tkit_edge.errors import InputError, TkitError
from tkit_pipelines.config import Component

Kinds = dict[str, type[Component]]


class Origin(NamedTuple):
    """The Python file that a user's own recipe came from."""

    path: str
    sha256: str

    def state(self) -> str:
        """What is wrong with the file now, or "" if it is unchanged."""
        path = Path(self.path)
        if not path.is_file():
            return "is gone"
        return "" if hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256 else "has changed since"


def origin_beside(recipe_json: Path) -> Origin | None:
    """The origin of a run folder's recipe, from the manifest beside it; None for one of tkit's own.

    A path that is relative or inside the run folder is ignored: an untrusted run folder must not bring its own code.
    """
    try:
        origin = manifest.read(recipe_json.parent)["recipe_origin"]
    except (InputError, KeyError):
        return None
    if origin is None:
        return None
    found = Origin(origin["path"], origin["sha256"])
    path = Path(found.path)
    return found if path.is_absolute() and recipe_json.resolve().parent not in path.resolve().parents else None


def run_file(path: Path) -> tuple[ModuleType, Origin]:
    """Runs a recipe file, once per process and content; prints a line first if it isn't in the working directory.

    Raises:
        InputError: no such file, or one that fails, with its line.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError(f"No recipe file at {path}: {error.strerror}.") from error
    origin = Origin(str(path.resolve()), hashlib.sha256(source).hexdigest())
    name = f"tkit_user_recipe_{origin.sha256[:16]}"
    if name in sys.modules:
        return sys.modules[name], origin
    if not path.resolve().is_relative_to(Path.cwd()):
        console.say(f"{path} is code from outside the working directory: it is run now.")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a .py path always has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks up annotations there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        fail(path, error)
    return module, origin


def own_kinds(module: ModuleType) -> Kinds:
    """The components that a recipe file defines or imports, by kind."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Component)]
    return {cls.model_fields["kind"].default: cls for cls in classes if not cls.model_fields["kind"].is_required()}


def fail(path: Path, error: Exception) -> NoReturn:
    """Raises an error in a recipe file as one message, with the file's line."""
    if isinstance(error, TkitError | ValidationError):
        raise error
    calls = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in calls if Path(frame.filename).resolve() == path.resolve()]
    line = f", line {frames[-1].lineno}" if frames else ""
    raise InputError(f"{path} could not be run{line}: {type(error).__name__}: {error}") from error


class MissingModel(Model):
    """Placeholder for a model whose recipe file is missing or changed: a trained run needs it only to train again."""

    model_config = ConfigDict(extra="allow")
    gives = ("classes", "number")
    _origin: Origin = PrivateAttr()

    @classmethod
    def of(cls, values: dict[str, Any], origin: Origin) -> MissingModel:
        """For the model's part of a recipe.json."""
        missing = cls.model_validate(values)
        missing._origin = origin
        return missing

    def build(self, spec: Spec) -> NoReturn:
        """Raises InputError naming the file that is needed."""
        raise InputError(
            f"The model {self.kind!r} is defined by {self._origin.path} (sha256 {self._origin.sha256}), and that file "
            f"{self._origin.state()}. Restore it to train again; a model that was trained from it can be evaluated, "
            "exported and measured without."
        )

"""The run folder: what a run is made of, and the manifest that records which of its stages are complete.

    runs/<recipe>-<n>/
        recipe.json  manifest.json  history.csv  logs/
        float/       model.keras  architecture.json  weights.npz  (vocabulary.txt)  export/  bench/  evaluate/

A stage writes its files first and its manifest entry last, atomically; output without its entry doesn't count.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit import files, manifest, outdated, results_log, versions
from tkit.contract import Contract, input_of, output_of
from tkit.lock import PATIENCE, locked
from tkit.recipe import Recipe
from tkit.recipe_loading import Loaded, load, with_overrides
from tkit.results import run as shown
from tkit.results.comparison import Comparison
from tkit.results.display import Display
from tkit.results.history import History
from tkit.results.showable import Showable
from tkit.run_location import existing_folder, new_folder, runs_folder
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.outputs import Output
from tkit_pipelines.config import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tkit_pipelines.splits import Splits


class Run(Showable):
    """One run folder. `Run.create` makes a new one, `Run.open` reads one that is there."""

    def __init__(self, folder: Path, recipe: Recipe, content: dict[str, Any]) -> None:
        self.folder = folder
        self.recipe = recipe
        self.manifest = content
        self._locked = False

    @classmethod
    def create(
        cls, loaded: Loaded, runs_dir: str | Path | None = None, *, dry_run: bool = False, note: str | None = None
    ) -> Run:
        """A new folder <runs>/<name>-<n> with the next free n, its data's path absolute; `note` is the manifest's."""
        parent = runs_folder(runs_dir)
        recipe = loaded.recipe.model_copy(update={"data": loaded.recipe.data.located()})
        try:
            folder = new_folder(parent, recipe.name)
            content = {
                "version": manifest.VERSION,
                "tkit": versions.own(),
                "created": _now(),
                "recipe_origin": loaded.origin._asdict() if loaded.origin else None,
                "dry_run": dry_run,
                **({} if note is None else {"data_note": note}),
                "stages": {},
            }
            files.write_bytes(folder / "recipe.json", _json(recipe))
            files.write_json(folder / manifest.NAME, content)
        except OSError as error:
            raise InputError(
                f"Cannot write a run folder in {parent}: {error.strerror}. Choose another place with --runs-dir or "
                "TKIT_RUNS."
            ) from error
        return cls(folder, recipe, content)

    @classmethod
    def open(cls, run: str | Path, runs_dir: str | Path | None = None) -> Run:
        """The run at a path, or of that name in the runs folder.

        Raises:
            InputError: no run there, a damaged manifest, or one written by a newer tkit.
        """
        folder = existing_folder(run, runs_dir)
        content = manifest.read(folder)  # before the recipe: one of a newer tkit says so
        return cls(folder, load(folder / "recipe.json").recipe, content)

    @property
    def variants(self) -> list[str]:
        """The variants whose model is made, the newest last."""
        return [key.rpartition("/")[0] for key in self.manifest["stages"] if key.rpartition("/")[2] in outdated.MAKING]

    @property
    def variant(self) -> str:
        """The newest variant: `float`, or the last that compression made."""
        made = self.variants
        if not made:
            raise InputError(
                f"{self.folder} holds no trained model: its training didn't finish. "
                f"Train again: tkit fit --recipe {self.folder / 'recipe.json'}"
            )
        return made[-1]

    @property
    def dry_run(self) -> bool:
        """Whether all its stages are two steps long."""
        return bool(self.manifest.get("dry_run", False))

    @property
    def data(self) -> dict[str, str]:
        """The place and the digest of the data that the `float` variant was made with; empty where none was kept."""
        return self._origin.get("data", {})

    @property
    def input(self) -> Input:
        """What the model takes."""
        return input_of(self._origin, self.recipe.data, str(self.folder / manifest.NAME), self.folder / "float")

    @property
    def output(self) -> Output:
        """What the model gives."""
        return output_of(self._origin, str(self.folder / manifest.NAME))

    @property
    def history(self) -> History:
        """What each epoch of its training reached; InputError where none was recorded."""
        return History.read(self.folder / "history.csv")

    @property
    def comparison(self) -> Comparison:
        """Its variants and their exported files side by side; `tkit.compare` takes several runs."""
        return shown.comparison(self.folder, self.manifest["stages"], self.variants)

    def display(self) -> Display:
        """Its recipe and training, over its variants' files."""
        return shown.display(self.folder, self.recipe, self.manifest["stages"], self.variants)

    def records(self) -> list[dict[str, Any]]:
        """`comparison`'s."""
        return self.comparison.records()

    def draw(self, axes: Axes) -> None:
        """`comparison`'s; before anything is exported the learning curves."""
        curves = not self.comparison.has_files and (self.folder / "history.csv").is_file()
        (self.history if curves else self.comparison).draw(axes)

    def contract(self, splits: Splits) -> Contract:
        """What the model takes, gives and learns.

        `splits` are the run's; where they bring images to the model's size by a rule of their own, so does a device.
        """
        input, task = splits.input if splits.input.tensors == self.input.tensors else self.input, self.recipe.task
        return Contract(task, input, self.output, task.spread(splits), task.ruler(self.folder, splits))

    @property
    def _origin(self) -> dict[str, Any]:
        """The entry of the stage that the `float` variant came from."""
        stages = self.manifest["stages"]
        return stages["float/adopt"] if "float/adopt" in stages else self.entry("fit", "float")

    def variant_folder(self, variant: str | None = None) -> Path:
        """The folder of a variant, the newest by default; InputError for one that isn't there."""
        variant = variant or self.variant
        made = {stage.rpartition("/")[0] for stage in self.manifest["stages"]}
        if variant not in made:
            raise InputError(f"{self.folder} has no variant {variant!r}.{did_you_mean(variant, made)}")
        return self.folder / variant

    def entry(self, stage: str, variant: str | None = None) -> dict[str, Any]:
        """The manifest entry of a finished stage; InputError naming the command that makes it."""
        variant = variant or self.variant
        key = f"{variant}/{stage}"
        if key not in self.manifest["stages"]:
            chosen = f" --variant {variant}" if variant != self.variant else ""
            others = [name for name in self.variants if f"{name}/{stage}" in self.manifest["stages"]]
            instead = f"; or take a variant that has it: --variant {others[-1]}" if others else ""
            raise InputError(
                f"{self.folder} has no finished {key}. Make it: tkit {stage} {self.folder}{chosen}{instead}"
            )
        return self.manifest["stages"][key]

    def whole(self, stage: str, variant: str) -> Path:
        """The folder of a variant, when all that `stage` wrote is still what it wrote, and of the files that are there.

        Raises:
            InputError: the stage isn't finished, a file is missing or damaged, or it was made of other files than those
                that are there now; with the command that makes it again.
        """
        key = f"{variant}/{stage}"
        self.entry(stage, variant)
        for path in self.outdated(key):
            raise InputError(f"{self.folder / key} was made of another {path} than there is now. {self.remedy(key)}")
        for path, what in self.damage(key):
            raise InputError(f"{path} is {what}. {self.remedy(key)}")
        return self.folder / variant

    def outdated(self, key: str) -> Iterator[Path]:
        """The files that the finished stage `key` ("float/export") read and that are missing or others now."""
        return outdated.outdated(self.folder, self.manifest["stages"], key)

    def counts(self, key: str) -> bool:
        """Whether the stage `key` is finished, and what it read is still there."""
        return outdated.counts(self.folder, self.manifest["stages"], key)

    def damage(self, key: str) -> Iterator[tuple[Path, str]]:
        """The outputs of the finished stage `key` ("float/fit") that are missing or not what it wrote, and which."""
        return outdated.damage(self.folder, self.manifest["stages"], key)

    def remedy(self, key: str) -> str:
        """What makes the outputs of the stage `key` ("float/export") again."""
        return outdated.remedy(self.folder, self.recipe.name, next(reversed(self.variants), None), key)

    def model_folder(self, variant: str | None = None) -> Path:
        """The folder of a variant's trained model, its files whole; InputError as from `whole`."""
        variant = variant or self.variant
        self.variant_folder(variant)  # names the variants that there are
        making = next(stage for stage in outdated.MAKING if f"{variant}/{stage}" in self.manifest["stages"])
        return self.whole(making, variant)

    def finish(
        self,
        stage: str,
        variant: str,
        *,
        outputs: Iterable[Path],
        inputs: Iterable[Path] = (),
        metrics: dict[str, Any],
        seconds: float,
        **facts: Any,
    ) -> dict[str, Any]:
        """Writes the manifest entry of a finished stage: the last thing a stage does."""
        entry = {
            "finished": _now(),
            "seconds": round(seconds, 3),
            "inputs": self._digests(inputs),
            "outputs": self._digests(outputs),
            "metrics": metrics,
            "seed": self.recipe.seed,
            "threads": os.cpu_count(),
            "versions": versions.versions(),
            **facts,
        }
        with self.lock(PATIENCE):
            stages = {key: value for key, value in self.manifest["stages"].items() if key != f"{variant}/{stage}"}
            self.manifest = {**self.manifest, "stages": {**stages, f"{variant}/{stage}": entry}}
            files.write_json(self.folder / manifest.NAME, self.manifest)
        results_log.write(self.folder, self.recipe, self.manifest["stages"], variant)
        return entry

    def summary(self, stage: str, variant: str | None = None) -> dict[str, Any]:
        """What a command prints as JSON: the run, the variant and the stage's entry."""
        variant = variant or self.variant
        return {"run": str(self.folder), "variant": variant, "stage": stage, **self.entry(stage, variant)}

    def with_overrides(self, overrides: Sequence[str]) -> Run:
        """The same run for one command, its recipe changed; nothing is written.

        Raises:
            InputError: an unknown key, or a value of the wrong type.
        """
        return Run(self.folder, with_overrides(self.recipe, overrides), self.manifest) if overrides else self

    def keep_recipe(self, recipe: Recipe) -> None:
        """Makes `recipe` the run's."""
        if recipe != self.recipe:
            self.recipe = recipe
            files.write_bytes(self.folder / "recipe.json", _json(recipe))

    @contextmanager
    def lock(self, patience: float = 0.0) -> Iterator[None]:
        """Keeps other processes from writing into the run while inside; InputError where one still does.

        The manifest is read again: another process may have finished a stage meanwhile.
        """
        if self._locked:
            yield
            return
        with locked(self.folder, patience):
            self.manifest = manifest.read(self.folder)
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def _digests(self, paths: Iterable[Path]) -> dict[str, str]:
        return {path.relative_to(self.folder).as_posix(): files.sha256(path) for path in paths}


def _json(recipe: Recipe) -> bytes:
    return (recipe.model_dump_json(indent=2) + "\n").encode()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

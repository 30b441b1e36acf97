"""Taking away an export that isn't what the model or the settings give any more, so that nobody ships it."""

from __future__ import annotations

import shutil

from tkit import files, manifest, results_log
from tkit.lock import PATIENCE
from tkit.run_folder import Run


def withdraw_export(run: Run, variant: str) -> bool:
    """Takes a variant's export away, and what bench measured of it; whether there was one."""
    gone = [f"{variant}/{stage}" for stage in ("export", "bench")]
    with run.lock(PATIENCE):
        stages = run.manifest["stages"]
        found = gone[0] in stages
        run.manifest = {**run.manifest, "stages": {key: stages[key] for key in stages if key not in gone}}
        files.write_json(run.folder / manifest.NAME, run.manifest)
        for key in gone:
            shutil.rmtree(run.folder / key, ignore_errors=True)
    results_log.write(run.folder, run.recipe, run.manifest["stages"], variant)
    return found

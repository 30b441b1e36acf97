"""A folder for an Android app: the file and its labels as assets, a Kotlin class around LiteRT, and instructions.

`tkit export RUN --format android`, or `android:format=float32` for another of the bundle's files.

Source: https://ai.google.dev/edge/litert/next/android_kotlin.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tkit import files
from tkit.handovers import Handover, Source

_PAGES = Path(__file__).with_name("_android")


class Android(Handover):
    """assets/model.tflite, assets/labels.txt, Classifier.kt and README.md."""

    kind: Literal["android"] = "android"
    format: str | None = None
    """Which of the bundle's files; int8 by default, where it has one."""

    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """As `Handover.write`."""
        from tkit.handovers._app import MODEL, app_file, write_page
        from tkit.handovers._folder import write_labels

        app = app_file(source, "android", self.format)
        assets = folder / "assets"
        assets.mkdir()
        files.write_bytes(assets / MODEL, app.data)
        write_labels(assets, app.output)
        for name in ("Classifier.kt", "README.md"):
            write_page(folder, _PAGES / name, source.name, app)
        line = f"{app.format} file, {len(app.data):,} bytes; README.md tells how to build it into an app"
        return {"line": line, "format": app.format, "bytes": len(app.data)}

"""A folder that classifies images in a browser, with LiteRT.js: the file, a module, a page and instructions.

`tkit export RUN --format web`, or `web:format=float32` for another of the bundle's files. The browser computes; nothing
is sent anywhere.

Source: https://www.npmjs.com/package/@litertjs/core.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from tkit import files
from tkit.handovers import Handover, Source

_PAGES = Path(__file__).with_name("_web")
_PACKAGE = {"@litertjs/core": "2.5.3"}


class Web(Handover):
    """model.tflite, contract.json, labels.txt, predict.js, index.html, package.json and README.md."""

    kind: Literal["web"] = "web"
    format: str | None = None
    """Which of the bundle's files; int8 by default, where it has one."""

    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """As `Handover.write`."""
        from tkit.handovers._app import MODEL, app_file, write_page
        from tkit.handovers._folder import write_contract

        app = app_file(source, "web", self.format)
        files.write_bytes(folder / MODEL, app.data)
        write_contract(folder, app.input, app.output)
        package = {"name": "model", "private": True, "type": "module", "dependencies": _PACKAGE}
        files.write_bytes(folder / "package.json", (json.dumps(package, indent=2) + "\n").encode())
        for name in ("index.html", "predict.js"):
            files.write_bytes(folder / name, (_PAGES / name).read_bytes())
        write_page(folder, _PAGES / "README.md", source.name, app)
        line = f"{app.format} file, {len(app.data):,} bytes; README.md tells how to serve it"
        return {"line": line, "format": app.format, "bytes": len(app.data)}

"""The base of what stages return: a dictionary of JSON values that shows itself."""

from __future__ import annotations

from typing import Any

from tkit.results.showable import Showable


class Result(Showable, dict[str, Any]):
    """What `--json` prints, as a dictionary: `dict(result)` shows all of it."""

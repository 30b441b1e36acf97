"""What the light commands cost: wall time less a bare `python -c pass`, median of 20; one JSON line each.

Run it with `python benchmarks/startup.py`, in an environment that has the command `tkit`.
"""

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 20
LIMITS = {"--help": 80, "list": 150}
"""Milliseconds."""


def once(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    tkit = str(Path(sys.executable).with_name("tkit"))
    for argument, limit in LIMITS.items():
        once(tkit, argument)  # byte code is compiled, files are in the cache
        # In turns, so that both see the same load.
        pairs = [(once(sys.executable, "-c", "pass"), once(tkit, argument)) for _ in range(RUNS)]
        bare, command = (statistics.median(times) for times in zip(*pairs, strict=True))
        result = {
            "benchmark": "startup",
            "command": f"tkit {argument}",
            "milliseconds": round(command - bare, 1),
            "bare_python": round(bare, 1),
            "limit": limit,
            "python": platform.python_version(),
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()

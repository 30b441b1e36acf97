"""Models that nobody here made, whole way through: evaluate, export, compress by three steps, export again.

    python benchmarks/foreign_models.py                       # those that this code hasn't been tried on
    python benchmarks/foreign_models.py --only NAME ...       # those, whether tried or not
    python benchmarks/foreign_models.py --failed              # those that didn't come through when last tried
    python benchmarks/foreign_models.py --quick               # compression trains one step: does a model come through
    python benchmarks/foreign_models.py --report              # tries nothing: the table and docs/models.md

Each model of `_foreign` goes its way in a process of its own, with a limit of time and of memory; one that dies is a
row like any other. Rows are JSON lines in benchmarks/results/foreign_models.jsonl, the newest of a model counts.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from _sides import setup

if TYPE_CHECKING:
    from _foreign import Entry

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "foreign_models.jsonl"
PACKAGES = ("keras-tkit", "tensorflow", "keras", "ai-edge-litert", "numpy")
MINUTES, GIGABYTES = 12, 16
DROP = 0.05
"""Of accuracy, past which the ledger has to warn."""
_CODE = ("tkit", "pipelines/tkit_pipelines", "edge/tkit_edge")


def version() -> str:
    """A digest of tkit's own source."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _CODE for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def newest(path: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """The last row of each model."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {row["name"]: row for row in map(json.loads, lines)}


def keep(row: dict[str, Any], path: Path) -> None:
    """Puts a row in the place of the model's older one."""
    rows = newest(path) | {row["name"]: row}
    path.parent.mkdir(exist_ok=True)
    text = "".join(f"{json.dumps(item)}\n" for item in rows.values())
    whole = path.with_suffix(".new")
    whole.write_text(text, encoding="utf-8")
    whole.replace(path)


def tried(entry: Entry, minutes: float, quick: bool) -> dict[str, Any]:
    """One model's row, from a process of its own: a fork, which begins with TensorFlow imported and nothing run."""
    began = time.perf_counter()
    entry = entry._replace(trained=entry.trained and not quick)
    row: dict[str, Any] = {"name": entry.name, "version": version(), "setup": setup(PACKAGES)}
    row["date"] = str(date.today())
    with tempfile.TemporaryDirectory(prefix="tkit-foreign-") as scratch:
        rows, errors = Path(scratch) / "rows.jsonl", Path(scratch) / "errors"
        child = os.fork()
        if child == 0:
            _confined(entry, Path(scratch), rows, errors, quick)
        code = _ended(child, minutes * 60)
        for line in rows.read_text(encoding="utf-8").splitlines() if rows.exists() else ():
            row.update(json.loads(line))
        last = errors.read_text(errors="replace").strip().splitlines()[-12:] if errors.exists() else []
    stage = row.pop("stage", "save")
    if code is None:
        row[stage] = {"verdict": "timeout", "message": f"not done after {minutes:g} minutes"}
    elif code < 0:
        row[stage] = {"verdict": "signal", "message": signal.Signals(-code).name}
    elif code:
        row[stage] = {"verdict": "traceback", "message": "\n".join(last)[-1500:]}
    row["seconds"] = round(time.perf_counter() - began, 1)
    return {**row, "failure": failure(row)}


def _confined(entry: Entry, scratch: Path, rows: Path, errors: Path, quick: bool) -> NoReturn:
    """The child's end: a session and limits of its own, and its output in a file."""
    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30, GIGABYTES << 30))
        output = os.open(errors, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        from _foreign.way import go, one_step

        if quick:
            one_step()
        folder = scratch / "model"
        folder.mkdir()

        def report(row: dict[str, Any]) -> None:
            with open(rows, "a", encoding="utf-8") as file:
                print(json.dumps(row), file=file)

        go(entry, folder, report)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _ended(child: int, seconds: float) -> int | None:
    """The exit code of the child, negative for a signal; None where it had to be ended, with all that it started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def wanted(arguments: argparse.Namespace, known: dict[str, Entry]) -> list[str]:
    """The names of the models that are to be tried."""
    rows, code = newest(arguments.results), version()
    if arguments.only:
        unknown = [name for name in arguments.only if name not in known]
        if unknown:
            sys.exit(f"No model is called {', '.join(unknown)}.")
        return list(arguments.only)
    able = [name for name, entry in known.items() if arguments.large or not entry.large]
    if arguments.failed:
        return [name for name in able if name in rows and rows[name]["failure"]]
    return [name for name in able if arguments.again or name not in rows or rows[name]["version"] != code]


def failure(row: dict[str, Any]) -> str | None:
    """Why a model didn't come whole way through; None if it did."""
    for stage in ("save", "evaluate", "export", "compress", "export again"):
        item = row.get(stage, {"verdict": "ok"} if stage == "save" else {"verdict": "not reached"})
        if item["verdict"] != "ok":
            return f"{stage}: {item['verdict']}: {item.get('message', '')}"
        wrong = [fmt for fmt, figures in row.get(f"{stage} files", {}).items() if figures["wrong"]]
        if wrong:
            return f"{stage}: wrong: {', '.join(wrong)}"
    lost = drop(row)
    if lost is not None and lost > DROP and not row["warnings"]:
        return f"compress: wrong: accuracy fell by {100 * lost:.1f} points, without a warning"
    return None


def drop(row: dict[str, Any]) -> float | None:
    """How much accuracy a trained model lost on its way from Keras to the compressed int8 file."""
    after = row.get("export again files", {}).get("int8")
    return row["keras"] - after["accuracy"] if row.get("trained") and after else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these models, whether tried or not")
    parser.add_argument("--again", action="store_true", help="those too that this code was tried on")
    parser.add_argument("--failed", action="store_true", help="those that didn't come through when last tried")
    parser.add_argument("--large", action="store_true", help="the networks too whose way takes many minutes")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"limit of one model's way [{MINUTES}]")
    parser.add_argument("--quick", action="store_true", help="nothing is trained: whether models come through at all")
    parser.add_argument("--report", action="store_true", help="try nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="where rows are kept")
    arguments = parser.parse_args()
    from _foreign import entries, matrix

    known = entries()
    names = [] if arguments.report else wanted(arguments, known)
    for number, name in enumerate(names, 1):
        row = tried(known[name], arguments.minutes, arguments.quick)
        keep(row, arguments.results)
        print(f"{number}/{len(names)} {row['seconds']:.0f} s {name}: {(row['failure'] or 'ok')[:240]}", flush=True)
    rows = [row for name, row in newest(arguments.results).items() if name in known]
    print(matrix.summary(rows, known))
    if arguments.results == RESULTS:
        matrix.publish(rows, known)


if __name__ == "__main__":
    main()

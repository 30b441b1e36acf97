"""A stand-in for adb: no device can be connected here. It behaves as `adb help` and its manual say, on one folder.

$ADB_STAND_IN is a JSON file: `devices` (serial to state), `properties`, `tool` (what benchmark_model prints; a list is
gone through call by call), `root` (the folder that is /data/local/tmp there), `lost` (a word: from the call that has it
on, the device is gone).
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = "/data/local/tmp"


def main(arguments):
    state_file = Path(os.environ["ADB_STAND_IN"])
    state = json.loads(state_file.read_text())
    state.setdefault("calls", []).append(arguments)
    gone = any(state.get("lost", "\0") in word for call in state["calls"] for word in call)
    output, code = answer(arguments, state, gone)
    state_file.write_text(json.dumps(state))
    sys.stdout.write(output)
    return code


def answer(arguments, state, gone):
    if arguments == ["devices"]:
        lines = [f"{serial}\t{what}\n" for serial, what in state["devices"].items()]
        return "* daemon started successfully\nList of devices attached\n" + "".join(lines) + "\n", 0
    _, serial, command, *words = arguments
    if serial not in state["devices"] or gone:
        return f"error: device '{serial}' not found\n", 1
    if command == "push":
        return push(*words, state)
    return shell(words[0], state)


def push(source, target, state):
    free = state.get("free", 1 << 30)
    if os.path.getsize(source) > free:
        return f"adb: error: failed to copy '{source}' to '{target}': remote write failed: No space left on device\n", 1
    shutil.copy(source, here(target, state))
    return f"{source}: 1 file pushed. 12.3 MB/s ({os.path.getsize(source)} bytes in 0.002s)\n", 0


def shell(line, state):
    words = shlex.split(line)
    if words[0] == "getprop":
        return state["properties"].get(words[1], "") + "\n", 0
    if words[0] == "nproc":
        return "8\n", 0
    if words[0].endswith("/benchmark_model"):
        program = Path(here(words[0], state))
        graph = Path(here(words[1].removeprefix("--graph="), state))
        if not os.access(program, os.X_OK) or not graph.is_file():
            return f"/system/bin/sh: {words[0]}: can't execute: Permission denied\n", 126
        tool = state["tool"]
        text = tool.pop(0) if isinstance(tool, list) else tool
        return text, 0 if "count=" in text else 1
    assert words[0] in ("mktemp", "chmod", "rm"), line
    done = subprocess.run([here(word, state) for word in words], stdout=subprocess.PIPE, text=True)
    return done.stdout.replace(state["root"], ROOT), done.returncode


def here(word, state):
    return word.replace(ROOT, state["root"])


sys.exit(main(sys.argv[1:]))

"""Reads files as JSON lines from standard input, and prints for each whether this environment's runtime takes it."""

import base64
import json
import sys

from tkit_edge import runtime

module = runtime.find().module
for line in sys.stdin:
    try:
        module.Interpreter(model_content=base64.b64decode(json.loads(line)), num_threads=1)
        print(True)
    except (RuntimeError, ValueError):
        print(False)

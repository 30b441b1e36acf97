"""What a user has without tkit, a module a tool, each run by its own environment's Python; they import nothing of tkit.

`python -m _peers MODULE FOLDER FILE ARGUMENT ...` in `benchmarks/` calls the module's `make(given, *arguments)`, which
turns what is in FOLDER (`Given`) into the bytes of FILE, and writes the versions of what it used beside it.
"""

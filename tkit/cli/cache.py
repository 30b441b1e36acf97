"""Show what tkit caches on disk, or clear it.

The cache holds decoded images of folders, archives and TFDS sets, one entry per
source and size, and the ids of texts. All of it can be recreated; runs are not in it.

Examples:
  tkit cache
  tkit cache --clear
  tkit cache --json
"""

from __future__ import annotations

import click

import tkit
from tkit.cli import _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@click.option("--clear", is_flag=True, help="Delete all of it.")
@_options.json_option
def command(clear: bool, as_json: bool) -> None:
    """`tkit cache`."""
    from tkit_pipelines.cache import size_text

    with _options.results(as_json, "cache") as show:
        found = tkit.cache(clear=clear)
        entries = [{**item._asdict(), "folder": str(item.folder)} for item in found.entries]
        document = {**found._asdict(), "folder": str(found.folder), "entries": entries}
        total, free = size_text(sum(item.bytes for item in found.entries)), size_text(found.free)
        lines = [f"{found.folder}: {total} in {len(entries)} entries; {free} free (another folder: TKIT_CACHE)"]
        lines += [f"freed {size_text(found.freed)}"] if clear else []
        for item in found.entries:
            size = "x".join(map(str, item.shape))
            what = f"{item.images:>9,} examples  {size:<11}" if item.images else f"{'':32}"
            lines.append(f"{size_text(item.bytes):>10}  {what}  {item.source}")
        show(document, "\n".join(lines))

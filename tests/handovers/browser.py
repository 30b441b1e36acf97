"""A page of a folder, in Debian's headless Chromium, and what it reports."""

import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and keeps the JSON that its page posts to /report."""

    reports: list
    reported: threading.Event

    def do_POST(self):
        self.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()
        self.reported.set()

    def log_message(self, *arguments):
        """Nothing."""


def reported(folder, page, profile, seconds=120):
    """What `page` of a folder posts to /report."""
    reports, event = [], threading.Event()
    handler = type("Handler", (_Handler,), {"reports": reports, "reported": event})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{page}"
    command = [shutil.which("chromium"), *FLAGS, f"--user-data-dir={profile}", url]
    browser = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert event.wait(seconds), "the page reported nothing"
    finally:
        browser.terminate()
        browser.wait(30)
        server.shutdown()
        server.server_close()
    return reports[0]

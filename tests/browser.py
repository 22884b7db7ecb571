"""A real headless Chromium, driven through its driver's WebDriver protocol."""

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    "--disable-dev-shm-usage",
)


class Browser:
    """One window. `run` executes JavaScript and gives what it returns."""

    def __init__(self, driver: str, session: str) -> None:
        self._base = f"{driver}/session/{session}"
        self._pool = urllib3.PoolManager()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._pool.request(method, self._base + path, json=body if method == "POST" else None)
        value = answer.json()["value"]
        assert answer.status == 200, value
        return value

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def texts(self, selector: str) -> list[str]:
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
        )

    def resize(self, width: int, height: int) -> None:
        self.ask("POST", "/window/rect", {"width": width, "height": height})

    def viewport(self, width: int, height: int) -> None:
        """A page of exactly that size: a window is never narrower than 500 pixels. 0 gives the window's own."""
        params = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": params}
        self.ask("POST", "/goog/cdp/execute", command)

    def dark(self, on: bool = True) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self.ask("POST", "/goog/cdp/execute", command)

    def press(self, keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def log(self) -> list[str]:
        """What the console said of errors since the last look."""
        entries = self.ask("POST", "/se/log", {"type": "browser"})
        return [one["message"] for one in entries if one["level"] == "SEVERE"]

    def shot(self, name: str) -> bytes:
        """A screenshot; kept where STEPSCOPE_ARTIFACTS names a folder."""
        picture = base64.b64decode(self.ask("GET", "/screenshot"))
        folder = os.environ.get("STEPSCOPE_ARTIFACTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, f"{name}.png").write_bytes(picture)
        return picture

    def until(self, script: str, *arguments: Any, seconds: float = 10.0) -> Any:
        """What the script gives, once that is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < end, f"not within {seconds} s: {script}"
            time.sleep(0.05)
        return found


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, or a skip that says what is missing."""
    driver, binary = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if not driver or not binary:
        pytest.skip("no Chromium with its driver on the PATH")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [driver, f"--port={port}", "--silent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url, pool = f"http://127.0.0.1:{port}", urllib3.PoolManager(retries=False)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        try:
            _wait(pool, url)
            options = {"binary": binary, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            body = {"capabilities": {"alwaysMatch": wanted}}
            value = pool.request("POST", f"{url}/session", json=body).json()["value"]
            assert "sessionId" in value, value
            browser = Browser(url, value["sessionId"])
            yield browser
            browser.ask("DELETE", "")
        finally:
            process.terminate()
            process.wait(10)


def _wait(pool: urllib3.PoolManager, url: str) -> None:
    for _ in range(200):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", f"{url}/status").json()["value"]["ready"]:
                return
        time.sleep(0.05)
    raise AssertionError("the driver did not start")

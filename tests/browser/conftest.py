"""JupyterLab on loopback and Debian's Chromium: a notebook opened, run and used as a reader does.

`lab` starts a server and a browser once per test process; ``lab.open("02_mark_lesion", {...})`` copies a
notebook with its parameters filled in and opens it in a page of its own. State is asked of the kernel
through the page's own connection (`Bench.value`), so that no second client is needed. Every request that
any page makes is kept in `lab.requests`; names outside this machine are not even looked up.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
WEBGL = ("--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_WEBGL = ("--disable-gpu", "--disable-3d-apis", "--disable-software-rasterizer")
FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
START_S, RUN_S = 60, 90
SMALL = "simulated:3@96x96x12"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """JupyterLab on loopback with a token and a base URL, its settings and state in a folder of its own."""

    def __init__(self, root: Path, *, base_url: str, token: str) -> None:
        self.root, self.token = root, token
        self.notebooks = root / "notebooks"
        self.notebooks.mkdir(parents=True)
        self.url = f"http://127.0.0.1:{free_port()}{base_url}"
        folders = {
            name: str(root / ".jupyter" / name)
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
                         "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
        }  # fmt: skip
        quiet = Path(folders["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "apputils-extension"
        quiet.mkdir(parents=True)
        (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')  # no question over the page
        self.log = (root / "server.log").open("w")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
                "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={urlsplit(self.url).port}", "--ServerApp.port_retries=0",
                f"--ServerApp.base_url={base_url}", f"--IdentityProvider.token={token}",
                f"--ServerApp.root_dir={root}", "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env={**os.environ, **folders}, stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                request = urllib.request.Request(self.url + "api", headers={"Authorization": f"token {self.token}"})
                with urllib.request.urlopen(request, timeout=2) as answer:
                    if answer.status == 200:
                        return
            time.sleep(0.1)
        raise RuntimeError("JupyterLab did not start:\n" + (self.root / "server.log").read_text()[-3000:])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Bench:
    """One notebook in one page."""

    def __init__(self, page: Any, server: Server, path: Path) -> None:
        self.page, self.server, self.path = page, server, path
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"error: {error}"))

    def open(self) -> None:
        """Show the notebook and wait for its kernel."""
        inside = self.path.relative_to(self.server.root).as_posix()
        self.page.goto(f"{self.server.url}lab/tree/{inside}?reset&token={self.server.token}")
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=START_S * 1000,
        )

    def run(self, first: int = 0, last: int | None = None) -> None:
        """Run cells from `first` to `last` (the end if None) as Shift+Enter does, and wait for them."""
        self.page.evaluate(
            """async ([first, last]) => {
                const app = window.jupyterapp, notebook = app.shell.currentWidget.content;
                for (let n = first; n < (last ?? notebook.widgets.length - 1) + 1; n++) {
                    notebook.activeCellIndex = n;
                    await notebook.scrollToItem(n);
                    if (notebook.widgets[n].model.type !== 'code') continue;
                    await app.commands.execute('notebook:run-cell');
                    if (notebook.widgets[n].model.sharedModel.outputs.some(o => o.output_type === 'error')) break;
                }
            }""",
            [first, last],
        )

    def cell_with(self, text: str) -> int:
        """Return the number of the first code cell whose source holds a text."""
        notebook = nbformat.read(self.path, as_version=4)
        return next(n for n, c in enumerate(notebook.cells) if c.cell_type == "code" and text in c.source)

    def errors(self) -> list[str]:
        """Return the errors that stand under the cells."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap(c =>
                (c.model.sharedModel.outputs ?? []).filter(o => o.output_type === 'error')
                    .map(o => `${o.ename}: ${o.evalue}`))"""
        )

    def value(self, expression: str) -> Any:
        """Return what a Python expression is worth in the kernel; it has to be JSON."""
        reply = self.page.evaluate(
            """async (code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code: '', store_history: false, silent: true,
                    user_expressions: {asked: code}});
                return (await future.done).content.user_expressions.asked;
            }""",
            f"__import__('json').dumps({expression})",
        )
        if reply.get("status") != "ok":
            raise AssertionError(f"{expression}: {reply.get('ename')}: {reply.get('evalue')}")
        text = reply["data"]["text/plain"]
        return json.loads(__import__("ast").literal_eval(text))

    def do(self, code: str) -> None:
        """Run Python statements in the kernel."""
        self.value(f"exec({code!r}, globals())")

    def until(self, expression: str, *, within_s: float = 15) -> None:
        """Wait until a Python expression is true in the kernel."""
        end = time.monotonic() + within_s
        while not self.value(f"bool({expression})"):
            if time.monotonic() > end:
                raise AssertionError(f"Not true after {within_s} s: {expression}")
            self.page.wait_for_timeout(50)

    def pixels(self, locator: Any = None) -> Any:
        """Return a screenshot of the page or of an element, uint8 (height, width, 3)."""
        from matplotlib.image import imread

        png = (locator or self.page).screenshot()
        return (imread(io.BytesIO(png))[..., :3] * 255).round().astype(np.uint8)

    def array(self, expression: str) -> Any:
        """Return a boolean or number array of the kernel."""
        text = self.value(
            f"(lambda b, np, base64: (np.save(b, {expression}), base64.b64encode(b.getvalue()).decode())[1])"
            "(__import__('io').BytesIO(), __import__('numpy'), __import__('base64'))"
        )
        return np.load(io.BytesIO(base64.b64decode(text)))

    def save(self) -> int:
        """Save the notebook as Ctrl+S does; return its size in bytes."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return self.path.stat().st_size

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.context.close()


class Lab:
    """A server and a browser; opens notebooks and records what every page asks for."""

    def __init__(self, server: Server, browser: Any) -> None:
        self.server, self.browser = server, browser
        self.requests: list[str] = []
        self._opened = 0

    def notebook(self, name: str, parameters: dict[str, Any]) -> Path:
        """Copy a notebook of the project with other values in its parameters cell."""
        self._opened += 1
        notebook = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
        cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
        for key, value in parameters.items():
            lines = [i for i, line in enumerate(cell.source.splitlines()) if line.startswith(f"{key}:")]
            assert lines, f"{name} declares no parameter {key}"
            cell.source += f"\n{key} = {value!r}"
        path = self.server.notebooks / f"{self._opened:02d}_{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def cells(self, *sources: str) -> Path:
        """Write a notebook of the given code cells."""
        self._opened += 1
        path = self.server.notebooks / f"{self._opened:02d}_cells.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        cells = [nbformat.v4.new_code_cell(s) for s in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
        return path

    def open(
        self, notebook: str | Path, parameters: dict[str, Any] | None = None, *, width: int = 1440, height: int = 1000,
        zoom: float = 1.0,
    ) -> Bench:  # fmt: skip
        """Open a notebook of the project by name, or one that was written, in a page of its own."""
        path = notebook if isinstance(notebook, Path) else self.notebook(notebook, parameters or {})
        context = self.browser.new_context(
            viewport={"width": int(width / zoom), "height": int(height / zoom)}, device_scale_factor=zoom
        )
        context.on("request", lambda request: self.requests.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda opened: self.requests.append(opened.url))
        page.set_default_timeout(RUN_S * 1000)
        bench = Bench(page, self.server, path)
        bench.open()
        return bench

    def outside(self) -> list[str]:
        """Return the requests that would have left this machine."""
        inside = {"127.0.0.1", "localhost"}
        return [
            u
            for u in self.requests
            if urlsplit(u).scheme not in ("data", "blob") and urlsplit(u).hostname not in inside
        ]


@contextlib.contextmanager
def browser_with(playwright: Any, flags: tuple[str, ...]) -> Iterator[Any]:
    """Chromium with further flags."""
    opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=[*FLAGS, *flags])
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _chromium() -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed: apt-get install chromium, and the browser tests run.")


@pytest.fixture(scope="session")
def lab_server(_chromium, tmp_path_factory) -> Iterator[Server]:
    """JupyterLab under a base URL and with a token, as a hospital's server has them."""
    server = Server(tmp_path_factory.mktemp("lab"), base_url="/reading/room/", token="a-token-for-tests")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def playwright(_chromium) -> Iterator[Any]:
    """What drives the browsers; only one may run in a process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright) -> Iterator[Any]:
    """Chromium with WebGL in software."""
    with browser_with(playwright, WEBGL) as opened:
        yield opened


@pytest.fixture
def lab_without_webgl(lab_server, playwright) -> Iterator[Lab]:
    """The same server, in a browser that has no WebGL."""
    with browser_with(playwright, NO_WEBGL) as opened:
        yield Lab(lab_server, opened)


@pytest.fixture(scope="session")
def lab(lab_server, browser) -> Lab:
    """Server and browser; see `Lab`."""
    return Lab(lab_server, browser)

"""Hold the reader's bench against a bare NiiVue viewer without our code, in JupyterLab under headless Chromium.

A series of (10, 24, 256, 256). From running the cell to the first picture; bytes over the socket to and from the
page; a click until Python knows of it; one step of the wheel until it is painted; and, of the bench alone, a click
until the region grown from it is painted, with Python's share, and the curve under the crosshair. Each is the
median (or 95th percentile) of several; the same machine draws both, in software. Needs Debian's chromium.
Run: ``python benchmarks/bench.py [NUMBER_OF_CLICKS]``.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
CLICKS = 20

SERIES = """
import time
import numpy as np
from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.viewmodels import SeedSelection
from spinekit.widgets import niivue_view, seed_picker

rng = np.random.default_rng(0)
z, y, x = np.ogrid[:24, :256, :256]
lesion = ((x - 120) / 14) ** 2 + ((y - 130) / 12) ** 2 + ((z - 12) / 3.5) ** 2 < 1
rise = np.array([0, 0, 0.4, 0.8, 1.0, 0.95, 0.9, 0.85, 0.8, 0.75], dtype=np.float32)
signal = np.full((10, 24, 256, 256), 200, dtype=np.float32) * (1 + 0.3 * rise[:, None, None, None])
signal[:, lesion] = 200 * (1 + 1.5 * rise[:, None])
signal += rng.normal(0, 8, signal.shape).astype(np.float32)
series = DynamicSeries(signal, np.arange(10) * 20.0, Geometry((256, 256, 24), (0.8, 0.8, 4.0)), "times_s")
began, shown, told = 0.0, [], []
"""
OURS = """
began = time.perf_counter()
selection = SeedSelection(series, n_baseline=2)
view = seed_picker(selection)
plain, answer = view._send_frame, view._answer
view._send_frame = lambda *a: (shown.append(time.perf_counter()), plain(*a))[1]
view._answer = lambda *a: (told.append(time.perf_counter()), answer(*a))[1]
view
"""
BARE = """
began = time.perf_counter()
view = niivue_view(series)
view.on_image_loaded(lambda _: shown.append(time.perf_counter()))
view.on_mouse_up(lambda _: told.append(time.perf_counter()))
view
"""
SCROLL = """async (selector) => {
    const canvas = document.querySelector(selector), box = canvas.getBoundingClientRect(), took = [];
    const place = {clientX: box.left + box.width / 4, clientY: box.top + box.height / 4, bubbles: true};
    for (let n = 0; n < 12; n++) {
        const began = performance.now();
        canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: n % 2 ? 100 : -100, ...place}));
        await new Promise(requestAnimationFrame);
        const gl = canvas.getContext('webgl2');  // null on a plain canvas
        if (gl) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
        await new Promise(done => setTimeout(done));
        took.push(performance.now() - began);
    }
    return took;
}"""
PLACE = """([i, j, k]) => {
    const bench = document.querySelector('.sk-bench').bench, pane = bench.panes[0], m = pane.picture.to_ijk;
    const p = [0, 1, 2].map((a) => ([i, j, k][a] - m[4 * a + 3]) / m[5 * a]);
    bench.goTo(pane.picture, p);
    const at = pane.canvasAt(p), box = pane.canvas.getBoundingClientRect();
    return [box.left + at[0], box.top + at[1]];
}"""


def browser_fixtures() -> Any:
    """Return the module that the browser tests start JupyterLab and Chromium with."""
    spec = importlib.util.spec_from_file_location("browser_fixtures", PROJECT / "tests" / "browser" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count_bytes(page: Any) -> dict[str, int]:
    """Count what goes over the page's sockets from now on."""
    moved = {"to": 0, "from": 0}

    def add(way: str) -> Any:
        return lambda payload: moved.__setitem__(way, moved[way] + len(payload))

    page.on("websocket", lambda ws: (ws.on("framereceived", add("to")), ws.on("framesent", add("from"))))
    return moved


def opened(lab: Any, cell: str, selector: str) -> tuple[Any, dict[str, float]]:
    """Open a viewer; return its page and what opening took."""
    bench = lab.open(lab.cells(SERIES, cell), width=1440)
    moved = count_bytes(bench.page)
    bench.page.reload()
    bench.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
    bench.run(0, 0)
    before = dict(moved)
    bench.run(1, 1)
    bench.until("len(shown) >= 2" if cell is OURS else "len(shown) >= 1", within_s=240)
    bench.page.wait_for_timeout(6000)  # what is sent in the background
    first = bench.value("shown[1] - began if len(shown) > 1 else shown[0] - began")
    bench.page.locator(selector).first.scroll_into_view_if_needed()
    return bench, {
        "open": 1000 * first, "to": (moved["to"] - before["to"]) / 1e6, "from": (moved["from"] - before["from"]) / 1e6,
    }  # fmt: skip


def click_to_python(bench: Any, x: float, y: float, clicks: int) -> list[float]:
    """Return milliseconds from letting the button go to the event in Python; both clocks are the machine's own."""
    took = []
    for n in range(clicks):
        known = bench.value("len(told)")
        bench.page.mouse.move(x + n % 5, y)
        bench.page.mouse.down()
        began = time.perf_counter()
        bench.page.mouse.up()
        bench.until(f"len(told) > {known}")
        took.append(1000 * (bench.value("told[-1]") - began))
        bench.page.wait_for_timeout(400)
    return took


def ours(lab: Any, clicks: int) -> dict[str, float]:
    """Measure the bench."""
    bench, found = opened(lab, OURS, ".sk-canvas")
    bench.page.wait_for_function(
        "() => [...document.querySelector('.sk-bench').bench.store.pictures.values()]"
        ".every(p => !p.frames.includes(undefined))"
    )
    bench.page.evaluate("document.querySelector('.sk-bench').scrollIntoView()")
    bench.page.wait_for_timeout(500)
    scroll = bench.page.evaluate(SCROLL, ".sk-canvas")
    x, y = bench.page.evaluate(PLACE, [118, 128, 12])
    told = click_to_python(bench, x, y, clicks)
    seen = bench.page.evaluate("document.querySelector('.sk-bench').bench.latencies")
    bench.do("view.python_ms.clear()")
    curve = bench.value("(lambda t: [view._hear(None, {'type': 'cross', 'ijk': [118, 128, 12]}, []), t()][1])"
                        "((lambda s: (lambda: 1000 * (time.perf_counter() - s)))(time.perf_counter()))")  # fmt: skip
    bench.close()
    return found | {
        "scroll": float(np.median(scroll)), "told": float(np.median(told)), "curve": curve,
        "painted": float(np.percentile([s["ms"] for s in seen], 95)),
        "python": float(np.percentile([s["python_ms"] for s in seen], 95)),
    }  # fmt: skip


def bare(lab: Any, clicks: int) -> dict[str, float]:
    """Measure NiiVue without our code around it."""
    selector = ".jp-OutputArea-output canvas"
    bench, found = opened(lab, BARE, selector)
    scroll = bench.page.evaluate(SCROLL, selector)
    box = bench.page.locator(selector).first.bounding_box()
    told = click_to_python(bench, box["x"] + box["width"] / 4, box["y"] + box["height"] / 4, clicks)
    bench.close()
    return found | {"scroll": float(np.median(scroll)), "told": float(np.median(told))}


ROWS = (
    ("open", "cell run to first picture, ms"),
    ("to", "sent to the page, MB"),
    ("from", "sent back by the page, MB"),
    ("scroll", "one step of the wheel, painted, ms (median)"),
    ("told", "click known in Python, ms (median)"),
    ("painted", "click to painted region, ms (95th percentile)"),
    ("python", "  of it in Python, ms (95th percentile)"),
    ("curve", "curve under the crosshair, in Python, ms"),
)


def main() -> int:
    """Print the table; return 0."""
    clicks = int(sys.argv[1]) if len(sys.argv) > 1 else CLICKS
    fixtures = browser_fixtures()
    if not Path(fixtures.CHROMIUM).exists():
        print("Chromium is not installed, so there is no page to measure: apt-get install chromium.")
        return 0
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = fixtures.Server(Path(folder), base_url="/", token="bench")
        try:
            with fixtures.browser_with(driver, fixtures.WEBGL) as browser:
                lab = fixtures.Lab(server, browser)
                bench = ours(lab, clicks)
                try:
                    baseline = bare(lab, clicks)
                except AssertionError as reason:  # a machine too busy for it: the bench's own figures still stand
                    print(f"The bare viewer showed no picture in time, so there is no ratio. {reason}")
                    baseline = {}
        finally:
            server.stop()
    print(f"series (10, 24, 256, 256), {clicks} clicks, software rendering\n")
    print(f"{'':52}{'bench':>9}{'NiiVue':>9}{'ratio':>8}")
    for key, label in ROWS:
        ratio = f"{bench[key] / baseline[key]:8.2f}" if baseline.get(key) else ""
        print(f"{label:52}{bench[key]:9.1f}{baseline[key] if key in baseline else float('nan'):9.1f}{ratio}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

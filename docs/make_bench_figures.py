"""Take the screenshots of the bench on a simulated case, in JupyterLab under headless Chromium.

Run: ``python docs/make_bench_figures.py``; needs Debian's chromium, no network.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import workflow
from spinekit.phantom import simulate_case

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).resolve().parent / "figures"
CASE, WIDTH = 7, 1280
AXIAL, T2 = 0, 3
READY = """() => {
    const bench = document.querySelector('.sk-bench')?.bench;
    return bench?.panel && bench.waiting.length === 0
        && [...bench.store.pictures.values()].every((p) => !p.frames.includes(undefined));
}"""
PLACE = """([n, ijk]) => {
    const bench = document.querySelector('.sk-bench').bench, pane = bench.panes[n], m = pane.picture.to_ijk;
    const row = (a) => [0, 1, 2].find((r) => Math.abs(m[4 * r + a]) > 0.5);
    const p = [0, 1, 2].map((a) => (ijk[row(a)] - m[4 * row(a) + 3]) / m[4 * row(a) + a]);
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


def ready(bench: Any) -> None:
    """Wait until the bench has answered and painted."""
    bench.page.wait_for_function(READY)
    bench.page.evaluate("document.querySelector('.sk-bench').scrollIntoView({block: 'start'})")
    bench.page.wait_for_timeout(400)


def shoot(bench: Any, name: str) -> None:
    """Save the bench as a PNG."""
    ready(bench)
    bench.page.mouse.move(5, 5)
    bench.page.wait_for_timeout(300)
    bench.page.locator(".sk-bench").screenshot(path=FOLDER / f"bench_{name}.png")
    print(f"docs/figures/bench_{name}.png")


def key(bench: Any, *keys: str) -> None:
    """Press keys on the bench."""
    bench.page.locator(".sk-bench").evaluate("e => e.focus()")
    for one in keys:
        bench.page.keyboard.press(one)


def drag(bench: Any, points: Any) -> None:
    """Draw with the mouse."""
    bench.page.mouse.move(*points[0])
    bench.page.mouse.down()
    for point in points[1:]:
        bench.page.mouse.move(*point, steps=2)
    bench.page.mouse.up()


def mark(lab: Any, case: Any) -> None:
    """Photograph notebook 02: before the first click, after it, and the outline route."""
    bench = lab.open("02_mark_lesion", {"case_dir": "../cases/shown", "reader": "AB"}, width=WIDTH, height=1500)
    cell = bench.cell_with("seed_picker(selection")
    bench.run(0, cell)
    shoot(bench, "first_view")
    bench.page.mouse.click(*bench.page.evaluate(PLACE, [AXIAL, list(case.seed_ijk)]))
    bench.until("len(selection.seeds) == 1")
    key(bench, "w")
    shoot(bench, "mark")
    bench.run(cell + 1, None)
    key(bench, "c")
    ready(bench)
    x, y = bench.page.evaluate(PLACE, [T2, [round(c) for c in case.t2_outline.centre_ijk]])
    angles = np.linspace(0, 2 * np.pi, 24)
    drag(bench, [(float(x + 17 * np.cos(a)), float(y + 15 * np.sin(a))) for a in angles])
    bench.until("selection.outlined is not None")
    ready(bench)
    bench.page.locator(".sk-steps button").nth(4).click()
    shoot(bench, "outline")
    bench.close()


def review(lab: Any, case: Any) -> None:
    """Photograph notebook 03 after a stroke and a verdict."""
    bench = lab.open("03_review_roi", {"case_dir": "../cases/shown", "reader": "AB"}, width=WIDTH, height=1500)
    bench.run(0, bench.cell_with("roi_review(review"))
    ready(bench)
    key(bench, "w", "p")
    i, j, k = case.seed_ijk
    drag(bench, [bench.page.evaluate(PLACE, [AXIAL, [i + di, j + 14, k]]) for di in (2, 8, 14)])
    bench.until("review.can_undo")
    bench.page.locator(".sk-operations button", has_text="Smooth").click()
    ready(bench)
    key(bench, "l", "Enter")
    shoot(bench, "review")
    bench.close()


def main() -> int:
    """Take every screenshot; return 0."""
    from playwright.sync_api import sync_playwright

    fixtures, case = browser_fixtures(), simulate_case(CASE)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = fixtures.Server(Path(folder), base_url="/", token="figures")
        try:
            workflow.load_case(f"simulated:{CASE}", server.root / "cases" / "shown")
            with fixtures.browser_with(driver, fixtures.WEBGL) as browser:
                lab = fixtures.Lab(server, browser)
                mark(lab, case)
                review(lab, case)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

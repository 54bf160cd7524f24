"""The result plots in JupyterLab: each answers to the mouse, and what it answers is what Python computes."""

from __future__ import annotations

import numpy as np

SETUP = """
import numpy as np, spinekit as sk, spinekit.plotting
from spinekit.widgets import results
case = sk.simulate_case(3, size=(64, 64, 10)); series, n = case.series, case.n_baseline
roi = sk.grow_region(series, [case.seed_ijk], n_baseline=n)
maps = sk.parameter_maps(series, n_baseline=n)
truth = np.arange(40) % 2
score = np.linspace(-1, 1, 40) + 0.8 * truth
names = [f"case-{k:02d}" for k in range(40)]
"""
PLOTS = (
    "map_plot = results.map_explorer(maps, series, roi, n_baseline=n); map_plot",
    "film = results.growing_film(series, roi, n_baseline=n, steps=6); film",
    "pair = results.region_pair(series.phase(-1), roi, case.lesion, simulated=True); pair",
    "seen = results.roc_explorer(names, truth, score, classes=('metastasis', 'primary'), simulated=True,\n"
    "    show=lambda name: sk.plotting.three_planes(series.phase(-1), case.seed_ijk))\nroc = seen.plot; seen",
)


def middle(box):
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_map_film_pair_and_roc_answer_to_the_mouse(lab):
    bench = lab.open(lab.cells(SETUP, *PLOTS))
    bench.run()
    assert bench.errors() == []
    shown = bench.page.locator(".sk-result")
    assert shown.count() == 4

    shown.nth(0).scroll_into_view_if_needed()
    histogram = shown.nth(0).locator("svg").nth(1)
    before = bench.pixels(shown.nth(0).locator("canvas").first)
    bench.page.mouse.click(*middle(histogram.bounding_box()))
    bench.until("map_plot.state.get('threshold') is not None")
    after = bench.pixels(shown.nth(0).locator("canvas").first)
    above = bench.value(
        "int(np.count_nonzero(maps[map_plot.state['map']].within(roi) >= np.float32(map_plot.state['threshold'])))"
    )
    assert f"{above} of " in shown.nth(0).inner_text()
    assert np.mean(np.any(before != after, axis=-1)) > 0.005, "the threshold lights up voxels"

    canvas = shown.nth(0).locator("canvas").first
    x, y = middle(canvas.bounding_box())
    bench.page.mouse.move(x - 2, y)
    bench.page.mouse.click(x, y)
    bench.until("map_plot.state.get('voxel') is not None")
    i, j, k = bench.value("map_plot.state['voxel']")
    assert bench.value(f"bool(roi.mask[{k}, {j}, {i}])")
    assert f"voxel {i}, {j}, {k}" in shown.nth(0).inner_text()

    shown.nth(1).scroll_into_view_if_needed()
    shown.nth(1).locator(".sk-thumb").nth(0).click()
    bench.until("film.state.get('step') == 0")

    shown.nth(2).scroll_into_view_if_needed()
    assert f"{bench.value('roi.volume_ml'):.2f} ml" in shown.nth(2).inner_text()

    shown.nth(3).scroll_into_view_if_needed()
    shown.nth(3).locator("input[type=range]").first.fill("0.2")
    bench.until("roc.state.get('threshold') is not None")
    rates = bench.value(
        "__import__('spinekit.evaluation.roc').evaluation.roc.at_threshold(truth, score, threshold=0.2)"
    )
    state = bench.value("roc.state")
    assert abs(state["sensitivity"] - rates["sensitivity"]) < 0.06  # the slider moves in steps
    first = bench.value("roc.data['threshold']")
    at = state["threshold"]
    changed = bench.value(f"[c for c, s in zip(names, score) if (s >= {at}) != (s >= {first})]")
    assert state["changed"] == changed
    assert changed
    shown.nth(3).locator(".sk-list button").first.click()
    bench.until(f"roc.opened == ['{changed[0]}'] and len(seen.picture.outputs) == 1")
    bench.page.get_by_text(changed[0], exact=True).first.wait_for()

    assert bench.errors() == []
    assert lab.outside() == []
    bench.close()

"""The 3-D view in JupyterLab: it opens, shows anatomy and region, and asks nothing outside this machine."""

from __future__ import annotations

import numpy as np

CASE = """
import spinekit as sk
from spinekit.widgets.view3d import view_3d
case = sk.simulate_case(3, size=(64, 64, 10))
"""
SHOW = "shown = view_3d(case.series.phase(-1), case.lesion, simulated=True); shown"
READY = "shown.viewer is not None and shown.viewer.has_viewer"
SLOW_S = 240  # volumes are drawn by the processor here


def seen_in_the_middle(pixels):
    """Return how far the grey values spread, and the share of pixels that are clearly red."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 5 : -height // 5, width // 5 : -width // 5].astype(float)
    return middle.std(), np.mean(middle[..., 0] - middle[..., 1:].max(axis=-1) > 15)


def test_image_and_region_are_drawn_with_no_network_under_a_base_url_and_with_a_token(lab):
    bench = lab.open(lab.cells(CASE, SHOW, "print('goes on')"), width=1100, height=900)
    bench.page.set_default_timeout(SLOW_S * 1000)
    bench.run()
    bench.page.get_by_role("button", name="open the 3-D view").click()  # asked for, since the processor draws here
    bench.until(READY, within_s=SLOW_S)
    frame = bench.page.locator("iframe[src*='spinekit-offline']")
    spread, red = 0.0, 0.0
    for _ in range(SLOW_S // 4):  # the volume is there first, the region's colour some frames later
        spread, red = seen_in_the_middle(bench.pixels(frame))
        if spread > 4 and red > 0.003:
            break
        bench.page.wait_for_timeout(3000)

    assert spread > 4, "the viewer shows one flat colour"
    assert 0.003 < red < 0.5, "the region is not seen in its colour"
    assert bench.errors() == []
    assert bench.value("shown.failure is None")
    assert lab.outside() == []
    bench.close()


def test_without_webgl_the_reader_is_told_and_the_notebook_goes_on(lab_without_webgl):
    bench = lab_without_webgl.open(lab_without_webgl.cells(CASE, SHOW, "print('goes on')"))
    bench.run()
    bench.page.get_by_text("offers no WebGL").wait_for()

    assert bench.page.get_by_text("goes on", exact=True).count() >= 1
    assert bench.value("shown.viewer is None")
    assert bench.value("'itkwidgets' not in __import__('sys').modules")
    bench.close()

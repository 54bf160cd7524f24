"""The 3-D view: upright scenes, a figure where nobody looks, words where something lacks, and no cell that hangs."""

from __future__ import annotations

import nbformat
import numpy as np
import pytest
from numpy.testing import assert_allclose

from spinekit import labextension
from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.geometry import Geometry
from spinekit.widgets import view3d
from spinekit.widgets.view3d_scene import scene_of

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SAGITTAL = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))  # columns to P, rows to I, slices to L
TILT = np.deg2rad(25.0)
OBLIQUE = ((1.0, 0.0, 0.0), (0.0, np.cos(TILT), -np.sin(TILT)), (0.0, np.sin(TILT), np.cos(TILT)))
GRIDS = {
    "axial": Geometry((40, 44, 30), (1.5, 1.5, 2.0), (-30.0, -20.0, 5.0), AXIAL),
    "sagittal": Geometry((44, 40, 30), (1.5, 1.5, 2.0), (-30.0, -30.0, 40.0), SAGITTAL),
    "oblique": Geometry((40, 44, 30), (1.5, 1.5, 2.0), (-30.0, -20.0, 5.0), OBLIQUE),
}


def ball(grid, centre_mm, radius_mm):
    k, j, i = np.indices(grid.shape_zyx)
    places = grid.index_to_mm(np.stack([i, j, k], axis=-1))
    return np.linalg.norm(places - np.asarray(centre_mm), axis=-1) < radius_mm


@pytest.fixture(params=list(GRIDS))
def grid(request):
    return GRIDS[request.param]


def test_the_scene_lies_along_l_p_s_whatever_the_grid_of_the_image(grid):
    middle = grid.index_to_mm((np.array(grid.size) - 1) / 2)
    left, above = middle + np.array([12.0, 0.0, 0.0]), middle + np.array([0.0, 0.0, 9.0])
    image = Volume(ball(grid, left, 11.0).astype(np.float32), grid)
    scene = scene_of(image, Roi(ball(grid, above, 6.0), grid), margin_mm=60.0, most_voxels=60_000)

    assert scene.image.geometry.direction == AXIAL
    bright = scene.image.geometry.index_to_mm(np.argwhere(scene.image.values > 0.5)[:, ::-1]).mean(axis=0)
    marked = scene.image.geometry.index_to_mm(np.argwhere(scene.roi.mask)[:, ::-1]).mean(axis=0)
    assert_allclose(bright, left, atol=1.0)
    assert_allclose(marked, above, atol=1.0)


def test_the_region_keeps_its_volume(grid):
    middle = grid.index_to_mm((np.array(grid.size) - 1) / 2)
    roi = Roi(ball(grid, middle, 14.0), grid)

    scene = scene_of(Volume(np.zeros(grid.shape_zyx), grid), roi, margin_mm=5.0)

    assert_allclose(scene.roi.volume_ml, roi.volume_ml, rtol=0.03)


@pytest.mark.parametrize("most", [1_000, 20_000])
def test_the_scene_never_holds_more_voxels_than_it_may(grid, most):
    scene = scene_of(Volume(np.zeros(grid.shape_zyx), grid), most_voxels=most)

    assert 0.5 * most < scene.image.values.size <= most


def test_nan_and_outliers_do_not_reach_the_viewer():
    grid = GRIDS["axial"]
    values = np.random.default_rng(0).normal(size=grid.shape_zyx)
    values[0], values[1, 0, 0] = np.nan, 1e9

    shown = scene_of(Volume(values, grid)).image.values

    assert np.isfinite(shown).all()
    assert shown.max() < 10


def test_a_negative_margin_is_refused():
    grid = GRIDS["axial"]

    with pytest.raises(InputRefusedError, match="margin_mm=-1"):
        scene_of(Volume(np.zeros(grid.shape_zyx), grid), margin_mm=-1)


def test_an_unattended_run_gets_a_figure_and_itkwidgets_is_not_imported(monkeypatch):
    import sys

    from matplotlib.figure import Figure

    monkeypatch.setenv("SPINEKIT_UNATTENDED", "1")
    grid = GRIDS["oblique"]
    roi = Roi(ball(grid, grid.index_to_mm((20, 22, 15)), 10.0), grid)

    shown = view3d.view_3d(Volume(np.zeros(grid.shape_zyx), grid), roi, simulated=True)

    assert isinstance(shown, Figure)
    assert "SIMULATED" in shown.get_supxlabel()
    assert "itkwidgets" not in sys.modules


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"webgl": False, "offline": True, "imjoy": True}, "WebGL"),
        ({"webgl": True, "offline": False, "imjoy": True}, "Reload the page"),
        ({"webgl": True, "offline": True, "imjoy": False}, "imjoy-jupyterlab-extension"),
    ],
)
def test_what_the_browser_lacks_is_said_with_the_cure_and_nothing_is_opened(monkeypatch, answer, word):
    grid = GRIDS["axial"]
    shown = view3d.view_3d(Volume(np.zeros(grid.shape_zyx), grid))
    monkeypatch.setattr(shown, "_open", lambda: pytest.fail("opened all the same"))

    shown._answered(None, {**answer, "page": "1"}, [])

    assert word in shown.status.value


@pytest.mark.parametrize("writable", [True, False])
def test_absent_files_are_laid_down_or_the_command_is_named(monkeypatch, writable):
    laid = []

    def install():
        if not writable:
            raise PermissionError(13, "Permission denied")
        laid.append(True)

    monkeypatch.setattr(view3d, "install", install)
    monkeypatch.setattr(view3d, "state", lambda: labextension.Served(None, ("absent",)))
    told = view3d._what_is_lacking({"webgl": True, "offline": False, "imjoy": True})

    assert bool(laid) is writable
    assert ("now they are" if writable else "Permission denied") in told
    assert ("python -m spinekit.labextension" in told) is not writable


def test_where_the_processor_draws_nothing_is_opened_before_the_reader_asks(monkeypatch):
    grid = GRIDS["axial"]
    shown = view3d.view_3d(Volume(np.zeros(grid.shape_zyx), grid))
    opened = []
    monkeypatch.setattr(shown, "_open", lambda: opened.append(shown.scene.image.values.size))

    shown._answered(None, {"webgl": True, "software": True, "offline": True, "imjoy": True, "page": "1"}, [])
    assert opened == []
    assert "slow" in shown.status.value
    shown.button.click()

    assert opened == [pytest.approx(60_000, rel=0.5)]
    assert shown.button.layout.display == "none"


def test_a_failure_of_the_viewer_is_shown_and_kept(monkeypatch):
    grid = GRIDS["axial"]
    shown = view3d.view_3d(Volume(np.zeros(grid.shape_zyx), grid))

    def broken():
        raise RuntimeError("no <such> thing")

    monkeypatch.setattr(shown, "_open", broken)
    shown._answered(None, {"webgl": True, "offline": True, "imjoy": True, "page": "1"}, [])

    assert isinstance(shown.failure, RuntimeError)
    assert "no &lt;such&gt; thing" in shown.status.value


def test_a_batch_run_that_nobody_announced_does_not_hang_at_the_next_cell(monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.delenv("SPINEKIT_UNATTENDED", raising=False)
    sources = [
        "import numpy as np\nfrom spinekit import Geometry, Volume\nfrom spinekit.widgets.view3d import view_3d\n"
        "view_3d(Volume(np.zeros((4, 5, 6)), Geometry((6, 5, 4), (1.0, 1.0, 1.0))))",
        "print('the next cell')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])

    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    assert notebook.cells[1].outputs[0]["text"] == "the next cell\n"

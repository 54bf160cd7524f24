"""One case from a series to its tables without notebooks: the same steps, the same numbers, no report."""

from __future__ import annotations

from collections.abc import Collection

from spinekit import workflow
from spinekit.io.layout import CaseFolder
from spinekit.reporting.case_run import CaseRequest, check_request, notebook_parameters
from spinekit.reporting.seal import remember_choices, write_seal
from spinekit.settings import read_settings, with_baseline

__all__ = ["compute_case"]


def compute_case(request: CaseRequest, *, keep: Collection[str] = ()) -> CaseFolder:
    """Read a series, make the region, compute maps and features; what ``spinekit run`` does, without its notebooks.

    For many cases of which only the tables are wanted: a notebook costs the start of a kernel. The tables need neither
    network, so none is asked: the case has no segmentation of the U-Net and no diagnosis.

    Parameters
    ----------
    request : CaseRequest
        What to read, how the lesion is marked, where to write.
    keep : collection of str
        Steps of an earlier run in the same folder whose results stand, by the names of their notebooks.

    Returns
    -------
    CaseFolder

    Raises
    ------
    InputRefusedError
        What any step refuses; what was done before it stays in the folder.
    """
    check_request(request)
    folder = CaseFolder.for_writing(request.case_dir)
    told = notebook_parameters(request)
    load, mark, review = (dict(told[name]) for name in ("01_load_case", "02_mark_lesion", "03_review_roi"))
    settings = with_baseline(read_settings(load.pop("settings_file") or None), load.pop("n_baseline"))
    times = [float(t) for t in load.pop("times_s").split(",") if t]
    workflow.load_case(load.pop("source"), load.pop("case_dir"), times_s=times or None, settings=settings, **load)
    if "02_mark_lesion" not in keep:
        selection = workflow.begin_marking(**mark)
        workflow.save_roi(folder.root, selection.confirm(), selection.journal)
        reviewed = workflow.begin_review(**review)
        workflow.save_roi(folder.root, reviewed.confirm(), reviewed.journal)
    if "04_parameter_maps" not in keep:
        workflow.compute_maps(folder.root)
    workflow.compute_features(folder.root)
    workflow.write_provenance(folder.root)
    remember_choices(
        folder.root,
        settings=request.settings_file,
        roi=request.roi_file,
        outline=request.outline_file,
        journal=request.journal_file,
        n_baseline=request.n_baseline,
    )
    write_seal(folder.root)
    return folder

"""Mark and review the region of a case: presets, replay, and what is kept."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from spinekit.case import Roi
from spinekit.errors import InputRefusedError
from spinekit.geometry import require_same_grid
from spinekit.io.layout import CaseFolder
from spinekit.provenance import write_json
from spinekit.segmentation.outline import OutlineGrowth
from spinekit.viewmodels import Journal, RoiReview, SeedSelection
from spinekit.workflow.loading import missing_step, open_marker, open_series, open_settings

__all__ = ["begin_marking", "begin_review", "open_journal", "open_roi", "outline_steps", "save_roi"]

PathLike = str | os.PathLike[str]


def begin_marking(
    case_dir: PathLike,
    *,
    seeds: str = "",
    background: str = "",
    roi_file: PathLike = "",
    outline_file: PathLike = "",
    roi_label: str = "",
    expand: str = "area",
    journal_file: PathLike = "",
    reader: str = "",
    use_suggested_seed: bool = False,
    auto: bool = False,
) -> SeedSelection:
    """Return the selection of a case, with presets already made in it.

    Parameters
    ----------
    seeds, background : str
        Voxels as ``"i,j,k;i,j,k"``.
    roi_file : path
        A mask on the grid of the series.
    outline_file : path
        A mask drawn on another image, such as the sagittal T2, on that image's grid.
    roi_label : str
        Number or name of the region in `roi_file` or `outline_file`, where that holds several.
    expand : {"area", "linear", "dilate"}
        What "expanded five times" means for the outline.
    journal_file : path
        Choices to replay.
    use_suggested_seed : bool
        Simulated cases only: begin with the seed that the simulator knows.
    auto : bool
        Take the region that the U-Net proposes; the journal keeps its voxels.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` if several of seeds, `roi_file`, `outline_file`, `journal_file` and `auto` are given;
        ``lesion-not-found``; what reading, placing and replaying refuse.
    """
    from spinekit.io import read_roi

    series, study = open_series(case_dir), open_settings(case_dir)
    ways = {"seeds": seeds, "roi_file": roi_file, "outline_file": outline_file, "journal_file": journal_file}
    ways["auto"] = "auto" if auto else ""
    given = [name for name, value in ways.items() if value]
    if len(given) > 1:
        raise InputRefusedError(
            "choice-unknown",
            found=f"{' and '.join(given)} were given.",
            expected="One way to the region, or none to click.",
            cause="An earlier parameter may not have been emptied.",
            cure="Empty all but one.",
        )
    label = int(roi_label) if roi_label.isdigit() else roi_label or None
    selection = SeedSelection(series, n_baseline=study.kinetics.n_baseline, growing=study.growing, reader=reader)
    if journal_file:
        selection.replay(Journal.read(journal_file))
    elif roi_file:
        selection.take(read_roi(roi_file, on=series.geometry, label=label), source="file")
    elif outline_file:
        selection.outline(read_roi(outline_file, label=label, name="outline"), expand=expand)
    elif seeds:
        selection.place(_voxels(seeds, "seeds"), _voxels(background, "background"))
    elif auto:
        from spinekit.workflow.segmenting import propose_region

        proposed, network = propose_region(series, study)
        selection.take(proposed, source=network)
    elif use_suggested_seed:
        suggested = open_marker(case_dir)["suggested_seed_ijk"]
        if suggested is None:
            raise InputRefusedError(
                "seed-missing",
                found="use_suggested_seed is set for a series that was read from files.",
                expected="A simulated case, where the simulator knows the lesion.",
                cause="The parameter was kept from a simulated case.",
                cure="Give seeds, or click.",
            )
        selection.place([suggested])
    return selection


def _voxels(text: str, name: str) -> list[tuple[int, int, int]]:
    found = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        numbers = part.split(",")
        if len(numbers) != 3 or not all(n.strip().lstrip("-").isdigit() for n in numbers):
            raise InputRefusedError(
                "value-out-of-range",
                found=f"{name} holds '{part}'.",
                expected="Voxels i,j,k separated by semicolons, such as '85,131,38;90,128,38'.",
                cause="A separator may be missing, or a position in mm was given.",
                cure="Correct it in the first cell.",
            )
        found.append((int(numbers[0]), int(numbers[1]), int(numbers[2])))
    return found


def begin_review(
    case_dir: PathLike, *, journal_file: PathLike = "", reader: str = "", accept: bool = False, reason: str = ""
) -> RoiReview:
    """Return the review of the region as it was marked, with an earlier review made again.

    Parameters
    ----------
    journal_file : path
        A review to replay; the journal of the case itself if not given.
    accept : bool
        Accept where no verdict was replayed, for unattended runs.
    """
    journal = open_journal(case_dir)
    series = open_series(case_dir)
    marked = SeedSelection(series)
    marked.replay(journal)
    review = RoiReview(series, marked.confirm(), journal)
    review.replay(Journal.read(journal_file) if journal_file else journal)
    if accept and review.verdict is None:
        review.accept(reader, reason)
    return review


def outline_steps(case_dir: PathLike) -> OutlineGrowth | None:
    """Return every step of the way from the outline to the region; None where the region did not come from one."""
    marked = SeedSelection(open_series(case_dir))
    marked.replay(open_journal(case_dir))
    return marked.outline_steps


def save_roi(case_dir: PathLike, roi: Roi, journal: Journal) -> Roi:
    """Write a region, how it was made, and the journal of the reader's choices."""
    from spinekit.io import write_roi

    folder = CaseFolder.at(case_dir)
    require_same_grid(roi.geometry, open_series(case_dir).geometry, names=("ROI", "series"))
    write_roi(roi, folder.roi)
    write_json(folder.roi_record, {"name": roi.name, "warnings": roi.warnings, "record": roi.record})
    journal.write(folder.journal)
    return roi


def open_roi(case_dir: PathLike) -> Roi:
    """Return the accepted region of a case with its record.

    Raises
    ------
    InputRefusedError
        ``case-incomplete`` if no region has been saved; ``roi-not-accepted`` if no reader has accepted it.
    """
    from spinekit.io import read_roi

    folder = CaseFolder.at(case_dir)
    if not folder.roi.is_file():
        raise missing_step("region", "roi.nii.gz", "02")
    kept = json.loads(folder.roi_record.read_text(encoding="utf-8"))
    if not kept["record"].get("accepted_by"):
        raise InputRefusedError(
            "roi-not-accepted",
            found="The region of the case has been marked, but nobody has accepted it.",
            expected="A region that a reader has accepted.",
            cause="Notebook 03 has not been run since the lesion was marked.",
            cure="Review the region in notebook 03.",
        )
    roi = read_roi(folder.roi, on=open_series(case_dir).geometry)
    return replace(roi, name=kept["name"], warnings=tuple(kept["warnings"]), record=kept["record"])


def open_journal(case_dir: PathLike) -> Journal:
    """Return the journal of the reader's choices."""
    folder = CaseFolder.at(case_dir)
    if not folder.journal.is_file():
        raise missing_step("journal", "journal.json", "02")
    return Journal.read(folder.journal)

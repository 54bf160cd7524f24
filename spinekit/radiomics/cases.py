"""Features of many cases: one process per core, one case in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from spinekit.case import Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.radiomics.extract import extract_features

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extract_cases"]

Loader = Callable[[str], tuple[Mapping[str, Volume], Roi]]


def extract_cases(
    names: Iterable[str],
    load: Loader,
    *,
    processes: int = 1,
    **choices: Any,
) -> pd.DataFrame:
    """Extract the features of many cases; a case that is refused does not stop the others.

    Parameters
    ----------
    names : iterable of str
        Names of cases.
    load : callable
        Given a name, returns the images and the region of that case. Called in the process that
        works on the case, so that images never travel; with more than one process it must be
        importable (a function of a module, or `functools.partial` of one), not defined in a notebook.
    processes : int
        Worker processes.
    **choices
        As of `extract_features`: ``discretisation``, ``path`` ...

    Returns
    -------
    pandas.DataFrame
        As of `extract_features`, with the index ``(case, image)`` in the order of `names`.
        ``attrs["warnings"]``: mapping of case to warnings; ``attrs["refused"]``: mapping of case to
        ``{"code", "message"}`` of the cases that are not in the table. Empty if all were refused.

    Notes
    -----
    Worker processes are started afresh, so that a script must keep its own work under
    ``if __name__ == "__main__":``.

    Examples
    --------
    >>> import numpy as np
    >>> from spinekit import Geometry
    >>> grid = Geometry((5, 5, 5), (1.0, 1.0, 1.0))
    >>> def load(name):
    ...     image = Volume(np.random.default_rng(len(name)).normal(size=(5, 5, 5)), grid)
    ...     return {"t2": image}, Roi(np.full((5, 5, 5), name != "blank"), grid)
    >>> table = extract_cases(["first", "blank", "third one"], load, discretisation={"bin_count": 8})
    >>> table.index.tolist(), table.attrs["refused"]["blank"]["code"]
    ([('first', 't2'), ('third one', 't2')], 'roi-empty')
    """
    import pandas as pd

    work = [(name, load, choices) for name in names]
    if processes > 1 and len(work) > 1:
        # started afresh, not forked: the threads of ITK and of linear algebra do not survive a fork
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            results = list(pool.map(_one_case, work))
    else:
        results = [_one_case(item) for item in work]
    tables = {name: found for (name, _, _), found in zip(work, results, strict=True) if not isinstance(found, dict)}
    whole = pd.concat(tables, names=["case"]) if tables else pd.DataFrame()
    whole.attrs["warnings"] = {name: table.attrs["warnings"] for name, table in tables.items()}
    whole.attrs["refused"] = {n: found for (n, _, _), found in zip(work, results, strict=True) if n not in tables}
    return whole


def _one_case(item: tuple[str, Loader, dict[str, Any]]) -> pd.DataFrame | dict[str, str]:
    name, load, choices = item
    try:
        images, roi = load(name)
        return extract_features(images, roi, **choices)
    except InputRefusedError as refusal:
        return refusal.as_dict()


def _one_thread() -> None:
    """Leave the cores to the processes; ITK would start a thread per core in each of them."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

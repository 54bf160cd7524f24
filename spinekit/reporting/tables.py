"""Tables that notebooks and report show: plain DataFrames, whose text pandas escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spinekit.quantities import CURVE_TYPES, QUANTITIES

if TYPE_CHECKING:
    from spinekit.case import Diagnosis, DynamicSeries, ParameterMaps, Roi, Segmentation
    from spinekit.viewmodels.journal import Journal

__all__ = [
    "card_table",
    "column_table",
    "curve_table",
    "diagnosis_table",
    "explanation_table",
    "feature_table",
    "journal_table",
    "map_statistics",
    "phase_table",
    "preflight_table",
    "provenance_table",
    "quantity_table",
    "record_table",
    "region_table",
    "segmentation_table",
    "series_table",
    "settings_table",
    "spread_table",
    "undefined_table",
    "validity_table",
    "warning_table",
]

pd.options.display.max_colwidth = None  # pandas would cut a warning short after 50 letters, and
pd.options.display.max_rows = 500  # hide the middle of a feature table

CODED = re.compile(r"^\[(?P<code>[^\]]+)\]\s*(?P<text>.*)$", re.DOTALL)


def _by(column: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table by one of its columns, with a single header line."""
    return table.set_index(column).rename_axis(index=None, columns=column)


def _facts(rows: Iterable[tuple[str, str]]) -> pd.DataFrame:
    return _by("fact", pd.DataFrame(list(rows), columns=["fact", "value"]))


def _number(value: float | None, unit: str) -> str:
    return "not stated" if value is None else f"{value:.4g} {unit}"


def series_table(series: DynamicSeries) -> pd.DataFrame:
    """Return what the series is: grid, times and where they came from, protocol."""
    protocol = series.acquisition
    grid = series.geometry
    return _facts(
        [
            ("voxels (x × y × z)", " × ".join(str(n) for n in grid.size)),
            ("voxel size", " × ".join(f"{s:.4g}" for s in grid.spacing_mm) + " mm"),
            ("axes x, y, z point to", ", ".join(grid.axis_names())),
            ("phases", str(series.n_phases)),
            ("times given by", series.time_source),
            ("last phase", f"{series.times_s[-1]:.1f} s after the first"),
            ("repetition time", _number(protocol.repetition_time_ms, "ms")),
            ("echo time", _number(protocol.echo_time_ms, "ms")),
            ("flip angle", _number(protocol.flip_angle_deg, "°")),
            ("field strength", _number(protocol.field_strength_t, "T")),
            ("maker", protocol.manufacturer or "not stated"),
            ("files read", str(len(series.sources)) if series.sources else "none (made by the simulator)"),
        ]
    )


def phase_table(series: DynamicSeries) -> pd.DataFrame:
    """Return the time of every phase, one column per phase."""
    times = pd.DataFrame({f"phase {t}": [f"{s:.1f} s"] for t, s in enumerate(series.times_s)})
    return times.set_axis(["after the first phase"])


def warning_table(*groups: Iterable[str]) -> pd.DataFrame:
    """Return warnings as code and text; one row that says so if there are none."""
    rows = []
    for text in dict.fromkeys(w for group in groups for w in group):
        match = CODED.match(text)
        rows.append((match["code"], match["text"]) if match else ("", text))
    return _by("code", pd.DataFrame(rows or [("none", "No warning was recorded.")], columns=["code", "warning"]))


def region_table(roi: Roi) -> pd.DataFrame:
    """Return size, position and origin of the region."""
    box = roi.box_zyx
    extent = [(b.stop - b.start) * s for b, s in zip(box, roi.geometry.spacing_zyx_mm, strict=True)]
    centre = roi.centre_ijk
    rows = [
        ("volume", f"{roi.volume_ml:.2f} ml"),
        ("voxels", str(roi.n_voxels)),
        ("extent along x, y, z", " × ".join(f"{e:.0f}" for e in extent[::-1]) + " mm"),
        ("centre (i, j, k)", ", ".join(f"{c:.0f}" for c in centre)),
        ("centre (L, P, S)", ", ".join(f"{c:.1f}" for c in roi.geometry.index_to_mm(centre)) + " mm"),
    ]
    if "method" in roi.record:
        rows.append(("made by", str(roi.record["method"])))
    if "tolerance" in roi.record:
        chosen = roi.record.get("tolerance_chosen_by", "")
        rows.append(("tolerance", f"{roi.record['tolerance']:.3g}" + (f" ({chosen})" if chosen else "")))
    if "accepted_by" in roi.record:
        rows.append(("accepted", f"{roi.record['accepted_by']}: {roi.record['accepted_because']}"))
    return _facts(rows)


def map_statistics(maps: ParameterMaps, roi: Roi) -> pd.DataFrame:
    """Return median and quartiles of every map in the region, with the share that is defined.

    The curve type has no median; its three shares are given instead.
    """
    rows: list[dict[str, Any]] = []
    for name, volume in maps.items():
        quantity = QUANTITIES[name]
        values = volume.within(roi).astype(np.float64)
        defined = values[np.isfinite(values)]
        row: dict[str, Any] = {"quantity": quantity.title, "symbol": quantity.symbol, "unit": volume.unit}
        row["defined"] = f"{100 * defined.size / max(values.size, 1):.1f} %"
        if name == "curve_type" and defined.size:
            shares = [f"{label} {100 * np.mean(defined == code):.0f} %" for code, label in CURVE_TYPES.items()]
            row["median"], row["quartiles"] = ", ".join(shares), ""
        elif defined.size:
            low, middle, high = np.percentile(defined, [25, 50, 75])
            row["median"], row["quartiles"] = f"{middle:.4g}", f"{low:.4g} to {high:.4g}"
        else:
            row["median"], row["quartiles"] = "undefined", ""
        rows.append(row)
    return _by("quantity", pd.DataFrame(rows))


def _support(name: str, maps: ParameterMaps) -> str:
    """Say whether the protocol supports a quantity."""
    if name not in maps:
        told = maps.record.get("quantitative", {}).get("refused", "")
        return f"not computed: {told}" if told else "not computed: it was not asked for"
    values = maps[name].values
    if not np.isfinite(values).any():
        return "no: undefined in every voxel, see the reasons"
    if not QUANTITIES[name].quantitative:
        return "yes: from the signal and the times of the phases"
    reasons = maps.record.get("quantitative", {}).get("exploratory", ())
    return f"exploratory: {'; '.join(reasons)}" if reasons else "yes"


def quantity_table(maps: ParameterMaps) -> pd.DataFrame:
    """Return formula, unit and source of every quantity, and whether the protocol supports it."""
    names = [name for name, quantity in QUANTITIES.items() if name in maps or quantity.quantitative]
    rows = [
        {"quantity": QUANTITIES[n].title, "symbol": QUANTITIES[n].symbol, "unit": QUANTITIES[n].unit,
         "formula": QUANTITIES[n].formula, "source": QUANTITIES[n].source, "supported": _support(n, maps)}
        for n in names
    ]  # fmt: skip
    return _by("quantity", pd.DataFrame(rows))


def validity_table(maps: ParameterMaps) -> pd.DataFrame:
    """Return what the quantitative maps rest on: refused and why, or exploratory and why, with the fit's errors."""
    told = maps.record.get("quantitative", {})
    if "refused" in told or not told:
        return _facts([("quantitative maps", "not computed"), ("because", told.get("refused", "not asked for"))])
    reasons = told["exploratory"]
    rows = [("validity", "exploratory" if reasons else "supported by the protocol")]
    rows += [("because", reason) for reason in reasons]
    rows += [(key.replace("_", " "), str(told[key])) for key in ("model", "arterial_input", "t1", "delay_range_s")]
    if told.get("shared_delay_s") is not None:
        rows.append(("delay, one for the region", f"{told['shared_delay_s']:.1f} s"))
    for name, error in told["standard_error"].items():
        defined = maps[name].values[np.isfinite(maps[name].values)]
        middle = f"{np.median(defined):.3g}" if defined.size else "undefined"
        spread = "unknown" if error is None else f"{error:.2g}"
        rows.append(
            (f"{QUANTITIES[name].symbol}, median (and median standard error)", f"{middle} ({spread}) {maps[name].unit}")
        )
    return _facts(rows)


def undefined_table(maps: ParameterMaps) -> pd.DataFrame:
    """Return how many voxels of each map are undefined, and why."""
    rows = [
        {"map": QUANTITIES[name].title, "reason": reason, "voxels": count}
        for name, reasons in maps.undefined.items()
        for reason, count in reasons.items()
        if count
    ]
    none = [{"map": "all", "reason": "every voxel is defined", "voxels": 0}]
    return _by("map", pd.DataFrame(rows or none))


def diagnosis_table(told: Diagnosis) -> pd.DataFrame:
    """Return what the classifier says of a lesion, and why it says nothing where it abstains."""
    rows = [(f"probability of {name}", _or_reason(p, told.reason)) for name, p in told.probabilities.items()]
    rows += [
        ("range over views", _or_reason(told.interval[0], "") + " to " + _or_reason(told.interval[1], "")),
        ("cannot be ruled out", ", ".join(told.label_set) or "none"),
        ("at a coverage of", f"{100 * told.coverage:.0f} % of cases like the simulated calibration cases"),
        ("statement", told.label or f"none. {told.reason}"),
        ("given by", f"{told.given_by} model"),
    ]
    if told.record.get("clinical"):
        rows.append(("clinical facts that it was given", _named_values(told.record["clinical"])))
        rows.append(("probability by the network alone", f"{told.record['network_probability']:.3f}"))
    if "distance" in told.record:
        far = f"{told.record['distance']:.2f}; unlike above {told.record['distance_limit']:.2f}"
        rows.append(("distance to the training cases", far))
    return _facts(rows)


def _named_values(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in facts.items())  # as they are typed


def _or_reason(value: float, reason: str) -> str:
    return f"{value:.3f}" if np.isfinite(value) else f"undefined{': ' if reason else ''}{reason}"


def segmentation_table(found: Segmentation | None, roi: Roi) -> pd.DataFrame:
    """Return each lesion that the network found, and how far its answer agrees with the reader's region."""
    if found is None:
        return _facts([("lesions found", "none: the network cannot see this case")])
    lesions = np.asarray(found.lesions.values)
    rows = [("click", str(found.record["click"] or "none")), ("lesions found", str(int(lesions.max())))]
    voxel = found.lesions.geometry.voxel_volume_mm3 / 1000.0
    for number in range(1, int(lesions.max()) + 1):
        inside = lesions == number
        sure = float(found.probability.values[inside].mean())
        rows.append((f"lesion {number}", f"{inside.sum() * voxel:.2f} ml, mean probability {sure:.2f}"))
    overlap = 2.0 * np.count_nonzero(found.roi.mask & roi.mask) / max(found.roi.n_voxels + roi.n_voxels, 1)
    rows.append(("Dice with the accepted region (agreement, not accuracy)", f"{overlap:.3f}"))
    return _facts(rows)


def card_table(card: Mapping[str, Any]) -> pd.DataFrame:
    """Return the card of a model, one line per fact; the learning curve is drawn elsewhere.

    Of a mean of several networks each is told by its command.
    """
    order = ("warning", "kind", "training", "metrics", "config", "sha256")
    told = {key: card[key] for key in order if key in card}
    training = {key: value for key, value in card.get("training", {}).items() if key != "curve"}
    if "mean_of" in training:
        training["mean_of"] = {f"{n}": part.get("command", "") for n, part in enumerate(training["mean_of"], start=1)}
    return record_table({**told, "training": training} if "training" in told else told)


def explanation_table(tested: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the two tests of each map of evidence, as they are kept in ``diagnosis.json``."""
    rows = [
        {
            "map": each["method"],
            "faithful": "yes" if each["faithful"] else f"not faithful: {'; '.join(each['reasons'])}",
            "logit falls by": f"{each['fall']:.3f}",
            "by chance": f"{each['fall_random']:.3f}",
            "like random weights": "constant map"
            if each["alike_random_weights"] is None
            else f"{each['alike_random_weights']:.2f}",
        }
        for each in tested
    ]
    none = [{"map": "none", "faithful": "The case was not put to the model."}]
    return _by("map", pd.DataFrame(rows or none))


def provenance_table(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return what made the case: versions, series hash, result hashes."""
    rows = [("written", f"{record['written_utc']}"), ("series, SHA-256", record["series"]["sha256"])]
    rows += [(f"{name}, SHA-256", digest) for name, digest in record["results_sha256"].items()]
    rows += [(name, version) for name, version in record["versions"].items()]
    return _facts(rows)


def settings_table(settings: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return every setting that was used, by section and key; a file that they name stands by its SHA-256."""
    from spinekit.io.whereabouts import name_by_hash
    from spinekit.settings import PATHS

    rows = []
    for section, content in settings.items():
        for key, value in content.items():
            shown = name_by_hash(value, remember=False) if (section, key) in PATHS else str(value)
            rows.append((f"{section}.{key}", shown))
    return _facts(rows)


def record_table(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return a flat view of a JSON record, one line per fact; nested keys are joined by dots."""

    def flat(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from flat(f"{prefix}.{key}" if prefix else str(key), inner)
        elif isinstance(value, (list, tuple)) and len(value) > 12:
            yield prefix, f"{len(value)} values"
        else:
            yield prefix, str(value)

    return _facts(flat("", record))


def feature_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the feature table turned on its side, one line per feature, numbers with six digits."""
    turned = table.T.rename_axis(index=None, columns="feature")
    return turned.map(lambda value: f"{value:.6g}" if isinstance(value, (int, float, np.number)) else str(value))


def preflight_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return what was seen before the extraction, one line per image: voxels, range, levels, width advised, doubts."""
    shown = pd.DataFrame(
        {
            "voxels": table["n_voxels"],
            "slices": table["n_slices"],
            "range (1st to 99th percentile)": [
                f"{a:.4g} to {b:.4g}" for a, b in zip(table["p1"], table["p99"], strict=True)
            ],
            "grey levels": table["grey_levels"],
            "bin width advised": [f"{w:g}" for w in table["bin_width"]],
            "why": table["reason"],
            "doubts": [text.replace("\n", " ") or "none" for text in table["findings"]],
        },
        index=table.index,
    )
    return shown.reset_index().set_index("image")


def curve_table(curves: pd.DataFrame, *, rows: int = 12) -> pd.DataFrame:
    """Return the features that change most over time, by their peak over the baseline's size."""
    size = curves["baseline"].abs().where(curves["baseline"] != 0)
    change = (curves["peak"] / size).rename("peak / baseline")
    order = change.abs().sort_values(ascending=False).index[:rows]
    names = ["baseline", "peak", "time_to_peak", "slope", "wash_out", "last"]
    shown = curves.loc[order, names].rename(columns={"time_to_peak": "time to peak, s", "slope": "slope, 1/s",
                                                     "wash_out": "wash-out, 1/s"})  # fmt: skip
    return shown.assign(**{"peak / baseline": change.loc[order]}).map(lambda v: f"{v:.4g}")


def spread_table(spread: pd.DataFrame, *, rows: int = 12) -> pd.DataFrame:
    """Return the features that move most when the region or the image is a little otherwise, and what moves them."""
    order = spread["largest_change"].sort_values(ascending=False).index[:rows]
    part = spread.loc[order]
    return pd.DataFrame(
        {
            "value": [f"{v:.4g}" for v in part["reference"]],
            "coefficient of variation": [f"{v:.2g}" for v in part["cv"]],
            "largest change": [f"{100 * v:.0f} %" for v in part["largest_change"]],
            "by": part["by"],
        },
        index=part.index,
    )


def column_table(columns: Iterable[str]) -> pd.DataFrame:
    """Return what the columns of a feature table mean, one line each."""
    from spinekit.radiomics import describe_features

    return describe_features(columns)[["family_words", "meaning", "formula", "ibsi_tag"]].rename(
        columns={"family_words": "family", "ibsi_tag": "IBSI tag"}
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:150]}… ({len(text)} characters)"


def journal_table(journal: Journal) -> pd.DataFrame:
    """Return the reader's actions in order."""
    rows = [
        {
            "number": n,
            "step": action["step"],
            "action": action["action"],
            "with": ", ".join(f"{k} {_short(v)}" for k, v in action.items() if k not in ("step", "action", "at_utc")),
            "at": action.get("at_utc", ""),
        }
        for n, action in enumerate(journal.as_dict()["actions"], start=1)
    ]
    return _by("number", pd.DataFrame(rows, columns=["number", "step", "action", "with", "at"]))

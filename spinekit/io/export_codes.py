"""Codes for what is exported: findings, quantities and units, standard ones where DICOM has them."""

from __future__ import annotations

from typing import Any

from spinekit.quantities import QUANTITIES

__all__ = ["EQUIPMENT", "quantity_code", "unit_code"]

PRIVATE = "99SPINEKIT"  # coding scheme of quantities that have no code in DICOM
STANDARD = {  # names of quantities.py -> keyword in DICOM PS3.16; only where the definition is the same
    "time_to_peak": "TimeToPeak",
    "bolus_arrival_time": "BolusArrivalTime",
    "ktrans": "Ktrans",
    "kep": "Kep",
    "ve": "Ve",
    "vp": "Vp",
}
UCUM = {
    "1": ("1", "no units"),
    "s": ("s", "second"),
    "1/s": ("/s", "per second"),
    "1/min": ("/min", "per minute"),
    "min": ("min", "minute"),
    "ml": ("ml", "milliliter"),
    "mm": ("mm", "millimeter"),
    "%": ("%", "percent"),
    "a.u.": ("[arb'U]", "arbitrary unit"),
}
EQUIPMENT: dict[str, Any] = {
    "manufacturer": "spinekit",
    "manufacturer_model_name": "spinekit",
    "device_serial_number": "none",
}


def unit_code(unit: str) -> Any:
    """Return the UCUM code of a unit of `spinekit.quantities`; one that is not known is written as it is."""
    from pydicom.sr.coding import Code

    value, meaning = UCUM.get(unit, (unit, unit))
    return Code(value, "UCUM", meaning)


def quantity_code(name: str) -> Any:
    """Return the code of a quantity: DICOM's where it has one, else its name in the scheme 99SPINEKIT."""
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    keyword = STANDARD.get(name)
    standard = getattr(codes.DCM, keyword, None) if keyword else None
    if standard is not None:
        return standard
    title = QUANTITIES[name].title if name in QUANTITIES else name
    return Code(name[:16].upper().strip("_"), PRIVATE, title[:64])

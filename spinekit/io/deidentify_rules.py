"""What happens to each element of a DICOM image that may leave."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from spinekit.io.dicom_mosaic import header_of, tell

__all__ = ["Key", "clean_dataset"]

TEXT = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN", "OB", "AS"}
DATES = {"DA", "DT"}
CLOCK_ONLY = {"TM"}
CLOCK = re.compile(r"[0-9:.]{0,16}\Z")
EMPTIED = {  # type 2: has to be there, may be empty
    "AccessionNumber", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "StudyID", "Laterality",
    "PositionReferenceIndicator",
}  # fmt: skip
CODED = {  # words of a fixed vocabulary; without these an image cannot be read or understood
    "AcquisitionContrast", "BurnedInAnnotation", "ComplexImageComponent", "ConversionType", "DimensionOrganizationType",
    "FrameType", "ImageType", "InPlanePhaseEncodingDirection", "LossyImageCompression", "MRAcquisitionType", "Modality",
    "PatientPosition", "PhotometricInterpretation", "PixelPresentation", "PixelSpacingCalibrationType",
    "PresentationLUTShape", "RescaleType", "ScanOptions", "ScanningSequence", "SequenceVariant",
    "SpecificCharacterSet", "VolumetricProperties", "VolumeBasedCalculationTechnique", "ContentQualification",
    "EchoPulseSequence", "SteadyStatePulseSequence", "RectilinearPhaseEncodeReordering",
    "GeometryOfKSpaceTraversal", "SegmentedKSpaceTraversal", "ApplicableSafetyStandardAgency", "ResonantNucleus",
    "CardiacSynchronizationTechnique", "SpatialPresaturation", "FlowCompensation", "ParallelAcquisition",
    "PartialFourier", "LossyImageCompressionMethod", "TypeOfData", "RespiratoryMotionCompensationTechnique",
    "SyntheticData", "QualityControlSubject",
}  # fmt: skip
YES_OR_NO = {"YES", "NO"}
ONLY = {  # RescaleType is free text in name only; the others tell a simulated series from a patient's
    "RescaleType": {"US", "HU", "OD", "NORMALIZED", "PCT"},
    "SyntheticData": YES_OR_NO,
    "QualityControlSubject": YES_OR_NO,
}
WORD = re.compile(r"[A-Z0-9_\\/ -]{0,16}\Z")
MAKERS = ("Siemens", "GE", "Philips", "Canon", "Toshiba", "Hitachi", "Hyperfine", "Fujifilm", "United Imaging")
PIXELS = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}
TABLES = {"DimensionIndexPointer", "FunctionalGroupPointer"}
METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)

SAFE_PRIVATE = ("113111", "Retain Safe Private Option")  # of a mosaic: number and direction of its slices


@dataclass(frozen=True)
class Key:
    """A secret from which pseudonyms, UIDs and the shift of dates are derived."""

    secret: bytes = field(repr=False)

    def _digest(self, *parts: str) -> bytes:
        return hmac.new(self.secret, "\x1f".join(parts).encode("utf-8", "replace"), hashlib.sha256).digest()

    def pseudonym(self, dataset: Any) -> str:
        """Return the pseudonym of the patient of an image, such as ``P-0f3a9c2b71``, from ID and issuer, or the name.

        Examples
        --------
        >>> Key(b"sixteen bytes or more").pseudonym({"PatientID": "4711"})
        'P-918cb2ac91'
        """
        return f"P-{self._digest('patient', self._patient(dataset)).hex()[:10]}"

    def days(self, dataset: Any) -> int:
        """Return by how many days the dates of this patient are moved: 1 to 3,650 back."""
        return -1 - int.from_bytes(self._digest("days", self._patient(dataset))[:8], "big") % 3650

    def uid(self, uid: str) -> str:
        """Return the UID that stands for another one; the same for the same key."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16], 'big')}"

    @staticmethod
    def _patient(dataset: Any) -> str:
        number = str(dataset.get("PatientID", "") or "").strip()
        if number:
            return number + "\x1f" + str(dataset.get("IssuerOfPatientID", "") or "")
        return "\x1f".join(str(dataset.get(name, "") or "") for name in ("PatientName", "PatientBirthDate"))


def clean_dataset(dataset: Any, key: Key, *, labelled: bool) -> Any:
    """Return an image without what identifies the patient; the dataset that was given is changed.

    Parameters
    ----------
    dataset : pydicom.Dataset
        One image with its file meta.
    key : Key
        What pseudonym, UIDs and days come from.
    labelled : bool
        Whether the image may say that the identity was removed.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import generate_uid

    name, days = key.pseudonym(dataset), key.days(dataset)
    mosaic = header_of(dataset)
    dataset.remove_private_tags()
    _clean(dataset, key, days)
    if mosaic is not None:
        tell(dataset, mosaic)
    dataset.PatientName = dataset.PatientID = name
    for keyword in ("PatientBirthDate", "PatientSex"):
        setattr(dataset, keyword, "")
    dataset.PatientIdentityRemoved = "YES" if labelled else "NO"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    if labelled:
        dataset.BurnedInAnnotation = "NO"
        items = []
        for value, meaning in METHODS if mosaic is None else (*METHODS, SAFE_PRIVATE):
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
            items.append(item)
        dataset.DeidentificationMethodCodeSequence = Sequence(items)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", None) or generate_uid(None)
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    return dataset


@cache
def _profile() -> tuple[Mapping[tuple[int, int], Callable[..., None]], tuple[tuple[tuple[int, ...], Any], ...]]:
    """Return the actions of the basic profile: of single tags, and of repeating groups with their mask."""
    from dicomanonymizer import simpledicomanonymizer

    actions = simpledicomanonymizer.initialize_actions("dicomfields_2026c")
    single = {(tag[0], tag[1]): action for tag, action in actions.items() if len(tag) == 2}
    return single, tuple((tag, action) for tag, action in actions.items() if len(tag) > 2)


def _clean(dataset: Any, key: Key, days: int) -> None:
    """Clean a dataset and the items of its sequences."""
    from dicomanonymizer.simpledicomanonymizer import delete, replace_UID

    single, groups = _profile()
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except (ValueError, TypeError, OverflowError, NotImplementedError):  # a number that is none, a VR that is none
            del dataset[tag]
            continue
        place = (element.tag.group, element.tag.element)
        action = single.get(place)
        for mask, of_group in groups:
            if place[0] & mask[2] == mask[0] & mask[2] and place[1] & mask[3] == mask[1] & mask[3]:
                action = of_group
        if element.keyword in PIXELS or element.keyword in TABLES:
            continue
        if action is delete and element.VR not in DATES | CLOCK_ONLY:
            del dataset[tag]
        elif element.VR in CLOCK_ONLY:
            if element.keyword == "PatientBirthTime" or not CLOCK.match(str(element.value or "")):
                del dataset[tag]
        elif element.VR == "UI":
            _clean_uid(dataset, element, key, mapped=action is replace_UID)
        elif element.VR in DATES:
            _shift(element, days)
        elif element.VR == "SQ":
            _clean_sequence(dataset, element, key, days, dropped=action is not None)
        elif element.VR in TEXT:
            _clean_text(dataset, element)
        elif action is not None:
            action(dataset, place)


def _clean_uid(dataset: Any, element: Any, key: Key, *, mapped: bool) -> None:
    """Replace a UID, unless it names something of the standard itself."""
    several = element.VM > 1
    values = [str(v) for v in element.value] if several else [str(element.value or "")]
    changed = [key.uid(v) if v and (mapped or not v.startswith("1.2.840.10008.")) else v for v in values]
    element.value = changed if several else changed[0]


def _clean_sequence(dataset: Any, element: Any, key: Key, days: int, *, dropped: bool) -> None:
    """Clean the items of a sequence; what the profile names, and codes with their free words, go."""
    wanted = element.keyword.startswith("Referenced") and element.keyword.endswith(("ImageSequence", "SOPSequence"))
    if (dropped and not wanted) or "CodeSequence" in element.keyword or element.keyword.endswith("RegionSequence"):
        del dataset[element.tag]
        return
    for item in element.value:
        _clean(item, key, days)


def _clean_text(dataset: Any, element: Any) -> None:
    """Keep words of fixed vocabularies, and the maker by its plain name; all other text goes."""
    if element.keyword == "Manufacturer":
        maker = next((m for m in MAKERS if m.lower() in str(element.value).lower()), "")
        element.value = maker
    elif element.keyword in EMPTIED:
        element.value = ""
    elif element.keyword == "StackID" and re.fullmatch(r"\d{1,4}", str(element.value)):
        return
    elif element.keyword in CODED:
        words = [str(v) for v in (element.value if element.VM > 1 else [element.value or ""])]
        upper = {w.upper() for w in words}
        if not upper <= ONLY.get(element.keyword, upper) or not all(WORD.match(w) for w in upper):
            del dataset[element.tag]
    else:
        del dataset[element.tag]


def _shift(element: Any, days: int) -> None:
    """Move a date, or the date of a date and time, by days; what is no date is emptied."""
    several = element.VM > 1
    values = [str(v) for v in element.value] if several else [str(element.value or "")]
    moved = [_shifted(v, days) for v in values]
    element.value = moved if several else moved[0]


def _shifted(value: str, days: int) -> str:
    try:
        day = datetime.datetime.strptime(value[:8], "%Y%m%d").date()
        return (day + datetime.timedelta(days=days)).strftime("%Y%m%d") + value[8:]
    except (ValueError, OverflowError):
        return ""

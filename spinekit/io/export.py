"""Formats out: DICOM SEG, parametric maps, SR and structure sets; .seg.nrrd. Each idea has its own module."""

from spinekit.io.export_map import write_dicom_map, write_dicom_maps
from spinekit.io.export_rtstruct import write_rtstruct
from spinekit.io.export_seg import write_dicom_seg
from spinekit.io.export_seg_nrrd import write_seg_nrrd
from spinekit.io.export_sr import Measured, write_dicom_sr

__all__ = [
    "Measured", "write_dicom_map", "write_dicom_maps", "write_dicom_seg", "write_dicom_sr", "write_rtstruct",
    "write_seg_nrrd",
]  # fmt: skip

"""Items of four reporting checklists in our own short words, each with the key of the evidence that answers it.

An empty key is a question that only the author can answer. The checklists themselves, with their explanations,
are: CLEAR (Kocak 2023, doi 10.1186/s13244-023-01415-8), METRICS (Kocak 2024, doi 10.1186/s13244-023-01572-w),
TRIPOD+AI (Collins 2024, doi 10.1136/bmj-2023-078378), CLAIM (Tejani 2024, doi 10.1148/ryai.240300).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["CHECKLISTS"]

CLEAR = (
    ("title names radiomics", ""), ("structured summary", ""), ("keywords for radiomics", ""),
    ("scientific or clinical background", ""), ("why radiomics", ""), ("objectives", ""),
    ("guidelines that were followed", "checklists"), ("ethics, consent, data protection", ""),
    ("sample size", "sample_size"), ("prospective or retrospective", ""), ("who was eligible", ""),
    ("flow of the technical pipeline", "pipeline"), ("source of the data", "source"),
    ("overlap with data of earlier work", ""), ("how the data were split", "split"),
    ("imaging protocol", "protocol"), ("predictors other than radiomics", "clinical"),
    ("reference standard of the outcome", "reference"), ("how regions were segmented", "segmentation"),
    ("who segmented, with what experience", ""), ("image preprocessing", "preprocessing"),
    ("resampling", "resampling"), ("discretisation", "discretisation"), ("image types", "images"),
    ("how features were extracted", "extraction"), ("feature classes", "families"),
    ("number of features", "n_features"), ("defaults of what is not stated", "extraction"),
    ("missing values", "missing"), ("class balance", "balance"), ("reliability of the segmentation", "stability"),
    ("scaling of features", "scaling"), ("reduction of dimension", "reduction"), ("algorithms", "algorithms"),
    ("training and tuning", "tuning"), ("confounders", "confounders"), ("how the model was selected", "tuning"),
    ("internal and external testing", "testing"), ("performance measures", "metrics"),
    ("uncertainty", "uncertainty"), ("statistical comparison of models", "comparison"),
    ("comparison with clinical and combined models (method)", "versus_clinical"),
    ("interpretability", "interpretability"), ("characteristics of the patients", "characteristics"),
    ("flow of patients", ""), ("statistics of features", "selected"), ("performance", "performance"),
    ("comparison with clinical and combined models (result)", "versus_clinical"), ("main findings", ""),
    ("earlier work and differences", ""), ("practical implications", ""), ("strengths and limitations", ""),
    ("images and regions shared", "data_shared"), ("feature values shared", "features_shared"),
    ("settings of preprocessing shared", "settings_shared"), ("code shared", "code"),
    ("model files shared", "model"), ("a system that can be used", "system"),
)  # fmt: skip
METRICS = (
    ("a checklist was followed", "checklists"), ("eligibility that represents the population", ""),
    ("a reference standard of quality", "reference"), ("several centres", "centres"),
    ("imaging that clinics use", ""), ("imaging protocol", "protocol"),
    ("interval between imaging and reference standard", ""), ("segmentation described", "segmentation"),
    ("automatic segmentation evaluated", "automatic"), ("test regions by one reader or tool", "segmentation"),
    ("preprocessing", "preprocessing"), ("standardised extraction software", "extraction"),
    ("extraction parameters", "discretisation"), ("features that are not robust removed", "stability"),
    ("redundant features removed", "reduction"), ("dimension fits the sample", "sample_size"),
    ("robustness of end-to-end networks", "network_robustness"), ("partitions without leaks", "audit"),
    ("confounders", "confounders"), ("fitting performance measures", "metrics"), ("uncertainty", "uncertainty"),
    ("calibration", "calibration"), ("one image type against several", ""),
    ("added value over what is not radiomics", "versus_clinical"), ("comparison with simple models", "simple"),
    ("internal testing", "testing"), ("external testing", "external"), ("data available", "data_shared"),
    ("code available", "code"), ("model available", "model"),
)  # fmt: skip
TRIPOD_AI = (
    ("title", ""), ("abstract", ""), ("background, care pathway, known inequalities", ""), ("objectives", ""),
    ("sources and dates of data", "source"), ("setting, eligibility, treatments", ""),
    ("data preparation", "preprocessing"), ("outcome, and how it was assessed", "reference"),
    ("predictors, and how they were measured", "extraction"), ("sample size", "sample_size"),
    ("missing data", "missing"), ("analytical methods", "pipeline"), ("class imbalance", "balance"),
    ("fairness", ""), ("output of the model and thresholds", "threshold"),
    ("training and evaluation data differ how", "testing"), ("ethical approval", ""),
    ("funding, conflicts, protocol, registration, data and code", "code"), ("patients and public involved", ""),
    ("participants: flow and characteristics", "characteristics"), ("participants and outcomes per analysis", "split"),
    ("the full model", "model"), ("performance with intervals", "performance"),
    ("updating of the model", ""), ("interpretation, with fairness", ""), ("limitations", ""),
    ("use in current care", ""),
)  # fmt: skip
CLAIM = (
    ("title or abstract names AI and its kind", ""), ("structured abstract", ""), ("background and role of the AI", ""),
    ("aims and hypotheses", ""), ("prospective or retrospective", ""), ("goal of the study", ""),
    ("sources of data", "source"), ("inclusion and exclusion", ""), ("preprocessing", "preprocessing"),
    ("subsets of data", "split"), ("de-identification", "deidentified"), ("missing data", "missing"),
    ("image acquisition", "protocol"), ("definition of the reference standard", "reference"),
    ("why that reference standard", ""), ("who annotated", ""), ("annotation of the test set", "segmentation"),
    ("variability between and within raters", "stability"), ("assignment to partitions", "split"),
    ("level at which partitions are disjoint", "split"), ("intended sample size", "sample_size"),
    ("the model in detail", "algorithms"), ("software", "software"), ("initialisation", "tuning"),
    ("training", "tuning"), ("choice of the final model", "tuning"), ("ensembles", "algorithms"),
    ("performance measures", "metrics"), ("significance and uncertainty", "uncertainty"),
    ("robustness or sensitivity", "readings"), ("explanation", "interpretability"), ("internal evaluation", "testing"),
    ("external testing", "external"), ("registration", ""), ("numbers in and out, flow", ""),
    ("characteristics per partition", "characteristics"), ("performance on every partition", "performance"),
    ("diagnostic performance with precision", "performance"), ("failures", "failures"), ("limitations", ""),
    ("implications", ""), ("study protocol", ""), ("software, model and data available", "code"), ("funding", ""),
)  # fmt: skip
CHECKLISTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {"CLEAR": CLEAR, "METRICS": METRICS, "TRIPOD+AI": TRIPOD_AI, "CLAIM": CLAIM}
)

"""Many cases: a table in, one folder per case and merged tables out; resumes where it was stopped."""

from spinekit.cohort.run import CohortOptions, CohortRun, run_cohort

__all__ = ["CohortOptions", "CohortRun", "run_cohort"]

"""How far the features of a model have collapsed, with intervals and baselines.

Read in this order:

- `metric_specs` and `metric_estimates`: a metric under one convention, and its estimate with an interval, within the
  `interval_limits`;
- `random_initialisation`, `prediction_interval` and `baselines`: the random-initialisation baseline, its interval, and
  the shuffled-column and Gaussian-noise baselines;
- `spectra_and_rank_curves`: singular values, and ranks as functions of the number of images;
- `measurement`, with `view_features` and `notes`: measurements of one model;
- `other_initialisations`: the same of untrained networks of all usual initialisations;
- `untrained_comparison`: a model beside its untrained networks, on the same images;
- `report` and `tables`: `measure_collapse`, and the tables of its result; `table_forms`: a compact and a long form;
- `verdict`, with `complete_collapse`, `dimensional_collapse`, `few_directions` and `dominant_vector`: one conclusion by
  each yardstick, as an `answer` whose sentence is written by `formatting`; `images_to_decide`, where it is undecided;
- `calibration`: ranges of metrics in models that were trained here; `conditions`: bounds on metrics that fail a run.

Examples
--------
>>> import numpy as np
>>> from maetheory.evaluation.collapse import collapse_report
>>> images = np.random.default_rng(0).random((60, 1, 4, 4))
>>> table = collapse_report(lambda pixels: pixels.flatten(1), images, metrics=["effective_rank"])
>>> bool(1 < table.value[0] < 16)
True
"""

from maetheory.evaluation.collapse.random_initialisation import random_init_model
from maetheory.evaluation.collapse.report import CollapseMeasurements, collapse_report, measure_collapse
from maetheory.evaluation.collapse.table_forms import compact_table, long_table
from maetheory.evaluation.collapse.verdict import Answer, Finding, assess_collapse

__all__ = [
    "Answer",
    "CollapseMeasurements",
    "Finding",
    "assess_collapse",
    "collapse_report",
    "compact_table",
    "long_table",
    "measure_collapse",
    "random_init_model",
]

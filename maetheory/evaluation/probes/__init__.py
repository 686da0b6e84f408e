"""Accuracy of frozen or fine-tuned encoders.

Read `linear_and_knn` first: probes of frozen features by scikit-learn. `sgd_probe`, with `probe_config`, `linear_head`
and `lars`, trains a linear probe as papers on masked autoencoders do. `finetune`, with `finetune_config`,
`finetune_task`, `classifier`, `layer_decay` and `augmentation`, trains the encoder on labels too.

Examples
--------
>>> import numpy as np
>>> from maetheory.evaluation.probes import linear_probe
>>> Z, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
>>> float(linear_probe(Z, y, Z, y).accuracy)
1.0
"""

from maetheory.evaluation.probes.finetune import FinetuneResult, finetune
from maetheory.evaluation.probes.finetune_config import FinetuneConfig
from maetheory.evaluation.probes.linear_and_knn import ProbeResult, knn_probe, linear_probe
from maetheory.evaluation.probes.probe_config import ProbeConfig
from maetheory.evaluation.probes.sgd_probe import sgd_probe

__all__ = [
    "FinetuneConfig",
    "FinetuneResult",
    "ProbeConfig",
    "ProbeResult",
    "finetune",
    "knn_probe",
    "linear_probe",
    "sgd_probe",
]

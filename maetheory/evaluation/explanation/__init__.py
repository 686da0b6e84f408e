"""What the features of a model have collapsed onto: their leading principal directions, one by one.

Read in this order:

- `cross_fitted_directions`: the directions, and scores of images along directions that were found without them;
- `content_free_images` and `content_free_share`: images without content, and how much of a direction's variance they
  have (after SOAP, Hjelkrem-Tan et al., CVPR 2026, arXiv 2604.00172);
- `image_statistics`: brightness, contrast, colours and edges, which scores may follow;
- `layer_of_origin`: the layer from which a direction can be read;
- `removal`: what probes gain or lose without a direction;
- `feature_passes`, `explain_readout` and `explain`: the forward passes, one readout, and everything together;
- `explanation`, `reading`: the result, and its sentences.

Examples
--------
>>> import numpy as np
>>> from maetheory.evaluation.explanation import explain_collapse
>>> rng = np.random.default_rng(0)
>>> images = rng.random((60, 1, 4, 4)) * rng.random((60, 1, 1, 1))
>>> explain_collapse(lambda pixels: pixels.flatten(1), images, directions=1).readouts[0].directions[0].content
'content-free'
"""

from maetheory.evaluation.explanation.explain import explain_collapse
from maetheory.evaluation.explanation.explanation import (
    CollapseExplanation,
    ExplainedDirection,
    ReadoutExplanation,
)

__all__ = ["CollapseExplanation", "ExplainedDirection", "ReadoutExplanation", "explain_collapse"]

"""From a model and images to one feature vector per image, batch by batch.

Read in this order: `encode` (the readout, layer and final norm of a model), `input_images` (how images are resized to
what the model takes), `image_collections` (images of a list, Dataset or DataLoader), `batch_size` (how many images fit
into memory, by `backbone` and `forward_operations`), `precision`. Models of other libraries: `foreign_model` (what they
state, and how they are called), `foreign_output` and `foreign_reader` (features in what they return),
`evaluation_mode`. `feature_sets` (all features of one readout and layer, as rows or as streamed moments;
`group_standard_error` of a mean over them), `given_features` (features without their network; `feature_files`,
`feature_tables` and `feature_array_selection` read them) and `collapse_inputs` (either) serve the collapse report.
`masked_views` (features of the same images under several random masks) and `reconstruction` (the loss on hidden patches
of unseen images).

Examples
--------
>>> import numpy as np
>>> from maetheory.evaluation.features import encode
>>> images = np.random.default_rng(0).random((5, 1, 4, 4))
>>> tuple(encode(lambda pixels: pixels.flatten(1), images).shape)
(5, 16)
"""

from maetheory.evaluation.features.encode import Readout, encode, encode_batches
from maetheory.evaluation.features.feature_sets import FeatureSet, GivenFeatures, collect_features
from maetheory.evaluation.features.foreign_model import AssumptionWarning
from maetheory.evaluation.features.masked_views import mask_pair_alignment, masked_view_features
from maetheory.evaluation.features.reconstruction import reconstruction_loss

__all__ = [
    "AssumptionWarning",
    "FeatureSet",
    "GivenFeatures",
    "Readout",
    "collect_features",
    "encode",
    "encode_batches",
    "mask_pair_alignment",
    "masked_view_features",
    "reconstruction_loss",
]

# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Has your checkpoint collapsed?
#
# A number such as "effective rank 40 of 72" says little by itself. This notebook inspects two checkpoints, measures
# their features, and compares every number with baselines that have learned nothing. The published version shows two
# real files, Vision Transformers trained on CIFAR-10 by [IcarusWizard/MAE](https://github.com/IcarusWizard/MAE): one
# was pretrained as an MAE and then fine-tuned, the other was trained with labels from scratch. They are read from
# `$MAETHEORY_DATA/checkpoints/cifar10-vit-tiny`. Without them the notebook trains an MAE and a U-MAE on the embedded
# digits instead; what is different then stands in sentences that begin with "On digits".

# %%
# %matplotlib inline
import copy
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from matplotlib import pyplot as plt
from torch import nn

from maetheory import figures
from maetheory.checkpoints import inspect_checkpoint, load_checkpoint
from maetheory.data import load_images
from maetheory.evaluation import collapse_report, measure_collapse
from maetheory.evaluation.collapse.verdict import assess_collapse
from maetheory.experiments import experiment
from maetheory.figures.collapse import (
    draw_effective_rank_by_layer,
    draw_effective_rank_by_sample_size,
    draw_feature_spectra,
    effective_rank_by_layer,
    effective_rank_by_sample_size,
    feature_spectra,
)
from maetheory.reports.collapse import last_layer_table
from maetheory.training import train

torch.set_num_threads(1)
fast = "MAETHEORY_FAST" in os.environ
files = Path(os.environ.get("MAETHEORY_DATA", "nowhere"), "checkpoints", "cifar10-vit-tiny")
real = files.is_dir()
folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## Two files
#
# Both CIFAR-10 files are pickled modules. On digits each model is saved as a bare `state_dict` without a configuration.

# %%
if real:
    paths = {
        "MAE, fine-tuned": files / "vit-t-classifier-mae_284_epochs.pt",
        "supervised": files / "vit-t-classifier-from_scratch.pt",
    }
    images, test = (load_images("cifar10", split=split, limit=60 if fast else 200) for split in ("train", "test"))
else:
    images, test = (load_images("digits", split=split) for split in ("train", "test"))
    digits = experiment("digits")
    recipes = {cell.name: replace(cell.recipe, epochs=2 if fast else 12, warmup_epochs=1) for cell in digits.cells}
    paths = {}
    for name in ("MAE", "U-MAE"):
        done = train(recipes[name], images, out=f"{folder.name}/{name}")
        paths[name] = Path(folder.name, f"{name}.pth")
        torch.save(done.model.state_dict(), paths[name])
test

# %% [markdown]
# ## Inspect before loading
#
# No code from the file is run. A fact that the shapes do not determine is read from the attributes of the pickled
# module, which state 3 heads here, or assumed, and the report says so. On digits nothing states how many heads share
# 64 features, and the assumed number is wrong, so the notebook passes `heads=4` from here on.

# %%
reports = {name: inspect_checkpoint(path) for name, path in paths.items()}
pd.DataFrame(
    {
        name: {
            "dialect": report.dialect,
            "container": report.container,
            "heads": report.config.heads,
            "known from": report.sources["heads"],
            "decoder": report.decoder,
            "classifier": str(report.head),
        }
        for name, report in reports.items()
    }
)

# %% [markdown]
# ## Measure
#
# `full=True` measures three baselines too. *Random init*: untrained networks of the same architecture, drawn by the
# code base's own initialisation rule; the table shows the mean over five of them. *Shuffled*: each column of the
# features permuted independently. *Noise*: Gaussian noise of the same shape, whose singular values are those of
# Marchenko and Pastur. How many directions an untrained network has depends on its initialisation rule, so a span
# covers the usual rules (`random_span_low`, `random_span_high`); the verdict below uses it. The value is that of these
# images, ± two standard errors; n → ∞ extrapolates it to infinitely many images where there are enough for that. Both
# networks have the same architecture, so the second one is compared with the same untrained networks.

# %%
loaded = {name: load_checkpoint(path, heads=None if real else 4)[0] for name, path in paths.items()}
chosen = ("effective_rank", "stable_rank", "mean_cosine", "direction_std")
found, untrained = {}, None
for name, encoder in loaded.items():
    found[name] = measure_collapse(encoder, test, layers="all", metrics=chosen, full=True, untrained=untrained)
    untrained = found[name].untrained  # of one architecture, and therefore the same
pd.concat({name: last_layer_table(one.table) for name, one in found.items()}, names=["file", ""]).droplevel(1)

# %% [markdown]
# The effective rank is informative only in comparison with the baselines. In both CIFAR-10 files that of cls is nearly
# four times the rank of untrained networks and little more than half of what the marginals allow (shuffled). It is the
# same in both, although only one of them was pretrained as an MAE: both were trained to classify. The mean of patches
# keeps a trace of the difference; it has more directions in the supervised network.
#
# On digits, the rank of the MAE, trained for twelve epochs, lies below the random-initialisation baseline; that of the
# U-MAE lies above its mean, but within the variation between initialisations.
#
# ## Singular values and those of the baselines
#
# Singular values over $\sqrt n$, largest first; noise is scaled to the same mean square. In both CIFAR-10 files nine
# singular values of cls stand out: the classifier separates ten classes, and ten points span nine directions around
# their mean. Untrained networks have one value that is much larger than the others, and so has the MAE on digits: all
# images share one vector. Shuffling keeps such a vector and removes every other dependence between columns.

# %%
spectra = feature_spectra({name: one.spectra for name, one in found.items()})
with figures.paper_style():
    figure, axes = plt.subplots(2, 2, figsize=(6.5, 5), layout="constrained")
    draw_feature_spectra(list(axes.flat), spectra)
    plt.show()

# %% [markdown]
# ## More images, higher rank
#
# Ranks of few images are too low and grow with the number of images at different rates: compare them at equal $n$. The
# number is reliable where the curve is flat. Those of the CIFAR-10 files still rise here, since a quick notebook takes
# few images; those of untrained networks are nearly flat, so that more images would widen the gap.

# %%
growth = effective_rank_by_sample_size({name: one.growth for name, one in found.items()})
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
    draw_effective_rank_by_sample_size(list(axes), growth)
    plt.show()

# %% [markdown]
# ## Layer by layer
#
# At layer 0 the cls token is the same for all images: rank 1. In the network that was pretrained as an MAE the rank
# grows over ten blocks; the supervised one has its rank after three and keeps it. In both the rank of cls falls in the
# last blocks, which prepare it for a classifier of ten classes. On digits, the rank of the MAE rises in the first block
# and falls in the later ones; that of the U-MAE rises up to the last.

# %%
layers = effective_rank_by_layer({name: one.table for name, one in found.items()})
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
    draw_effective_rank_by_layer(list(axes), layers)
    plt.show()

# %% [markdown]
# ## Read the verdict
#
# There are two questions for each readout. *Complete* collapse: do the features of all images have the same direction?
# *Dimensional* collapse: do the features have fewer directions than those of an untrained network? The answer is "yes"
# only below the span over the usual initialisation rules, and "undecided" inside the span or where intervals overlap.

# %%
for name, one in found.items():
    print(name, *assess_collapse(one.table), "", sep="\n")

# %% [markdown]
# Neither CIFAR-10 file has collapsed. That the rank of cls falls in the last blocks is no defect, since the networks
# were trained for ten classes; for another task, features of an earlier layer have more directions.
#
# On digits the verdict is about a checkpoint, not about a method: trained five times as long (`make reproduce`), MAE's
# features have a higher effective rank than the random-initialisation baseline. For the mean of patches the answer is
# undecided, although its rank is far below the baseline: an untrained network drawn by PyTorch's default rule has about
# as few directions.
#
# ## A module of your own
#
# `collapse_report` takes any module or function from images to features. Its initialisation is not known, so there is
# no random-initialisation baseline; a copy made before training replaces it. Here a small convolutional network
# learns to classify the images, and its features lose directions: few are enough to separate ten classes.

# %%
torch.manual_seed(0)
channels, labels = images.images.shape[1], torch.as_tensor(images.labels)
pixels = torch.as_tensor(images.images).float() / (255 if real else 1)
net = nn.Sequential(
    nn.Conv2d(channels, 32, 3, 2, 1),
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, 2, 1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(2),
    nn.Flatten(),
    nn.Linear(256, 64),
)
before, classifier = copy.deepcopy(net), nn.Linear(64, 10)
optimiser = torch.optim.Adam([*net.parameters(), *classifier.parameters()], 3e-3)
for _ in range(30):
    loss = nn.functional.cross_entropy(classifier(net(pixels).relu()), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

tables = {
    name: collapse_report(model, test, full=True, metrics=chosen[:3]).set_index("metric")
    for name, model in (("before training", before), ("after", net))
}
pd.concat({name: table[["value", "low", "high", "shuffled", "noise"]] for name, table in tables.items()}).round(3)

# %% [markdown]
# A lower rank is not always worse: these features were trained for one task and suffice for it. Collapse is a loss for
# features that are meant for other tasks too, as in self-supervised learning.
#
# The same from a terminal, with all metrics and intervals, figures and a page:
#
#     maetheory inspect FILE
#     maetheory collapse FILE OTHER_FILE --data cifar10 --layer all --out DIR

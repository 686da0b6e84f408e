# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Has your checkpoint collapsed?
#
# A number such as "effective rank 40 of 72" says little by itself. Here two files of weights are looked into, their
# features measured, and every number is put beside the same number of features that learned nothing. Two real files
# trained on CIFAR-10 are taken where they are (`$MAETHEORY_DATA/checkpoints/cifar10-vit-tiny`); everywhere else, and
# in the version of this notebook that is kept, an MAE and a U-MAE are trained on the embedded digits first.

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
    draw_feature_spectra,
    draw_layer_ranks,
    draw_rank_growth,
    feature_spectra,
    layer_ranks,
    rank_growth,
)
from maetheory.reports.collapse import compact_table
from maetheory.training import train

torch.set_num_threads(1)
fast = "MAETHEORY_FAST" in os.environ
files = Path(os.environ.get("MAETHEORY_DATA", "nowhere"), "checkpoints", "cifar10-vit-tiny")
real = files.is_dir()
folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## Two files
#
# The digits models are saved as most people save theirs, a bare `state_dict` and nothing beside it.

# %%
if real:
    paths = {
        "MAE, fine-tuned": files / "vit-t-classifier-mae_284_epochs.pt",
        "supervised": files / "vit-t-classifier-from_scratch.pt",
    }
    images, test = (load_images("cifar10", split=split, limit=200) for split in ("train", "test"))
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
# ## Look before you load
#
# No code of the file runs. What the shapes do not tell is assumed, and the report says so: nothing in the digits
# files tells how many heads share 64 features, and the assumption is wrong, so `heads=4` is passed from here on. The
# CIFAR-10 files are whole pickled modules, whose plain attributes say 3.

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
# Test images go once through each encoder, and once through each of its random twins. `full=True` asks for the
# baselines: the same architecture before training (random twin), each column of the features shuffled by itself
# (shuffled), and Gaussian noise of the same shape, whose singular values are those of Marchenko and Pastur. Twins are
# five initialisations, of which the mean is shown. Brackets are two standard errors around what infinitely many images
# would give: ranks of few images are too low, so theirs lie above the value.

# %%
loaded = {name: load_checkpoint(path, heads=None if real else 4)[0] for name, path in paths.items()}
chosen = ("effective_rank", "stable_rank", "mean_cosine", "direction_std")
found = {
    name: measure_collapse(encoder, test, layers="all", metrics=chosen, full=True) for name, encoder in loaded.items()
}
pd.concat({name: compact_table(one.table) for name, one in found.items()}, names=["file", ""]).droplevel(1)

# %% [markdown]
# The number to look at is not the effective rank alone but on which side of the others it lies. The MAE of digits,
# stopped after a dozen epochs, lies below its twin; the U-MAE lies above the mean of its twins, but within what
# initialisations differ by. Both CIFAR-10 files lie above theirs.
#
# ## Beside what learned nothing
#
# Singular values over $\sqrt n$, largest first; noise is scaled to the same mean square. The MAE of digits has one
# value that dwarfs the others, and so does its twin: a vector that all images share. Shuffling keeps that vector and
# destroys everything else that columns have in common. In the CIFAR-10 files nine values of cls stand out: their
# classifier tells ten classes apart, and ten points span nine directions around their mean.

# %%
spectra = feature_spectra({name: one.spectra for name, one in found.items()})
with figures.paper_style():
    figure, axes = plt.subplots(2, 2, figsize=(6.5, 5), layout="constrained")
    draw_feature_spectra(list(axes.flat), spectra)
    plt.show()

# %% [markdown]
# ## More images, higher rank
#
# Ranks of few images are too low, and each grows at its own pace: compare at equal $n$. Where the curve has levelled
# off the number has settled.

# %%
growth = rank_growth({name: one.growth for name, one in found.items()})
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
    draw_rank_growth(list(axes), growth)
    plt.show()

# %% [markdown]
# ## Layer by layer
#
# At layer 0 the cls token has seen nothing and is the same for all images: rank 1. The MAE of digits gains directions
# in its first block and loses them block by block; in the U-MAE they grow to the end. In the CIFAR-10 files cls loses
# rank in the last layers, where it is made ready for a classifier of ten classes.

# %%
layers = layer_ranks({name: one.table for name, one in found.items()})
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
    draw_layer_ranks(list(axes), layers)
    plt.show()

# %% [markdown]
# ## Read the verdict
#
# Two questions for each readout. *Complete* collapse: do all images have one direction? *Dimensional* collapse: are
# there fewer directions than before training? Where bands overlap the answer is "undecided".

# %%
for name, one in found.items():
    print(name, *assess_collapse(one.table), "", sep="\n")

# %% [markdown]
# A verdict is on a file, not on a method: trained five times as long (`make reproduce`), MAE's features on digits
# pass those of its twin.
#
# ## A module of your own
#
# `collapse_report` takes any module or function from images to features. Nobody knows how to start it anew, so it has
# no random twin; a copy made before training takes its place. Here a small convolutional network learns to tell the
# classes apart, and its features lose directions by it: to separate ten classes few are enough.

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
# A lower rank is not always worse: these features were made for one task, and they serve it. Collapse is a loss when
# it comes without being asked for, as in features that are to serve tasks not yet known.
#
# The same from a terminal, with every metric, its bands, figures and a page:
#
#     maetheory inspect FILE
#     maetheory collapse FILE OTHER_FILE --data cifar10 --layer all --out DIR

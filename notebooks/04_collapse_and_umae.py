# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # When MAE's features collapse, and what a uniformity term does
#
# Figure 1 of *How Mask Matters* (Zhang, Wang and Wang 2022): the features of a masked autoencoder live in few
# directions, those of an untrained network in more, and those of U-MAE, which adds a penalty on the squared cosine of
# two images' features, in most. Does that come out again? **On CIFAR-10 it does, if "untrained" means drawn by Xavier's
# rule; on digits MAE rises above an untrained network. U-MAE's rank is the highest on both.** First what is published,
# three seeds each; then both networks are trained here, on the embedded 8×8 digits.

# %%
# %matplotlib inline
import os
import tempfile
from dataclasses import replace

import pandas as pd
import torch
from matplotlib import pyplot as plt

from maetheory import figures
from maetheory.data import load_images
from maetheory.evaluation import collapse_report, encode, linear_probe
from maetheory.experiments import experiment
from maetheory.models import MAE
from maetheory.training import train

files = {name: figures.published(f"{name}/effective_rank.csv") for name in ("cifar10-small", "digits")}
published = {name: pd.read_csv(path) for name, path in files.items()}
without_simmim = {name: frame[~frame.objective.str.contains("SimMIM")] for name, frame in published.items()}
ours = {name: frame[frame.source == "ours"] for name, frame in without_simmim.items()}
figures.plot("effective_rank", without_simmim["cifar10-small"])

# %% [markdown]
# CIFAR-10, a network of 96 dimensions, six epochs. MAE's effective rank is 19.7; an untrained network drawn by Xavier's
# rule, as MAE's code draws it, has 34.2, one whose weights are normal with standard deviation 0.02 has 17.0. So MAE has
# collapsed in the paper's sense, **below its own untrained self**, and lies above another untrained network. A claim of
# collapse "below random" has to say which random.

# %%
figures.plot("effective_rank", without_simmim["digits"])

# %% [markdown]
# Digits, 64 dimensions, 60 epochs: MAE rises above the untrained network, opposite to the paper. What both have in
# common is the lift of the uniformity term, in every seed:

# %%
means = pd.DataFrame({name: frame.groupby("objective").effective_rank.mean() for name, frame in ours.items()})
means.loc[["random", "random, normal (0.02)", "MAE", "U-MAE"]].round(1).astype(object).fillna("–")

# %% [markdown]
# The spectra on CIFAR-10 (Figure 1b): natural logarithm of the singular values of the uncentred cls features.

# %%
spectra = pd.read_csv(figures.published("cifar10-small/log_singular_values.csv"))
figures.plot("log_singular_values", spectra[~spectra.objective.str.contains("SimMIM")])

# %% [markdown]
# ## Now on digits
#
# The sizes of this run: epochs, images a batch, mask ratio, and U-MAE's weight.

# %%
torch.set_num_threads(1)
fast = "MAETHEORY_FAST" in os.environ
images, test = load_images("digits"), load_images("digits", split="test")
digits = experiment("digits")
weight = max(cell.recipe.uniformity_weight for cell in digits.cells)
recipe = replace(digits.cells[0].recipe, epochs=2 if fast else 30, warmup_epochs=1)
recipe.epochs, recipe.batch, recipe.mask_ratio, weight

# %% [markdown]
# ## Train both
#
# The two recipes differ in the uniformity weight alone. One seed and half of the epochs here; `make reproduce` trains
# three seeds in full.
#
# *Change this:* `epochs=… 30` into 60. MAE's effective rank rises from about that of the untrained network to more than
# twice of it: on digits it grows while it trains.

# %%
with tempfile.TemporaryDirectory() as folder:
    mae = train(recipe, images, out=f"{folder}/mae").model
    umae = train(replace(recipe, uniformity_weight=weight), images, out=f"{folder}/umae").model
torch.manual_seed(0)
models = {"random": MAE(recipe.model).eval(), "MAE": mae, "U-MAE": umae}
features = {name: [encode(model, test).double().numpy()] for name, model in models.items()}

# %% [markdown]
# ## The spectrum of features (Figure 1b)
#
# The paper's curves are read off the printed figure (±0.05) and have a scale of their own.

# %%
figures.plot("log_singular_values", features)

# %% [markdown]
# ## Effective rank (Figure 1c)

# %%
figures.plot("effective_rank", features)

# %% [markdown]
# ## Numbers one can quote
#
# Every metric with two standard errors of the jackknife over test images. A mean squared cosine
# (`umae_uniformity`) of 1 is complete collapse; $1/d$ is what uniform directions would give.

# %%
tables = {name: collapse_report(model, test, readouts=("cls",)).set_index("metric") for name, model in models.items()}
shown = {name: [f"{v:.4g} ± {e:.2g}" for v, e in zip(t.value, t.error, strict=True)] for name, t in tables.items()}

pd.DataFrame(shown, index=tables["MAE"].index)

# %% [markdown]
# ## Features in the plane

# %%
readings = {
    name: linear_probe(encode(models[name], images), images.labels, features[name][0], test.labels).accuracy
    for name in ("MAE", "U-MAE")
}
plane = figures.tsne_embedding({name: features[name][0] for name in readings}, test.labels)
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 3.2), layout="constrained")
    texts = {name: f"{100 * a.value:.1f} ± {100 * a.error:.1f} %" for name, a in readings.items()}
    figures.draw_tsne(dict(zip(readings, axes, strict=True)), plane, texts)
    plt.show()

# %% [markdown]
# ± is two binomial standard errors of the test set. Whether a better spread spectrum also reads better depends on data,
# size and length of training: on digits at this size the lift of the rank is plain, a gain in accuracy is not.
#
# ## And in theory?
#
# The statement
# [effective-rank-grows-with-uniformity](../maetheory/theory/statements/effective_rank_grows_with_uniformity.py) gives
# the spectrum of the best features at each weight, on a world where everything is exact. Features that are free to move
# reach it: a rank of 16 at the heaviest weights. **The cls features of a real U-MAE network do not**; they reach
# effective ranks of 5.3, 9.2 and 14.9 at three weights, where the closed form says about 16 (last panel, triangles and
# the line of their colour; one seed).

# %%
figures.plot("trained_spectrum", pd.read_csv(figures.published("trained_spectrum.csv")))

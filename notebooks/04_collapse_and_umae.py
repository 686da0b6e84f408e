# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Features collapse, and a uniformity term cures it
#
# Figure 1 of *How Mask Matters* (Zhang, Wang and Wang 2022): the features of a masked autoencoder live in few
# directions, those of an untrained network in more, and those of U-MAE, which adds a penalty on the squared cosine of
# two images' features, in most. Here a small ViT on the embedded 8×8 digits; the paper's curves stand beside ours.
#
# "An untrained network" means one drawn by Xavier's rule, as MAE's code draws it. The rule matters: on CIFAR-10
# (`figures/cifar10-small`, Figure 1c) such a network has an effective rank of 34.2, one whose weights are normal with
# standard deviation 0.02 has 17.0 (three seeds each), and MAE's 19.7 lies between the two.

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
# The two recipes differ in the uniformity weight alone. One seed here; `make reproduce` trains three.

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
# Natural logarithm of the singular values of the uncentred cls features. The paper's curves are read off the printed
# figure (±0.05) and have a scale of their own.

# %%
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
    figures.draw_log_spectra(list(axes), figures.log_spectra(features))
    plt.show()

# %% [markdown]
# ## Effective rank (Figure 1c)

# %%
with figures.paper_style():
    figure, axes = plt.subplots(1, 2, figsize=(5.5, 3), layout="constrained")
    figures.draw_effective_ranks(list(axes), figures.effective_ranks(features))
    plt.show()

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
# size and length of training: on digits at this size the cure of the collapse is plain, a gain in accuracy is not.

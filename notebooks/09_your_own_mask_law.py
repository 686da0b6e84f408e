# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Your own mask law, on your own images
#
# A mask law decides which views share a target, and so what a masked autoencoder aligns. This notebook writes three
# laws by hand, scores them beside uniform masks from images and labels alone, without training a model, and says what
# such scores have been worth so far.
#
# **To change:** the masks in `laws`, or the images: `load_images("path/to/folder")` takes a folder with
# `train/CLASS/*.jpg`. The figures below then speak of your laws and images.

# %%
# %matplotlib inline
import os

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from maetheory import figures
from maetheory.data import load_images
from maetheory.empirical import score_law, score_table
from maetheory.masks import ListedMasks, UniformMasks

fast = "MAETHEORY_FAST" in os.environ
images = load_images("digits", limit=150 if fast else 500)
side = 4  # patches of 2x2 pixels: a digit of 8x8 pixels has 4x4 of them
rows, columns = np.divmod(np.arange(side * side), side)
checkerboard = (rows + columns) % 2 == 0
laws = {
    "checkerboards": ListedMasks(np.array([checkerboard, ~checkerboard])),
    "one column": ListedMasks(np.array([columns == column for column in range(side)])),
    "one row": ListedMasks(np.array([rows == row for row in range(side)])),
    "uniform, 50 %": UniformMasks(side * side, 8),
    "uniform, 75 %": UniformMasks(side * side, 4),
}
with figures.paper_style():
    figure, axes = plt.subplots(1, len(laws), figsize=(6.5, 1.6), layout="constrained")
    for ax, (name, law) in zip(axes, laws.items(), strict=True):
        ax.imshow(law.sample(np.random.default_rng(3), 1)[0].reshape(side, side), cmap="gray", vmin=0, vmax=1)
        ax.set(title=name, xticks=[], yticks=[])
        ax.title.set_size(8)
    plt.show()

# %% [markdown]
# White is visible. A law is a list of masks and, if they are not equally probable, their weights.
#
# ## Score them
#
# Each law gets two graphs of these images: one of quantised regions ("tokens") and one of blurred targets ("kernel"),
# as real images never share a target exactly. φ is the probability that a positive pair disagrees in label: what a mask
# hides and shows should determine the class, so less is better.

# %%
scores = score_table(score_law(images, law, patch=2, name=name, n_masks=2 if fast else 3) for name, law in laws.items())
chosen = scores[scores.score.isin(["tokens pair_label_error", "tokens next_eigenvalue", "kernel pair_label_error"])]
chosen.pivot_table("value", ["law", "mask_ratio"], "score", sort=False).round(3)

# %%
with figures.paper_style():
    figure, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
    part = chosen[chosen.score == "tokens pair_label_error"]
    places = np.arange(len(part))[::-1]
    ax.hlines(places, part.low, part.high, color="#0072b2", lw=1)
    ax.plot(part.value, places, "o", color="#0072b2")
    ax.set_yticks(places, list(part.law))
    ax.set(xlabel="φ of token graphs, 95 %; less is better", xlim=(0, 1))
    plt.show()

# %% [markdown]
# The intervals are wide: they are over images and masks, and the graph of a sample is optimistic, so they reach far to
# either side. Laws whose intervals overlap are not told apart by these images.
#
# ## What is such a score worth?
#
# Small MAEs were trained under twelve laws, three seeds each, on two data sets, after the direction of every score was
# written down. Spearman's ρ between score and linear probe, positive where the score was right:

# %%
known = pd.concat(
    pd.read_csv(figures.published(f"{name}/score_correlations.csv")).assign(images=name)
    for name in ("digits", "cifar10-small")
)
known = known[known.score.isin(list(chosen.score.unique())) & (known.readout == "mean")]
known.assign(rho=known.rho.round(2), low=known.low.round(2), high=known.high.round(2))[
    ["score", "images", "rho", "low", "high", "p_adjusted"]
]

# %% [markdown]
# φ of token graphs was right on both, λₖ₊₁ was wrong on both, and φ of kernel graphs disagreed with itself. So use the
# first as a hint, and the mask ratio that trains well on images like yours as the prior.

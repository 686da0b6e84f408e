# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # What masking does
#
# A mask splits an image $\bar x$ into a visible view $x_1$ and a hidden target $x_2$. A masked autoencoder predicts
# $x_2$ from $x_1$. This notebook looks at the splits themselves, before anything is learned: what is left of an image,
# which laws draw masks, and how views of different images come to share a target.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt

from maetheory import figures
from maetheory.core import generator
from maetheory.data import load_images, worlds
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, BlockMasks, UniformMasks
from maetheory.models import MAE, PRESETS

torch.set_num_threads(1)
digits = load_images("digits", split="test")
digits

# %% [markdown]
# ## What is left of an image
#
# Two images of one class at growing mask ratio $\rho$, the first panel of the paper's mask-ratio figure. At
# $\rho = 0.75$ an 8×8 digit shows 4 of its 16 patches: much of what tells two threes apart is gone, and so is
# some of what tells a three from a five.

# %%
threes = digits.take(np.flatnonzero(digits.labels == 3)[:2])
frame = figures.masked_images(threes, patch=2, rng=generator(0, "notebook"))
with figures.paper_style():
    figure, axes = plt.subplots(2, 5, figsize=(6.5, 2.8), layout="constrained")
    figures.draw_masked_images(axes, frame)
    plt.show()

# %% [markdown]
# ## Three laws of masks
#
# The uniform law shows exactly $v$ patches; the Bernoulli law shows each with probability $1 - \rho$, given that at
# least one is shown and one hidden; the block law shows or hides connected blocks. All three know the exact probability
# of a mask, so that what is drawn can be held against it.

# %%
laws = {"uniform": UniformMasks(16, 4), "Bernoulli": BernoulliMasks(16, 0.25), "block": BlockMasks((4, 4), 4)}
drawn = {name: law.sample(generator(0, name), 20_000) for name, law in laws.items()}
pd.DataFrame(
    {
        name: {
            "mean visible": masks.sum(1).mean(),
            "std of visible": masks.sum(1).std(),
            "distinct masks drawn": len(np.unique(masks, axis=0)),
            "most often shown patch": masks.mean(0).max(),
            "least often shown patch": masks.mean(0).min(),
        }
        for name, masks in drawn.items()
    }
).round(3)

# %% [markdown]
# ## Views that share a target
#
# Two images that agree on the hidden patches give two views of one target: a *mask-induced positive pair*. In a
# finite world every view and target can be listed. Here images have six binary patches, two classes, each patch flipped
# with probability 0.1. With **positions kept** (a transformer sees positions) a target determines its mask, so the mask
# graph falls into at least one component per mask; with **positions dropped** views of different masks meet too.

# %%
world = worlds.mixture(6, 2, 2, 0.1)
rows = [
    {"visible": v, "positions": positions, "graph": MaskGraph.enumerate(world, UniformMasks(6, v), positions)}
    for positions in ("kept", "dropped")
    for v in range(1, 6)
]
pd.DataFrame(
    {
        "mask ratio": round(1 - row["visible"] / 6, 3),
        "positions": row["positions"],
        "views": row["graph"].shape[0],
        "targets": row["graph"].shape[1],
        "components": row["graph"].n_components,
        "α": row["graph"].label_error().value,
        "φ": row["graph"].pair_label_error().value,
    }
    for row in rows
).round(4)

# %% [markdown]
# $\alpha$ is how often a view misleads about its image's class and grows with the mask ratio; $\varphi$ is how often
# two views that share a target disagree in class.
#
# ## The same on real digits
#
# Pixels never coincide exactly. Quantise each 4×4 quarter of a digit to one of six symbols and they do: the graph of
# 360 real images, exactly.

# %%
small = worlds.from_images(digits, patch=4, alphabet=6)
graphs = {v: MaskGraph.enumerate(small, UniformMasks(4, v)) for v in (3, 2, 1)}
pd.DataFrame(
    {
        f"ρ = {1 - v / 4:g}": {
            "views": graph.shape[0],
            "targets": graph.shape[1],
            "components": graph.n_components,
            "α": graph.label_error().value,
            "φ": graph.pair_label_error().value,
            "largest σ below 1": graph.spectrum(graph.n_components + 1).values[-1],
        }
        for v, graph in graphs.items()
    }
).round(4)

# %% [markdown]
# The last row is the largest singular value below the trivial ones: the smaller it is, the better connected each
# component.
#
# ## What the model sees
#
# The mask is an argument of the model, `True` = visible. Only visible patches enter the encoder, only hidden ones are
# predicted.

# %%
torch.manual_seed(0)
model = MAE(PRESETS["digits"]).eval()
mask = torch.from_numpy(UniformMasks(16, 4).sample(generator(0, "model"), len(threes)))
with torch.no_grad():
    out = model(torch.from_numpy(threes.images), mask)
tuple(out.latent.shape), tuple(out.prediction.shape), round(out.loss.item(), 3)

# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # The paper's tables beside our accuracies
#
# Tables 1 and 2 of *How Mask Matters* (Zhang, Wang and Wang 2022) beside the accuracies in the ledgers under
# `figures/`. Experiments that were not run are marked "not run". `maetheory table --add runs/PRESET` publishes the
# ledger of a run.

# %%
# %matplotlib inline
import pandas as pd
from matplotlib import pyplot as plt

from maetheory import figures
from maetheory.reports import claim_verdicts, own_results_table, paper_table, read_published_ledgers

pd.set_option("display.width", 160, "display.max_columns", 20, "display.max_rows", 100, "display.max_colwidth", 60)
ledger = read_published_ledgers(figures.published())
ledger.groupby("experiment").agg(models=("cell", "nunique"), seeds=("seed", "nunique"), records=("value", "size"))

# %% [markdown]
# ## What was run here
#
# The comparisons of the paper, small enough for two cores, probed and fine-tuned; mean ± standard deviation over seeds,
# or ± two standard errors over test images for one seed.

# %%
own_results_table(ledger).drop(columns="recipe")

# %% [markdown]
# ## Verdicts on the paper's claims
#
# The difference is taken seed by seed and image by image. Its interval adds in squares that of Student's t over seeds
# and that of the normal law over test images. At most three interim analyses (looks) are planned, at 3, 10 and 20
# pairs of seeds, each with a level of 98.33 %, so that all together have 95 %. A claim is confirmed if the interval
# lies above 0, refuted if it lies below 0, and undecided otherwise; one seed is always undecided. Differences of
# accuracies are in percentage points. A verdict is about our models and our probe at our size, not about the paper's.

# %%
claim_verdicts(ledger).round(3)

# %% [markdown]
# ## Table 1 of the paper
#
# Accuracy in percent. Each row of the paper is a preset of `maetheory reproduce` with the paper's batch size, epochs,
# patch size, learning rate and data set. The recipe of our probe is in the table; the paper does not state its own.

# %%
paper_table(ledger, "table1").drop(columns="recipe")

# %% [markdown]
# ## Table 2 of the paper

# %%
paper_table(ledger, "table2").drop(columns="recipe")

# %% [markdown]
# ## The weight and the form of the uniformity term
#
# Effective ranks, probe accuracies and reconstruction losses on the embedded digits against the weight λ, for U-MAE's
# own term on the cls token and on the mean of patches, over all pairs as in the authors' code, and for two other
# uniformity terms.

# %%
sweep = ledger[ledger.experiment == "digits-uniformity"]
frame = figures.uniformity_sweep(sweep)
with figures.paper_style():
    figure, axes = plt.subplots(2, 2, figsize=(6.5, 5.4), layout="constrained")
    figures.draw_uniformity_sweep(list(axes.flat), frame)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    plt.show()

# %%
frame.pivot_table("value", ["term", "weight"], ["metric", "readout"]).round(3)

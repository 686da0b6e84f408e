# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # The paper's tables, ours beside every cell
#
# Tables 1 and 2 of *How Mask Matters* (Zhang, Wang and Wang 2022) from what was measured here and published under
# `figures/`; nothing is typed by hand. What was not run says so. `maetheory table --add runs/PRESET` publishes a run.

# %%
# %matplotlib inline
import pandas as pd
from matplotlib import pyplot as plt

from maetheory import figures
from maetheory.reports import claim_verdicts, own_results_table, paper_table, read_published_ledgers

pd.set_option("display.width", 160, "display.max_columns", 20, "display.max_rows", 100, "display.max_colwidth", 60)
ledger = read_published_ledgers("../figures")
ledger.groupby("experiment").agg(models=("cell", "nunique"), seeds=("seed", "nunique"), records=("value", "size"))

# %% [markdown]
# ## Table 1
#
# Accuracy in percent. A row of the paper is a preset of `maetheory reproduce`: its batch, epochs, patches and learning
# rate, on the data named. Our probe is ours (the recipe stands in the table); the paper's is not stated.

# %%
paper_table(ledger, "table1").drop(columns="recipe")

# %% [markdown]
# ## Table 2

# %%
paper_table(ledger, "table2").drop(columns="recipe")

# %% [markdown]
# ## At sizes of our own
#
# The same comparisons, small enough for two cores, probed and fine-tuned; mean ± standard deviation over seeds, or two
# standard errors over test images where there is one seed.

# %%
own_results_table(ledger).drop(columns="recipe")

# %% [markdown]
# ## What follows from it
#
# By one rule: the difference seed by seed, with a 95 % t-interval over seeds, but none narrower than two standard
# errors over test images. Wholly above 0: confirmed; wholly below: refuted; else undecided, as is all that rests on one
# seed, whose error is of test images alone. Accuracies in points. A verdict is about our models and our probe at our
# size, not about the paper's.

# %%
claim_verdicts(ledger).round(3)

# %% [markdown]
# ## The weight and the form of the uniformity term
#
# On the embedded digits: ranks, probes and reconstruction against the weight λ, for U-MAE's own term on the cls token
# and on the mean of patches, over all pairs as in the authors' code, and for two other ways to say the same.

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

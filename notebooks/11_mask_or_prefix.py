# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Mask or prefix? Ratio or mixture? Tokens or pixels?
#
# Masked autoencoders, autoregressive models, mixtures of mask ratios and tokenizers do one thing: they give a part of
# an image and predict another. Each is a *prediction law*, and each has a graph whose spectrum, label error φ and bound
# on downstream error can be computed without training. This notebook does it for nine laws on one world.
#
# ## The world
#
# Images have five patches and four symbols. Images of class 0 are full of the symbol 0, those of class 1 of the symbol
# 1, those of class 2 of the symbol 2; each patch is replaced by one of the three other symbols with probability 0.35.
#
# **To change:** the noise. With 0.1 φ and bounds are small, and a prefix that predicts the next patch stays the worst
# law but for one tokenizer. With 0.75 patches say nothing of the class: all views get one label, and every φ is 0.

# %%
# %matplotlib inline
from matplotlib import pyplot as plt

from maetheory import figures
from maetheory.data import worlds
from maetheory.masks import MixtureOfRatios, PrefixMasks, TokenizedLaw, UniformMasks
from maetheory.theory.law_comparison import compare_laws

n = 5
world = worlds.mixture(n, alphabet=4, n_classes=3, noise=0.35)
laws = {
    "prefix of 2, next": PrefixMasks(n, 2, "next"),
    "prefix of 2, rest": PrefixMasks(n, 2, "rest"),
    "all prefixes, next": PrefixMasks(n, target="next"),
    "masks, ratio 0.6": UniformMasks(n, 2),
    "masks, ratio 0.4": UniformMasks(n, 3),
    "masks, ratio 0.8": UniformMasks(n, 1),
    "ratios 0.4 and 0.8": MixtureOfRatios(n, (0.4, 0.8)),
    "tokens 0, 1, 23": TokenizedLaw(UniformMasks(n, 2), target_tokens=(0, 1, 2, 2)),
    "tokens 01, 2, 3": TokenizedLaw(UniformMasks(n, 2), target_tokens=(0, 0, 1, 2)),
}
numbers, spectra = compare_laws(world, laws, k=3)
shown = ["visible", "components", "phi", "bound", "residual_by_component", "bound_by_component"]
numbers.set_index("law")[shown].round(3)

# %% [markdown]
# Positions are kept, as for a network with position embeddings. *bound* is that of three features in all: it is
# infinite for masks, since three features cannot tell ten masks apart. *by component* gives each mask three features of
# its own. A component is one mask, or one length of a prefix.
#
# **To change:** `k`. With one feature each the gap counts: bounds become φ/(1 − λ₂), above ⅔, and a law with a smaller
# φ need not have the smaller bound, because what makes φ small makes λ₂ large.
#
# ## One figure

# %%
with figures.paper_style():
    figure, (gaps, errors) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained", sharey=True)
    places = range(len(numbers), 0, -1)
    second = spectra[spectra["index"] == 2].groupby("law").eigenvalue.mean().reindex(numbers.law).fillna(0.0)
    gaps.barh(places, second, height=0.5, color="0.6")
    gaps.set_yticks(places, list(numbers.law))
    gaps.set(xlabel="λ₂, mean over components")
    errors.plot(numbers.bound_by_component, places, "o", ms=5, label="φ, the bound")
    errors.plot(numbers.residual_by_component, places, "s", ms=4, label="residual")
    errors.set(xlabel="share of labels", xlim=(0, 1))
    figure.legend(*errors.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    plt.show()

# %% [markdown]
# Patches are independent given the class, so each component has rank three, λ₄ = 0, and the bound φ/(1 − λ₄) is φ: the
# probability that a positive pair disagrees in class. The residual is what a linear head on the features really misses.
# The bound is far above it, and what it says about the order of laws it says by φ.
#
# ## Mask or prefix?
#
# Patches are exchangeable here, so every mask of two patches has the graph of the prefix of two, and the average over
# masks equals the prefix that predicts the rest: same φ, same residual. What costs is the target. The *next* patch says
# less of the class than all that follow, so views of different classes share it more often and φ is larger. The
# statement `downstream-error-averages-over-components` says in general that the bound of masks is the average of the
# bounds of single masks, of which the prefix is one.
#
# **To change:** the world to `worlds.markov(n, 4, 0.8)`, whose label is the first symbol. A prefix always sees it, so
# that the prefix has α = 0, but what follows forgets it, and the average mask has the smaller φ.

# %%
chain, _ = compare_laws(worlds.markov(n, 4, 0.8), {name: laws[name] for name in list(laws)[:4]}, k=4)
chain.set_index("law")[["alpha", "phi", "bound_by_component"]].round(3)

# %% [markdown]
# ## Ratio or mixture?
#
# With positions kept no mask of one ratio shares a target with one of another, so the graph of a mixture is the graphs
# of its ratios side by side, and its φ and bound are their averages: a mixture is never the best of its ratios in this
# theory. (What it may do for the variance of an estimate from few images is another matter, which the
# [page on follow-up theory](../docs/followup_theory.md) tests for linear models.)
#
# **To change:** `positions="dropped"` in `compare_laws`. Targets of different ratios differ in length even then, so the
# mixture stays the average of its ratios, while the masks of one ratio join into one component.

# %%
ratios = numbers.set_index("law").loc[["masks, ratio 0.4", "masks, ratio 0.8", "ratios 0.4 and 0.8"]]
ratios[["phi", "bound_by_component"]].round(4)

# %% [markdown]
# ## Tokens or pixels?
#
# A tokenizer merges targets: every eigenvalue falls and φ rises
# ([data-processing-shrinks-spectrum](../maetheory/theory/statements/data_processing_shrinks_spectrum.py)). A tokenizer
# that merges the symbol of class 2 with the symbol of no class costs little, since the classes stay apart. One that
# merges the symbols of classes 0 and 1 leaves targets that cannot tell them apart, and φ grows tenfold as much.
#
# **To change:** `target_tokens`. `(0, 1, 2, 3)` gives the pixels back, and `(0, 0, 0, 0)` leaves targets that know
# nothing: λ₂ = 0, and φ is that of two views drawn at random.

# %%
tokens = numbers.set_index("law").loc[["masks, ratio 0.6", "tokens 0, 1, 23", "tokens 01, 2, 3"]]
tokens.assign(second_eigenvalue=second)[["second_eigenvalue", "phi", "bound_by_component"]].round(4)

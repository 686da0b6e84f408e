# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Theorems, one by one
#
# Every statement the library knows, in reading order: in symbols, in a sentence, with its source, and then run. A
# theorem about all finite worlds cannot be proved by running it, but it can be held against worlds chosen to hurt:
# one where it is **tight** (or the reason there is none), one per assumption in which that assumption is **broken**,
# and one that was not made for it.
#
# Notation: $x_1$ view, $x_2$ target, $x_1^+$ a second view of the same target, $\bar x$ the image; $\bar A$ the
# augmentation graph with eigenvalues $\lambda_1 = 1 \ge \lambda_2 \ge \dots$; $f$ encoder with $k$ features, $g$
# decoder, $h = g \circ f$; $F, H$ have the rows $\sqrt{d_1} f(x_1)$, $\sqrt{d_1} h(x_1)$; $\varepsilon$ is the
# measured error of plain autoencoding, $E\|h_g(x_2) - x_2\|^2$.

# %%
import importlib.util
from dataclasses import replace

import numpy as np
import pandas as pd

from maetheory.graph import MaskGraph, best_prediction
from maetheory.theory import THEOREMS, certify, check, falsify
from maetheory.theory.survey import BROKEN, TIGHT, survey

pd.set_option("display.max_colwidth", None, "display.width", 200, "display.float_format", "{:.6g}".format)
OWN = (TIGHT, BROKEN)
rows = {row.theorem.slug: row for row in survey(THEOREMS.values(), worlds=6)}
reasons = {slug: theorem.never_tight and f"\nnever tight: {theorem.never_tight}" for slug, theorem in THEOREMS.items()}
statements = {slug: theorem.statement + reasons[slug] for slug, theorem in THEOREMS.items()}


def line(visit):
    seen = visit.check
    sides = {"lhs": seen.lhs.value, "rhs": seen.rhs.value, "slack": seen.slack}
    sides = {name: round(side, 12) + 0.0 for name, side in sides.items()}
    return {"world": visit.world.split(":")[0], "verdict": seen.verdict.value, **sides, "note": seen.note}


def show(slug):
    print(statements[slug])
    own = [visit for visit in rows[slug].checks if visit.kind in OWN]
    others = sorted((v for v in rows[slug].applicable if v.kind not in OWN), key=lambda v: v.check.verdict == "TIGHT")
    return pd.DataFrame([line(visit) for visit in own + others[:1]])


len(THEOREMS)

# %% [markdown]
# Verdicts: **TIGHT** both sides are equal (where a line says "never tight", the tight example is the degenerate one,
# if there is any); **HOLDS** there is slack; **VACUOUS** true, but no better than what is known without the theorem;
# **INAPPLICABLE** an assumption fails, so the theorem is silent (its claim may be true or false there: look at the
# slack); **VIOLATED** the claim is false although its assumptions hold.
#
# ## Statements of the paper
#
# *How Mask Matters*, Zhang, Wang and Wang 2022. Where the paper leaves a constant unnamed, the one here is derived
# and the line says "constants ours".

# %% [markdown]
# ### Reconstruction bounds asymmetric alignment
#
# $$ L_{\mathrm{MAE}}(h) \ge L_{\mathrm{asym}}(h) - \varepsilon + 1 $$
#
# Predicting the target costs at least the misalignment $L_{\mathrm{asym}}(h) = -E\, h(x_1)^\top h_g(x_2)$ of the two
# predictions, for unit norms. *Theorem 3.2; role printed, constant ours.*

# %%
show("reconstruction-bounds-asymmetric-alignment")

# %% [markdown]
# ### Asymmetric alignment bounds alignment
#
# $$ L_{\mathrm{asym}}(h) \ge \tfrac12 L_{\mathrm{align}}(h) - \tfrac12 $$
#
# Aligning views with targets aligns the views that share one, $L_{\mathrm{align}}(h) = -E\, h(x_1)^\top h(x_1^+)$.
# *Theorem 3.3; constants ours.*

# %%
show("asymmetric-alignment-bounds-alignment")

# %% [markdown]
# ### Reconstruction bounds alignment
#
# $$ L_{\mathrm{MAE}}(h) \ge \tfrac14 E\|h(x_1) - h(x_1^+)\|^2 - \varepsilon $$
#
# The main theorem: who reconstructs well has aligned positive pairs. For unit norms the right side is $\tfrac12
# L_{\mathrm{align}}(h) - \varepsilon + \tfrac12$. It is half as strong as the truth (see the alignment split below).
# *Theorem 3.4, equation 7; printed, constant ours.*

# %%
show("reconstruction-bounds-alignment")

# %% [markdown]
# ### Reconstruction bounds alignment of the encoder
#
# $$ L_{\mathrm{MAE}}(h) \ge \tfrac{1}{4L} E\|f(x_1) - f(x_1^+)\|^2 - \varepsilon $$
#
# If the decoder keeps distances, $\|f - f^+\|^2 \le L\,\|h - h^+\|^2$, alignment passes to the features. *Theorem
# 3.5, equation 8; constants ours.*

# %%
show("reconstruction-bounds-encoder-alignment")

# %% [markdown]
# ### Full collapse costs variance
#
# $$ f \equiv c \;\Longrightarrow\; L_{\mathrm{MAE}}(h) \ge \mathrm{Var}(x_2) $$
#
# An encoder that maps all views to a point pays the variance of the targets, provided the decoder is blind to
# positions. The second broken world is one where it is not, and there the claim is false. *Theorem 3.6, equation 9;
# printed.*

# %%
show("full-collapse-costs-variance")

# %% [markdown]
# ### Full collapse, when the decoder knows the mask
#
# $$ f \equiv c \;\Longrightarrow\; L_{\mathrm{MAE}}(h) \ge E_m \mathrm{Var}(x_2 \mid m) $$
#
# Real decoders are told which patches to fill in. What survives is the variance within a mask. *Ours.*

# %%
show("full-collapse-costs-variance-given-the-mask")

# %% [markdown]
# ### Spectral contrast is factorisation
#
# $$ L_{\mathrm{spec}}(f) = 2 L_{\mathrm{align}}(f) + L_{\mathrm{unif}}(f) = \|\bar A - FF^\top\|_F^2 - \|\bar A\|_F^2
# $$
#
# Alignment with uniformity, $L_{\mathrm{unif}}(f) = E\,(f(x_1)^\top f(x_1^-))^2$, is low-rank factorisation of the
# augmentation graph: an identity on every world. *HaoChen et al. 2021.*

# %%
show("spectral-contrast-is-factorisation")

# %% [markdown]
# ### The least spectral contrast
#
# $$ L_{\mathrm{spec}}(f) \ge -\sum_{i \le k} \lambda_i^2 $$
#
# By Eckart and Young; reached by the leading eigenvectors. *HaoChen et al. 2021; Eckart and Young 1936.*

# %%
show("spectral-contrast-is-bounded-by-eigenvalues")

# %% [markdown]
# ### U-MAE bounds spectral contrast
#
# $$ L_{\mathrm{U\text{-}MAE}}(h) \ge \tfrac{1}{4L} L_{\mathrm{spec}}(f) + \tfrac{1}{2L} E\|f\|^2 - \varepsilon
# \quad\text{at } \lambda = \tfrac{1}{4L} $$
#
# A masked autoencoder with the uniformity penalty, $L_{\mathrm{U\text{-}MAE}} = L_{\mathrm{MAE}} + \lambda
# L_{\mathrm{unif}}$, minimises spectral contrast from above. *Section 4; constants ours.*

# %%
show("umae-bounds-spectral-contrast")

# %% [markdown]
# ### The tail of the graph bounds U-MAE
#
# $$ L_{\mathrm{U\text{-}MAE}}(h) \ge \tfrac{1}{4L} \sum_{i > k} \lambda_i^2 - \varepsilon - \tfrac{1}{4L} \sum_i
# \lambda_i^2 $$
#
# The paper prints the tail and an unnamed constant. The constant depends on the graph, hence on the mask ratio, and
# with it the right side is negative: vacuous on every world. *Theorem 4.2, equation 15; printed, the constant is
# ours.*

# %%
show("umae-bounded-by-graph-tail")

# %% [markdown]
# ### Factorisation bounds the probe residual
#
# $$ \|(I - P_F) Y\|_F^2 \le \bigl(\sqrt{p_{\max}}\, \|\bar A - FF^\top\|_F + \sqrt{\varphi}\bigr)^2 $$
#
# Features that factorise the graph explain the labels ($Y$ has the rows $\sqrt{d_1}\, 1[y(x_1) = c]$, $P_F$ projects
# on the columns of $F$) as far as positive pairs agree on them. *A step of theorem 4.1, after HaoChen et al. 2021;
# constants ours.*

# %%
show("factorisation-bounds-probe-residual")

# %% [markdown]
# ### The probe residual bounds the error on views
#
# $$ \Pr[\text{prediction} \ne y(x_1)] \le 2\, \|(I - P_F) Y\|_F^2 $$
#
# A row whose best class is wrong is at least ½ away, squared, from its label. Ties count as errors. *A step of
# theorem 4.1; constants ours.*

# %%
show("probe-residual-bounds-view-error")

# %% [markdown]
# ### The probe residual bounds the error on images
#
# $$ \Pr[\text{vote} \ne y(\bar x)] \le 4\, \|(I - P_F) Y\|_F^2 + 2\alpha $$
#
# At least half of an image's views must be wrong before their vote is. *A step of theorem 4.1; constants ours.*

# %%
show("probe-residual-bounds-image-error")

# %% [markdown]
# ### U-MAE bounds the downstream error
#
# $$ \Pr[p_f(\bar x) \ne y(\bar x)] \le 32\, p_{\max} L\, L_{\mathrm{U\text{-}MAE}} + 8\varphi + 2\alpha + 32\,
# p_{\max} L \varepsilon + 8\, p_{\max} \|\bar A\|_F^2 $$
#
# The paper prints $c_1 L\, L_{\mathrm{U\text{-}MAE}} + c_2 \alpha + c_3 L \varepsilon + c_4$. This is the chain of
# the steps above with every constant written out. *Theorem 4.1, equation 14; printed with unnamed constants, these
# are ours.*

# %%
show("umae-bounds-downstream-error")

# %% [markdown]
# ### That bound exceeds six
#
# $$ 8\, p_{\max} \|\bar A\|_F^2 + 8\varphi \ge 8(1 - \varphi + \varphi^2) \ge 6 $$
#
# So with these constants it is vacuous on every world. This does not refute the printed form. *Ours.*

# %%
show("umae-downstream-bound-exceeds-six")

# %% [markdown]
# ### Pairs disagree only where a view or a target is ambiguous
#
# $$ \varphi \le 2\alpha + 2\alpha_2 $$
#
# Positive pairs meet through targets, so the label error $\alpha_2$ of targets enters; a bound in $\alpha$ alone
# cannot work. *Ours; it closes a gap in theorem 4.1.*

# %%
show("pair-error-bounded-by-label-errors")

# %% [markdown]
# ## Statements of ours: sharper, and exact

# %% [markdown]
# ### The alignment split
#
# $$ L_{\mathrm{MAE}}(h) = \tfrac12 E\|h(x_1) - h(x_1^+)\|^2 + E\,\|E[h \mid x_2] - x_2\|^2 $$
#
# Reconstruction *is* alignment of positive pairs, plus the bias of the aligned prediction. No norms, no
# $\varepsilon$, and twice theorem 3.4. *Ours.*

# %%
show("alignment-split")

# %% [markdown]
# **Change this world.** Any non-negative matrix that sums to one is a joint law, any rows are predictions; the
# identity will not mind.

# %%
graph = MaskGraph.from_joint([[0.2, 0.1, 0.0], [0.1, 0.2, 0.1], [0.0, 0.1, 0.2]])
targets = np.array([[0.0], [1.0], [3.0]])
guesses = {"the best prediction": best_prediction(graph, targets), "a poor one": np.array([[2.0], [-1.0], [0.5]])}
found = {name: check("alignment-split", graph, h=h, targets=targets) for name, h in guesses.items()}
pd.DataFrame({name: {**c.terms, "L_MAE": c.lhs.value, "verdict": c.verdict.value} for name, c in found.items()})

# %% [markdown]
# ### The encoder, sharply
#
# $$ L_{\mathrm{MAE}}(h) \ge \tfrac{1}{2L} E\|f(x_1) - f(x_1^+)\|^2 $$
#
# Twice theorem 3.5, without $\varepsilon$; tight where the decoder stretches all positive pairs alike and targets are
# mean predictions. *Ours.*

# %%
show("reconstruction-bounds-encoder-alignment-sharply")

# %% [markdown]
# ### Excess factorisation is bounded by U-MAE
#
# $$ \|\bar A - wFF^\top\|_F^2 - \sum_{i>k} \lambda_i^2 \le w\bigl(2L\, L_{\mathrm{U\text{-}MAE}}(h) - 2E\|f\|^2\bigr) +
# \sum_{i \le k} \lambda_i^2, \quad w = 2L\lambda $$
#
# How much worse than eigenvectors the features factorise the graph. Every graph has a world where both sides are 0
# and the loss alone says that the features are the best. *Ours.*

# %%
show("excess-factorisation-bounded-by-umae")

# %% [markdown]
# ### The irreducible split
#
# $$ L_{\mathrm{MAE}}(h) = E\,\mathrm{Var}(x_2 \mid x_1) + E\,\|h - E[x_2 \mid x_1]\|^2 $$
#
# What no prediction can know, plus the distance to the best one. Training moves the second term only. *Bias and
# variance; for masks ours.*

# %%
show("irreducible-split")

# %% [markdown]
# ## Components

# %% [markdown]
# ### Nearly aligned features are nearly constant on components
#
# $$ E\|h - h^+\|^2 \ge 2\,(1 - \lambda_{c+1})\, E\|h - \bar h\|^2 $$
#
# $\bar h$ is the mean over the connected component of a view, $c$ the number of components: the spectral gap
# inequality. *Ours.*

# %%
show("perfect-alignment-is-constant-on-components")

# %% [markdown]
# ### The converse
#
# $$ E\|h - h^+\|^2 \le 2\, E\|h - \bar h\|^2 $$
#
# Together: alignment is perfect iff $h$ is constant on every component. *Ours.*

# %%
show("constant-on-components-is-perfect-alignment")

# %% [markdown]
# ### Rank
#
# $$ E\|f - f^+\|^2 = 0 \;\Longrightarrow\; \mathrm{rank}(F) \le c $$
#
# Perfect alignment leaves at most one dimension per component: dimensional collapse. *Ours.*

# %%
show("aligned-features-have-rank-of-components")

# %% [markdown]
# ## What the uniformity weight does

# %% [markdown]
# ### U-MAE at a given energy
#
# $$ L_{\mathrm{U\text{-}MAE}}(h) \ge \lambda \sum_i s_i^2 + \tfrac1L \sum_i s_i (1 - \lambda_i), \qquad s_i =
# \Bigl(\tfrac{\lambda_i}{2\lambda L} - \mu\Bigr)_+, \quad \sum_i s_i = E\|f\|^2 $$
#
# The form of theorem 4.2 that is not vacuous: with $E\|f\|^2$ fixed, water-filling gives the least loss, and $s$ is
# the spectrum of the best features. *Ours.*

# %%
show("effective-rank-grows-with-uniformity")

# %% [markdown]
# ### The ranks of the minimiser grow
#
# $$ \lambda \le \lambda' \;\Longrightarrow\; \mathrm{rank}_\bullet(s(\lambda)) \le \mathrm{rank}_\bullet(s(\lambda'))
# $$
#
# for effective rank $\exp H(s/\tau)$, participation ratio $\tau^2 / \sum_i s_i^2$ and stable rank $\tau / s_1$, $\tau
# = \sum_i s_i$: collapse and its cure as a theorem. Three statements; the sides below are the rank at the heavier and
# at the lighter weight. *Ours.*

# %%
show("effective-rank-of-the-minimiser-grows")

# %%
show("participation-ratio-of-the-minimiser-grows")

# %%
show("stable-rank-of-the-minimiser-grows")

# %% [markdown]
# ## Downstream bounds that say something

# %% [markdown]
# ### Spectral features
#
# $$ \|(I - P_F) Y\|_F^2 \le \frac{\varphi}{1 - \lambda_{k+1}} $$
#
# for $k$ leading eigenvectors. A spectral gap is needed even at $\varphi = 0$: in the second broken world one feature
# cannot tell two components apart. *Ours, after HaoChen et al. 2021.*

# %%
show("spectral-features-bound-downstream-error")

# %% [markdown]
# ### Any features, by their excess
#
# $$ \|(I - P_F) Y\|_F^2 \le \Bigl(\sqrt{\tfrac{\varphi}{1 - \lambda_{k'+1}}} + \sqrt{\tfrac{p_{\max}\,
# \Delta''}{\lambda_{k'}^2 - \lambda_{k+1}^2}}\Bigr)^2 $$
#
# $\Delta'' = \|(I - P_F)\bar A\|_F^2 - \sum_{i>k} \lambda_i^2$ is what the span of $F$ misses of the leading
# eigenvectors; the best $k' \le k$ is used. *Ours, after HaoChen et al. 2021.*

# %%
show("excess-loss-bounds-downstream-error")

# %% [markdown]
# ### A certificate
#
# $$ \|(I - P_F) Y\|_F^2 \le \min_{\mu \ge 0} \Bigl\{ \mu\varphi + \sum_c p_{(c)}\, \nu_c\bigl((I - P_F) - \mu (I -
# \bar A)\bigr) \Bigr\} $$
#
# One convex minimisation, never worse than the two bounds before; $p_{(c)}$ are the sorted class masses, $\nu_c$ the
# sorted eigenvalues. *Ours.*

# %%
show("certificate-bounds-downstream-error")

# %% [markdown]
# ### Votes beat views when errors scatter
#
# $$ \Pr[\text{vote} \ne y(\bar x)] \le \frac{e_2 - e^2}{e_2 - e + \tfrac14} $$
#
# $e$ is the probability that a view errs, $e_2$ that two independent views of one image both do. *Ours, by Cantelli's
# inequality.*

# %%
show("votes-beat-views-when-errors-scatter")

# %% [markdown]
# ## Labels

# %% [markdown]
# ### The label error of views is not enough
#
# $$ \alpha = \alpha' = 0, \quad \sigma_i = \sigma_i' \text{ for all } i, \qquad \|(I - P)Y\|_F^2 = 0, \quad \|(I -
# P')Y\|_F^2 = 1 - \tfrac1r $$
#
# Two graphs that agree in $\alpha = 0$ and in everything without labels, and whose best probes explain the labels of
# $r$ classes fully in one, and leave $1 - 1/r$ of them in the other. The sides below are the difference of the
# residuals and what it should be. *Ours, on theorem 4.1.*

# %%
show("label-error-alone-is-not-enough")

# %% [markdown]
# **Change this world.** Four views that tell their class, two targets: shared inside a class, or across. Move mass
# between the columns and watch $\varphi$ while $\alpha$ stays 0.

# %%
joints = {"inside a class": [[1, 0], [1, 0], [0, 1], [0, 1]], "across classes": [[1, 0], [0, 1], [1, 0], [0, 1]]}
pairs = {name: MaskGraph.from_joint(np.array(joint) / 4, labels=[0, 0, 1, 1]) for name, joint in joints.items()}
bounds = {name: check("pair-error-bounded-by-label-errors", graph) for name, graph in pairs.items()}
ours = {name: {"α": g.label_error().value, "α₂": g.target_label_error().value} for name, g in pairs.items()}
pd.DataFrame({name: {**ours[name], "φ": c.lhs.value, "2α + 2α₂": c.rhs.value} for name, c in bounds.items()})

# %% [markdown]
# ### Pairs cannot agree better than eigenvalues allow
#
# $$ \varphi \ge 1 - \sum_c p_{(c)} \lambda_c $$
#
# For any labels of the views: von Neumann's trace inequality. *Ours.*

# %%
show("pair-error-lower-bound")

# %% [markdown]
# ## Data processing

# %% [markdown]
# ### Channels on targets
#
# $$ \bar A_{MK} \preceq \bar A_M $$
#
# Forgetting part of the target (hiding less at the same view, dropping positions, quantising) is a channel $K$, and
# shrinks the augmentation graph in the Loewner order. *Ours.*

# %%
show("data-processing-shrinks-spectrum")

# %% [markdown]
# ### Channels on both sides
#
# $$ \sigma_i(\text{processed}) \le \sigma_i \quad \text{for all } i $$
#
# Hence every singular value with positions dropped is at most that with positions kept. *Ours.*

# %%
show("channels-on-both-sides-shrink-singular-values")

# %% [markdown]
# ### Pairs under a channel
#
# $$ \varphi(M) \le \varphi(MK) $$
#
# Who shares less of a target agrees less on labels. *Ours.*

# %%
show("data-processing-raises-pair-error")

# %% [markdown]
# ## Linear decoders and linear autoencoders

# %% [markdown]
# ### The optimum of a linear decoder
#
# $$ L_{\mathrm{MAE}}(fW) \ge \|X_2\|_F^2 - \sum_{i \le k} s_i(\bar A_M X_2)^2 $$
#
# $X_2$ has the rows $\sqrt{d_2}\, x_2$. The best features are the top singular directions of the graph times the
# pixels. *Ours, after Eckart and Young 1936.*

# %%
show("linear-decoder-optimum")

# %% [markdown]
# ### The same at given features
#
# $$ L_{\mathrm{MAE}}(fW) \ge \|X_2\|_F^2 - \|P_F \bar A_M X_2\|_F^2 $$
#
# Least squares. *Ours.*

# %%
show("linear-decoder-optimum-given-features")

# %% [markdown]
# ### The identity behind both
#
# $$ L_{\mathrm{MAE}}(h) = \|X_2\|_F^2 - \|\bar A_M X_2\|_F^2 + \|H - \bar A_M X_2\|_F^2 $$
#
# Holds for every $h$. *Ours.*

# %%
show("linear-decoder-loss")

# %% [markdown]
# ### A linear autoencoder under one mask
#
# $$ E\|x_2 - BEx_1\|^2 \ge \|X_2\|_F^2 - \sum_{i \le k} s_i(Q^\top X_2)^2 $$
#
# Reduced-rank regression of hidden pixels on visible ones; $Q$ is an orthonormal basis of the columns of $X_1$.
# *Izenman 1975; for masks ours.*

# %%
show("linear-mae-optimum")

# %% [markdown]
# ### One linear autoencoder for random masks
#
# $$ E_m E\|(I - P_m)(x - W P_m x)\|^2 \ge \text{its value at } W^*, \qquad \bigl(E_m 1[j \notin m] P_m \Sigma
# P_m\bigr) w^*_j = E_m 1[j \notin m] P_m \Sigma e_j $$
#
# A regression for each pixel, over the masks that hide it. *Ours.*

# %%
show("shared-linear-mae-optimum")

# %% [markdown]
# ### The same, mask by mask
#
# $$ E_m E\|(I - P_m)(x - BE P_m x)\|^2 \ge E_m \min_{\mathrm{rank}\, k} L_m $$
#
# One pair of matrices for all masks is no better than one pair for each. *Ours.*

# %%
show("shared-linear-mae-bounded-mask-by-mask")

# %% [markdown]
# ## Uniformity and coding rate

# %% [markdown]
# ### From below and from above
#
# $$ 0 \le \log\det\bigl(I + F^\top F / \mu\bigr) - \frac{E\|f\|^2}{\mu} + \frac{L_{\mathrm{unif}}(f)}{2\mu^2} \le
# \frac{\mathrm{tr}\,(F^\top F)^3}{3\mu^3} $$
#
# The uniformity penalty is the second order of the total coding rate, with a remainder of known sign and size. Two
# statements. *After Tan et al. 2023; the remainder is ours.*

# %%
show("uniformity-approximates-coding-rate")

# %%
show("uniformity-approximates-coding-rate-from-above")

# %% [markdown]
# ## The mask ratio

# %% [markdown]
# ### Duality
#
# $$ M_{1-\rho} = M_\rho^\top \ \text{up to numbering}, \qquad \alpha_2(\rho) = \alpha(1 - \rho) $$
#
# Under uniform or Bernoulli masks; block masks break it. The left side below is the largest difference of all that
# should agree. *Ours.*

# %%
show("mask-ratio-duality")

# %% [markdown]
# ### The label error grows
#
# $$ \rho \le \rho' \;\Longrightarrow\; \alpha(\rho) \le \alpha(\rho') $$
#
# Who sees fewer patches guesses no better. *Ours.*

# %%
show("label-error-grows-with-mask-ratio")

# %% [markdown]
# ## Sampled graphs

# %% [markdown]
# ### Weyl
#
# $$ \max_i |\hat\sigma_i - \sigma_i| \le \|\hat{\bar A}_M - \bar A_M\|_2 $$
#
# A sampled graph has nearly the right spectrum if its matrix is near. *Weyl 1912.*

# %%
show("sampled-spectrum-concentrates")

# %% [markdown]
# ### What was never seen
#
# $$ \text{an unseen component} \;\Longrightarrow\; \|\hat{\bar A}_M - \bar A_M\|_2 \ge 1 $$
#
# However rare it is. *Ours.*

# %%
show("unseen-component-costs-one")

# %% [markdown]
# ### Bias
#
# $$ E \sum_i \hat\sigma_i^2 - \sum_i \sigma_i^2 = \frac{(E \hat N_1 - 1)(E \hat N_2 - 1)}{n - 1} $$
#
# for independent view and target, $n$ draws, $\hat N_1, \hat N_2$ the numbers of nodes seen: sampling invents
# dependence. *Ours; Pearson's statistic.*

# %%
show("sampled-spectrum-is-biased-upward")

# %% [markdown]
# ## All of them at once
#
# How often each verdict came out on all worlds visited above: the theorems' own, eleven standard graphs with up to
# three predictors each, six drawn at random. None is violated.

# %%
counts = pd.DataFrame({slug: row.counts for slug, row in rows.items()}).T
assert not counts["VIOLATED"].any()
counts.sum().to_frame("worlds").T

# %% [markdown]
# ## A bound that is false
#
# Believing is cheap, so let the search disagree. Take theorem 4.1 with the constants derived here and $c_4 = 0$: it
# would say $\Pr[p_f \ne y] \le 32\, p_{\max} L\, L_{\mathrm{U\text{-}MAE}} + 8\varphi + 2\alpha + 32\, p_{\max} L
# \varepsilon$. The search draws worlds, walks downhill in slack, and shrinks what it finds until it can be read.

# %%
explicit = THEOREMS["umae-bounds-downstream-error"]


def without_c4(graph, features, h, h_g, targets, lipschitz):
    terms = explicit.terms(graph, features, h, h_g, targets, lipschitz)
    return terms["loss"] + terms["labels"] + terms["epsilon"]


claim = "Pr[p_f != y] <= 32 p_max L·L_U-MAE + 8φ + 2α + 32 p_max L ε"
printed = replace(explicit, slug="c4-is-zero", statement=claim, rhs=without_c4, terms=None, trivial=None)
counterexample = falsify(printed, worlds=50)
print(counterexample)

# %% [markdown]
# One image, features that are zero: everything on the right vanishes, and so does all that a probe could go by; the
# tie between two classes is an error. Whoever finds ties unfair may take two images of different classes that share
# nothing, where a constant prediction is wrong half the time by any rule, and zero on the right all the same. So a
# positive constant $c_4$ is needed with these $c_1, c_2, c_3$. The search on the theorem as stated finds nothing.

# %%
apart, zero = MaskGraph.from_joint(np.eye(2) / 2, labels=[0, 1]), np.zeros((2, 1))
print(printed.check(apart, features=zero, h=zero, h_g=zero, targets=zero))

# %%
print(falsify(explicit, worlds=20))

# %% [markdown]
# ## A verdict that is a proof
#
# `check` computes in floats. `certify` repeats it in ball arithmetic, at a precision that is raised until the sign of
# the slack is certain.

# %%
graph = MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]])
if importlib.util.find_spec("flint"):
    proof = certify("spectral-contrast-is-bounded-by-eigenvalues", graph, features=np.array([[1.0], [0.5]]))
    print(proof.claim, f"{proof.verdict} ({proof.bits} bits, slack from {proof.slack.low:.6f})", sep="\n")
else:
    print("python-flint is not installed; pip install 'maetheory[certify]' brings it, and then this is a proof.")

"""Glossary of symbols and words, by which pages explain themselves; the page docs/glossary.md shows the same records.

Names of metrics are not here: the first sentence of a metric's docstring defines it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A symbol or word with its meaning.

    Attributes
    ----------
    name : str
        As it stands in the glossary; several spellings are separated by commas.
    meaning : str
    also_called : str
        Other names in the literature; empty if there are none.
    in_text : tuple of str
        Spellings by which running text is searched. Short symbols and everyday words have none.
    in_tables : tuple of str
        Further texts that mean it where they fill a cell or heading of a table.
    """

    name: str
    meaning: str
    also_called: str = ""
    in_text: tuple[str, ...] = ()
    in_tables: tuple[str, ...] = ()


GLOSSARY = (
    Term("x̄", "an image", "natural sample"),
    Term("x₁, view", "the visible part of an image, with the mask", "context, unmasked patches"),
    Term("x₂, target", "the hidden part", "masked patches"),
    Term("ρ, mask ratio", "the share of patches that are hidden", in_text=("mask ratio",), in_tables=("ρ",)),
    Term("mask law", "the distribution of masks", "masking strategy", ("mask law", "mask laws"), ("law",)),
    Term("M", "the joint law of views and targets, (views, targets)"),
    Term("Ā_M", "M divided by the square roots of its marginals", "normalised adjacency of the mask graph"),
    Term("Ā = Ā_M Ā_Mᵀ", "normalised adjacency of the graph of views", "augmentation graph"),
    Term(
        "σᵢ, λᵢ = σᵢ²",
        "singular values of Ā_M, eigenvalues of Ā",
        "canonical correlations and their squares",
    ),
    Term("positive pair", "two views that share a target", in_text=("positive pair", "positive pairs")),
    Term("f, F", "features of a view; the matrix with rows √d₁ f", "encoder output"),
    Term("h", "the prediction of the target from a view", "decoder output"),
    Term("ε", "autoencoding error of the decoder's pseudo-inverse"),
    Term("L", "bi-Lipschitz constant of the decoder"),
    Term(
        "α, α₂",
        "error of the best guess of the label from a view, from a target",
        "labelling error",
        in_text=("α",),
        in_tables=("α, tokens", "α, kernel"),
    ),
    Term(
        "φ",
        "share of positive pairs whose labels differ",
        in_text=("φ",),
        in_tables=("φ, tokens", "φ, kernel"),
    ),
    Term(
        "effective rank",
        "exponential of the entropy of singular values (Roy and Vetterli 2007)",
        "",
        ("effective rank",),
    ),
    Term(
        "cls, mean",
        "readouts: the class token; the mean of the patch tokens",
        in_text=("cls",),
        in_tables=("readout", "mean"),
    ),
    Term("preset", "a named configuration: of an experiment, or of an architecture", "config", ("preset", "presets")),
    Term("cell", "one objective or setting of an experiment", "arm"),
    Term("ledger", "file of measured numbers, one line of JSON each", "results log", ("ledger",)),
    Term("code base, dialect", "how one project names the tensors of a checkpoint", "format", ("code base", "dialect")),
    Term("vacuous", "true, but no stronger than a bound that is known without it", in_text=("vacuous",)),
    Term("enclosure", "an interval that certainly holds the exact value", "verified bound", ("enclosure",)),
    Term("certificate", "an enclosure with the argument that proves it", in_text=("certificate",)),
    Term(
        "code (of a patch)",
        "one of the few values to which patches are quantised, so that views can be equal",
        "token, codeword",
    ),
    Term(
        "token graph, kernel graph",
        "mask graphs of images whose views are equal where all codes agree; or alike by a Gaussian kernel",
        in_text=("token graph", "token graphs", "kernel graph", "kernel graphs"),
    ),
    Term("reading", "one sentence that says what the numbers of an output mean", "summary"),
    Term("slack, tightness", "distance of the two sides of a claim; 1 − distance over the larger side", "gap"),
    Term(
        "tight example, broken example", "a world in which both sides are equal; one in which only one assumption fails"
    ),
    Term(
        "probe residual",
        "share of the labels that the best linear function of the features leaves, ‖(I − P_F)Y‖²",
        "least-squares error",
        ("probe residual",),
    ),
    Term("water-filling", "the spectrum (c λᵢ − μ)₊ of given sum, largest where the eigenvalues are"),
    Term(
        "look",
        "one of the analyses planned in advance, at 3, 10 and 20 seeds, after which more seeds may be run",
        "interim analysis",
    ),
    Term(
        "descent",
        "a search that starts at a world and changes it in small steps, so that the slack of a claim falls",
        "minimisation of the slack",
    ),
    Term(
        "world",
        "a finite set of images with probabilities and labels, on which everything is exact",
        "toy distribution",
    ),
    Term(
        "random_init",
        "mean over untrained networks of the same architecture",
        "random-initialisation baseline",
        ("random-initialisation baseline", "untrained networks", "untrained network"),
        ("random init", "random_init", "random"),
    ),
    Term(
        "untrained, own rule",
        "the random-initialisation baseline of networks drawn by the rule of the code base that wrote the file, with "
        "the interval of a further network",
        in_tables=("untrained, own rule",),
    ),
    Term(
        "all usual rules",
        "from the lowest to the highest value of untrained networks drawn by the rules of all usual libraries",
        in_text=("usual rules",),
        in_tables=("all usual rules",),
    ),
    Term(
        "shuffled",
        "the value after each column of the features is permuted on its own, which destroys correlations",
        "shuffled-column baseline",
        ("shuffled-column baseline", "shuffled columns"),
        ("shuffled",),
    ),
    Term(
        "noise",
        "the value of Gaussian rows of the same shape, whose spectrum follows Marchenko and Pastur",
        in_tables=("noise",),
    ),
    Term("n → ∞", "the value extrapolated to infinitely many images, with its interval", "", ("n → ∞",)),
    Term(
        "convention",
        "which of the published definitions of a metric: of singular values σ or of their squares σ²; centred or not",
        in_tables=("convention",),
    ),
    Term(
        "complete collapse",
        "all images have nearly the same feature",
        "constant features",
        ("complete collapse",),
    ),
    Term(
        "dimensional collapse",
        "features use fewer directions than those of untrained networks of the same architecture",
        "",
        ("dimensional collapse",),
    ),
    Term(
        "few directions",
        "whether the effective rank is below a tenth of the dimension",
        in_tables=("few directions",),
    ),
    Term(
        "one vector dominates",
        "whether the largest direction holds more than half of the mean square of the features",
        in_tables=("one vector dominates",),
    ),
    Term(
        "null direction",
        "the direction that a final LayerNorm takes from the features; its singular value is that of the shift alone",
        in_text=("null direction",),
    ),
    Term(
        "linear probing",
        "a linear classifier is fitted to features that stay fixed; its test accuracy",
        "linear probe",
        ("linear probing", "linear probe", "linear-probe accuracy"),
        ("linear_probe",),
    ),
    Term(
        "fine-tuning",
        "the network is trained further with labels; its test accuracy",
        in_text=("fine-tuning",),
        in_tables=("fine_tuning",),
    ),
    Term(
        "20-NN",
        "test accuracy of a vote of the 20 nearest training images by cosine",
        "k-nearest neighbours",
        in_tables=("20-NN", "knn_probe"),
    ),
    Term("t-SNE", "an embedding in the plane that keeps neighbours, not distances", "", ("t-SNE",)),
    Term(
        "silhouette",
        "how far classes lie apart: 1 apart, 0 or less mixed (Rousseeuw 1987)",
        in_text=("silhouette",),
    ),
    Term(
        "uniformity weight λ",
        "factor of the uniformity term in U-MAE's loss; 0 is MAE",
        in_text=("uniformity weight",),
        in_tables=("weight",),
    ),
)

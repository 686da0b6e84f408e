"""The smallest error bound that the theory certifies on real images, beside the measured error.

    python -m maetheory.experiments.guarantee --dataset digits --into figures
    python -m maetheory.experiments.guarantee --dataset cifar10 --images 500 --encoder U-MAE=RUN --into figures

Everything is chosen on one half of the images: number of codes or bandwidth, codebook, labels of views. The other half
certifies the choice, so that what is chosen here needs no correction for the number of looks; what is offered for the
choice does, if it was settled on the same images (docs/mask_graphs.md). Two kinds of statement:

``population``
    About all images and masks, with 95 % confidence. Targets are quantised by k-means, and the bound is for the k
    spectral features of their graph (`maetheory.empirical.population_bound`).
``these images``
    About the n images of the second half under the drawn masks, a finite population, without sampling error. Targets
    are blurred by a Gaussian kernel, and the bound is the certificate S3 (iii) for k spectral features.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from maetheory import figures
from maetheory.checkpoints import load_checkpoint
from maetheory.core import InputError, atomic_write, generator
from maetheory.empirical.graph_scores import spectral_certificate
from maetheory.empirical.kernel.bandwidth import median_heuristic
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.population_bound import PopulationBound, population_bound
from maetheory.evaluation import random_init_model
from maetheory.experiments.guarantee_views import (
    LAWS,
    PIXELS,
    MaskedImages,
    encoder_spaces,
    image_halves,
    masked_halves,
)

CODES = (2, 10, 32, 64, 128, 256, 512)
FACTORS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6)
FEATURES = (10, 20, 50, 100, 200)
POPULATION, FINITE = "population", "these images"


def guarantee_rows(first: MaskedImages, second: MaskedImages, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the bound for all images, then those for the images of the second half by number of features.

    Parameters
    ----------
    first : MaskedImages
        Everything is chosen on these.
    second : MaskedImages
        Certify what was chosen; other images.
    seed : int
        Initialises k-means.

    Yields
    ------
    dict
        statement, k, choice (number of codes, or bandwidth over median distance), images, first_half (the bound on the
        image error that the first half estimates), phi, alpha, next_eigenvalue, and bounds: residual_bound,
        one_view_error_bound (2 residual + α: the label of an image from one view), image_error_bound (4 residual + 2α).
        measured_residual and measured_error (from one view) are those of the same features; for all images, estimates
        on the second half, features and head fitted on the first. trivial_residual is that of a constant, or of k
        random features of n images; trivial_error is that of the largest class, or of a head on random features of the
        same images if that is less.
    """
    yield _population_row(first, second, seed)
    yield from _finite_rows(first, second)


def _population_row(first: MaskedImages, second: MaskedImages, seed: int) -> dict[str, Any]:
    fitted, held_out = first[::2], first[1::2]
    sizes = [size for size in CODES if size <= len(fitted) // 2]
    classifier = min((0, 1), key=lambda number: _classifier_error(number, fitted, held_out))
    scores = {size: _certify_rule(_Rule(fitted, classifier, size, seed), held_out).image_error for size in sizes}
    size = min(scores, key=scores.__getitem__)
    rule = _Rule(first, classifier, size, seed)
    found = _certify_rule(rule, second)
    residual, error = rule.measure(second)
    labels = rule.view_labels(second)
    return {
        "statement": POPULATION,
        "k": size,
        "choice": size,
        "images": len(second),
        "first_half": scores[size],
        "phi": found.phi,
        "alpha": found.alpha,
        "next_eigenvalue": 0.0,
        "residual_bound": found.residual,
        "one_view_error_bound": found.one_view_error,
        "image_error_bound": found.image_error,
        "measured_residual": residual,
        "measured_error": error,
        "trivial_residual": 1 - float(((np.bincount(labels) / len(labels)) ** 2).sum()),
        "trivial_error": _largest_class_error(second),
    }


class _Rule:
    """Codebook of targets, labels of views and scores of codes, all fitted on the same images."""

    def __init__(self, images: MaskedImages, classifier: int, size: int, seed: int) -> None:
        from sklearn.cluster import KMeans

        self._fitted, self._size = images, size
        self._classifier = _classifiers()[classifier].fit(images.visible, images.labels)
        self._codebook = KMeans(size, n_init=3, random_state=seed).fit(images.hidden)
        self._classes = int(images.labels.max()) + 1
        counts = np.zeros((size, self._classes))
        np.add.at(counts, (self._codebook.labels_, images.labels), 1.0)
        prior = np.bincount(images.labels, minlength=self._classes) / len(images)
        self._scores = (counts + 0.5 * prior) / (counts.sum(1, keepdims=True) + 0.5)  # (k, r)

    def view_labels(self, images: MaskedImages) -> np.ndarray:
        """Label of each view, (n,)."""
        return np.asarray(self._classifier.predict(images.visible))

    def scores(self, images: MaskedImages) -> np.ndarray:
        """Class probabilities given the code of the hidden part, (n, r)."""
        return self._scores[self._codebook.predict(images.hidden)]

    def measure(self, images: MaskedImages) -> tuple[float, float]:
        """Residual and error on other images of a linear head on the predicted probabilities of the codes.

        Kernel least squares estimates the probabilities from the images on which the rule was fitted; the head is
        fitted to predictions for images that were left out, and both overstate the residual for their few images.
        """
        from sklearn.kernel_ridge import KernelRidge
        from sklearn.linear_model import RidgeCV
        from sklearn.model_selection import cross_val_predict

        fitted = self._fitted
        gamma = 1 / (fitted.visible.shape[1] * fitted.visible.var())
        predictor = KernelRidge(alpha=0.1, kernel="rbf", gamma=gamma)
        codes = np.eye(self._size)[self._codebook.labels_]  # (n, k)
        ours = cross_val_predict(predictor, fitted.visible, codes, cv=5)
        theirs = predictor.fit(fitted.visible, codes).predict(images.visible)
        head = RidgeCV(np.logspace(-4, 1, 6)).fit(ours, np.eye(self._classes)[self.view_labels(fitted)])
        scores, labels = head.predict(theirs), self.view_labels(images)
        residual = float(((np.eye(self._classes)[labels] - scores) ** 2).sum(1).mean())
        return residual, float((scores.argmax(1) != images.labels).mean())


def _classifiers() -> tuple[Any, ...]:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return SVC(C=5.0), make_pipeline(StandardScaler(), RidgeClassifier(100.0))


def _classifier_error(number: int, fitted: MaskedImages, held_out: MaskedImages) -> float:
    predicted = _classifiers()[number].fit(fitted.visible, fitted.labels).predict(held_out.visible)
    return float((predicted != held_out.labels).mean())


def _certify_rule(rule: _Rule, images: MaskedImages) -> PopulationBound:
    return population_bound(rule.view_labels(images), images.labels, rule.scores(images))


def _finite_rows(first: MaskedImages, second: MaskedImages) -> Iterator[dict[str, Any]]:
    """Yield the certificate for each number of features, at the bandwidth that is best on the first half."""
    counts = [k for k in FEATURES if k < min(len(first), len(second)) / 2]
    at_first = {factor: _kernel_quantities(first, factor, counts) for factor in FACTORS}
    best = {k: min(FACTORS, key=lambda factor: at_first[factor][k]["residual_bound"]) for k in counts}
    at_second = {factor: _kernel_quantities(second, factor, counts) for factor in sorted(set(best.values()))}
    for k in counts:
        first_bound = at_first[best[k]][k]["residual_bound"]
        yield {
            "statement": FINITE,
            "k": k,
            "choice": best[k],
            "images": len(second),
            "first_half": 4 * first_bound,
            **at_second[best[k]][k],
            "trivial_residual": 1 - k / len(second),
            "trivial_error": min(_largest_class_error(second), _random_feature_error(second.labels, k)),
        }


def _kernel_quantities(images: MaskedImages, factor: float, counts: Sequence[int]) -> dict[int, dict[str, float]]:
    """Quantities of the kernel graph of hidden parts: bound and measured values for each number of features."""
    n = len(images)
    width = median_heuristic(images.hidden, factor, generator(0, "guarantee"))
    mask = np.ones(1, bool)  # the graph is that of vectors; its mask is not read
    graph = KernelGraph(GaussianKernelMatrix(images.hidden, width), images.visible, images.labels, mask)
    half = graph.normalized @ np.eye(n)  # Ā_M, (n, n)
    lam, vectors = np.linalg.eigh(half @ half.T)
    lam, left = lam[::-1], vectors[:, ::-1]  # descending
    one_hot = np.eye(int(images.labels.max()) + 1)[images.labels]  # (n, r)
    along = left.T @ one_hot / np.sqrt(n)  # Y in the basis of singular vectors, (n, r)
    masses = np.sort(one_hot.mean(0))[::-1]
    phi = float((1 - lam) @ (along**2).sum(1))
    found = {}
    for k in counts:
        bound = spectral_certificate(phi, lam, masses, k)
        predicted = (left[:, :k] @ along[:k]).argmax(1)
        found[k] = {
            "phi": phi,
            "alpha": 0.0,
            "next_eigenvalue": float(lam[k]),
            "residual_bound": bound,
            "one_view_error_bound": 2 * bound,
            "image_error_bound": 4 * bound,
            "measured_residual": float((along[k:] ** 2).sum()),
            "measured_error": float((predicted != images.labels).mean()),
        }
    return found


def _random_feature_error(labels: np.ndarray, k: int, draws: int = 5) -> float:
    """Error of a linear head on k random features of the images to which it is fitted, averaged over draws."""
    rng, one_hot = generator(0, "random features", k), np.eye(int(labels.max()) + 1)[labels]
    bases = [np.linalg.qr(rng.normal(size=(len(labels), k)))[0] for _ in range(draws)]
    return float(np.mean([((basis @ (basis.T @ one_hot)).argmax(1) != labels).mean() for basis in bases]))


def _largest_class_error(images: MaskedImages) -> float:
    return 1 - float(np.bincount(images.labels).max()) / len(images)


def _read_encoders(given: Sequence[str]) -> dict[str, Any]:
    """Load NAME=PATH, and add an untrained network of the architecture of the first."""
    encoders: dict[str, Any] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not name or not path:
            raise InputError(f"an encoder is given as NAME=PATH, but this is {text!r}")
        encoders[name] = load_checkpoint(path)[0]
    if encoders:
        encoders["untrained"] = random_init_model(next(iter(encoders.values())), seed=0)
    return encoders


def main(arguments: Sequence[str] | None = None) -> None:
    """Certify what the published table lacks, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=("digits", "cifar10"), default="digits")
    parser.add_argument("--data", help="Folder of the images; digits are built in.")
    parser.add_argument("--images", type=int, default=900, help="Largest number of images in each half.")
    parser.add_argument(
        "--encoder", action="append", default=[], help="NAME=PATH of a checkpoint trained on training images alone."
    )
    parser.add_argument("--readout", choices=("cls", "mean"), default="mean", help="Token of the encoders.")
    parser.add_argument("--law", action="append", choices=LAWS, help="May be repeated. All by default.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--into", type=Path, default=Path("figures"), help="Folder of the table and figure.")
    options = parser.parse_args(arguments)
    table = options.into / "guarantee.csv"
    frame = pd.read_csv(table) if table.exists() else pd.DataFrame()
    done = set(zip(frame.dataset, frame.space, frame.law, strict=True)) if len(frame) else set()
    for space, encoder in encoder_spaces(_read_encoders(options.encoder)).items():
        for law in options.law or LAWS:
            if (options.dataset, space, law) in done:
                print(f"{options.dataset}, {space}, {law}: in {table} already, whatever the options; not run again")
                continue
            halves = image_halves(
                options.dataset,
                encoded=space != PIXELS,
                images=options.images,
                seed=options.seed,
                root=options.data,
            )
            first, second = masked_halves(halves, law, encoder, readout=options.readout, seed=options.seed)
            names = {"dataset": options.dataset, "space": space, "law": law}
            rows = [names | row for row in guarantee_rows(first, second, seed=options.seed)]
            frame = pd.concat([frame, pd.DataFrame(rows)], ignore_index=True)
            with atomic_write(table) as temporary:
                frame.to_csv(temporary, index=False)
            print(pd.DataFrame(rows).to_string(), flush=True)
    figures.plot("guarantee", frame, out=options.into)


if __name__ == "__main__":
    main()

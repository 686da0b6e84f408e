"""Bibliographic records of the cited papers, by key.

Docstrings, tables and figures cite these records, so that a paper is cited in the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Reference:
    """Authors, year, title and venue of a paper.

    Examples
    --------
    >>> str(REFERENCES["mae"])
    'He et al. 2022, Masked Autoencoders Are Scalable Vision Learners (CVPR)'
    """

    authors: str
    year: int
    title: str
    venue: str

    def __str__(self) -> str:
        return f"{self.authors} {self.year}, {self.title} ({self.venue})"


REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "how-mask-matters": Reference(
            "Zhang, Wang and Wang",
            2022,
            "How Mask Matters: Towards Theoretical Understandings of Masked Autoencoders",
            "NeurIPS, arXiv 2210.08344",
        ),
        "mae": Reference("He et al.", 2022, "Masked Autoencoders Are Scalable Vision Learners", "CVPR"),
        "kong-2023": Reference(
            "Kong et al.",
            2023,
            "Understanding Masked Autoencoders via Hierarchical Latent Variable Models",
            "CVPR",
        ),
        "simmim": Reference("Xie et al.", 2022, "SimMIM: A Simple Framework for Masked Image Modeling", "CVPR"),
        "vit": Reference("Dosovitskiy et al.", 2021, "An Image Is Worth 16x16 Words", "ICLR"),
        "spectral-contrastive": Reference(
            "HaoChen et al.", 2021, "Provable Guarantees for Self-Supervised Deep Learning", "NeurIPS"
        ),
        "m-mae": Reference(
            "Zhang et al.", 2023, "Matrix Information Theory for Self-Supervised Learning", "arXiv 2309.17281"
        ),
        "alignment-uniformity": Reference(
            "Wang and Isola", 2020, "Understanding Contrastive Representation Learning on the Hypersphere", "ICML"
        ),
        "effective-rank": Reference("Roy and Vetterli", 2007, "The Effective Rank", "EUSIPCO"),
        "randomized-svd": Reference(
            "Halko, Martinsson and Tropp", 2011, "Finding Structure with Randomness", "SIAM Review"
        ),
        "cifar-10": Reference(
            "Krizhevsky", 2009, "Learning Multiple Layers of Features from Tiny Images", "University of Toronto"
        ),
        "digits": Reference("Alpaydin and Kaynak", 1998, "Optical Recognition of Handwritten Digits", "UCI"),
    }
)

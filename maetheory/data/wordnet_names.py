"""English names of classes whose folders are called by WordNet numbers, as ImageNet's are.

Only the twenty classes of Tiny-ImageNet that the experiment ``tin20`` uses are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WORDNET_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "n01443537": "goldfish",
        "n01882714": "koala",
        "n01910747": "jellyfish",
        "n02056570": "king penguin",
        "n02099601": "golden retriever",
        "n02123394": "Persian cat",
        "n02129165": "lion",
        "n02279972": "monarch",
        "n02504458": "African elephant",
        "n02814860": "beacon",
        "n02917067": "bullet train",
        "n04146614": "school bus",
        "n04285008": "sports car",
        "n04311004": "steel arch bridge",
        "n04398044": "teapot",
        "n07734744": "mushroom",
        "n07747607": "orange",
        "n07873807": "pizza",
        "n07920052": "espresso",
        "n09193705": "alp",
    }
)


def class_title(name: str) -> str:
    """Return the English name of a WordNet number, and any other class name as it is.

    Examples
    --------
    >>> class_title("n01443537"), class_title("cat")
    ('goldfish', 'cat')
    """
    return WORDNET_NAMES.get(name, name)

"""Published numbers of Zhang, Wang and Wang (2022), and of others that are laid beside ours, read from CSV files.

>>> paper_numbers("figure1c").columns.tolist()
['objective', 'effective_rank']
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

from maetheory.core import REFERENCES, InputError

if TYPE_CHECKING:
    import pandas as pd

PAPER = REFERENCES["how-mask-matters"]

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "table1": "Table 1, as printed",
        "table2": "Table 2, as printed",
        "figure1b": "Figure 1(b), digitised, ±0.05 in the natural logarithm",
        "figure1c": "Figure 1(c), printed above the bars",
        "mask_ratio": (
            "mask-ratio figure, panels (b) and (c), digitised; the panels do not agree: relative_distance (c) has its "
            "minimum at 0.7 and is not the quotient of the two distance columns (b), which stays at 0.892 to 0.895"
        ),
        "kong2023_mask_ratio": "Tables 1 to 3: MAE, ViT-Base, ImageNet-1K, by mask ratio",
        "kong2023_mask_patch": "Tables 1 to 3: MAE, ViT-Base, ImageNet-1K, ratio 0.75, by side of the masked patches",
    }
)
_KONG = "kong2023"


def paper_numbers(name: str) -> pd.DataFrame:
    """Return the numbers of one table or figure of the paper.

    Parameters
    ----------
    name : str
        A key of `SOURCES`: "table1", "table2" (accuracies in percent), "figure1b" (natural logarithms of singular
        values by index), "figure1c" (effective ranks), "mask_ratio" (distances in feature space), or of Kong et al.
        2023 "kong2023_mask_ratio" (linear probing accuracy and box AP on COCO in percent, shape bias as a share) and
        "kong2023_mask_patch" (linear probing accuracy in percent by side of the masked patches in pixels).

    Returns
    -------
    DataFrame
        ``attrs["paper"]`` cites the paper; ``attrs["source"]`` names the table or figure and how it was read.

    Raises
    ------
    InputError
        If there is no such table.

    Notes
    -----
    Zhang, Wang and Wang 2022, How Mask Matters (NeurIPS).

    Examples
    --------
    >>> paper_numbers("figure1c")
      objective  effective_rank
    0    random           31.95
    1       MAE            8.54
    2     U-MAE           91.22
    >>> paper_numbers("table1").attrs["source"]
    'Table 1, as printed'
    """
    import pandas as pd

    if name not in SOURCES:
        raise InputError(f"the paper's numbers are {', '.join(SOURCES)}, but {name!r} was asked for")
    with resources.files(__name__).joinpath(f"{name}.csv").open(encoding="utf-8") as lines:
        frame = pd.read_csv(lines)
    paper = REFERENCES["kong-2023"] if name.startswith(_KONG) else PAPER
    frame.attrs = {"paper": str(paper), "source": SOURCES[name]}
    return frame

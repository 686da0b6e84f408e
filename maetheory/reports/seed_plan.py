"""How many more seeds each claim about accuracy needs before its interval is as narrow as one percentage point."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from maetheory.core import InputError
from maetheory.reports.claims import (
    LOOKS,
    OBJECTIVE_PAIRS,
    ClaimVerdict,
    compare_objectives,
    looks_sentence,
    t_half_width,
)
from maetheory.reports.tables import TASK_METRICS

TARGET_HALF_WIDTH = 0.01
MIN_HALF_WIDTH = 1e-6  # of which the test images needed are still a finite number
MOST_SEEDS = 10_000
PLAN_COLUMNS = (
    "experiment",
    "claim",
    "readout",
    "seeds",
    "error",
    "image_error",
    "seeds_needed",
    "seeds_to_add",
    "images_to_train",
    "what_limits",
)


def seed_plan(ledger: pd.DataFrame, half_width: float = TARGET_HALF_WIDTH) -> pd.DataFrame:
    """Return how many seeds each claim about accuracy needs until its interval has a given half-width.

    The spread over seeds and the error over test images are those measured so far. The spread is itself an estimate:
    from three seeds it is often wrong by a factor of 1.7, so the plan is to be made again after each look.

    Parameters
    ----------
    ledger : DataFrame
        Published records of any number of experiments.
    half_width : float
        Half the width wanted, as a fraction of 1: 0.01 is one percentage point.

    Returns
    -------
    DataFrame
        experiment, claim, readout, seeds, error and image_error (half-widths now, in points), seeds_needed and
        seeds_to_add (NaN where no number of seeds suffices, or one seed shows no spread), images_to_train (training
        images times epochs of all models to add), what_limits (a phrase).
    """
    if not MIN_HALF_WIDTH <= half_width < 1:
        raise InputError(
            f"the half-width must lie between 0 and 100 points, and be at least {100 * MIN_HALF_WIDTH:g}, but it is "
            f"{100 * half_width:g}"
        )
    rows = []
    for _, records in ledger.groupby("experiment", sort=False) if len(ledger) else ():
        for baseline, improved in OBJECTIVE_PAIRS:
            for task, metric in TASK_METRICS.items():
                for readout in sorted(set(records[records.metric == metric].readout) & {"cls", "mean"}):
                    found = compare_objectives(records, baseline, improved, metric=metric, readout=readout)
                    if found.seeds:
                        rows.append(_plan_row(records, found, f"{task} accuracy", readout, half_width))
    return pd.DataFrame(rows, columns=list(PLAN_COLUMNS))


def seeds_needed(spread: float, image_error: float, half_width: float) -> float:
    """Return the smallest number of pairs of seeds whose interval is at most `half_width` wide on each side.

    Parameters
    ----------
    spread : float
        Standard deviation over seeds of the difference.
    image_error : float
        Half the width of the interval over test images, which more seeds do not make smaller.
    half_width : float

    Returns
    -------
    float
        At least the first of `LOOKS`; infinity if no number up to `MOST_SEEDS` suffices.

    Examples
    --------
    >>> seeds_needed(0.01, 0.0, 0.01)
    10
    >>> seeds_needed(0.01, 0.02, 0.01)
    inf
    """
    if not math.hypot(image_error, t_half_width(spread, MOST_SEEDS)) <= half_width:
        return math.inf
    low, high = LOOKS[0] - 1, MOST_SEEDS  # too wide or not looked at, and narrow enough
    while high - low > 1:
        middle = (low + high) // 2
        if math.hypot(image_error, t_half_width(spread, middle)) <= half_width:
            high = middle
        else:
            low = middle
    return high


def _plan_row(records: pd.DataFrame, found: ClaimVerdict, name: str, readout: str, half_width: float) -> dict[str, Any]:
    needed = seeds_needed(found.seed_spread, found.image_error, half_width) if found.seeds > 1 else math.nan
    to_add = max(0, needed - found.seeds) if math.isfinite(needed) else math.nan
    models = records[records.cell.isin([found.baseline, found.improved])].drop_duplicates(["cell", "seed"])
    images_a_model = float((models.train_images * models.epochs).mean())
    return {
        "experiment": records.experiment.iloc[0],
        "claim": f"{found.improved} over {found.baseline}, {name}",
        "readout": readout,
        "seeds": found.seeds,
        "error": 100 * found.error,
        "image_error": 100 * found.image_error,
        "seeds_needed": needed if math.isfinite(needed) else math.nan,
        "seeds_to_add": to_add,
        "images_to_train": 2 * to_add * images_a_model,
        "what_limits": _limiting_error_text(found, needed, int(records.test_images.iloc[0]), half_width),
    }


def _limiting_error_text(found: ClaimVerdict, needed: float, test_images: int, half_width: float) -> str:
    if found.seeds == 1:
        return "one seed shows no spread: run a second"
    if needed <= found.seeds:
        return "narrow enough"
    if math.isfinite(needed):
        return "seeds"
    if found.image_error < half_width:
        return f"seeds: more than {MOST_SEEDS}"
    images = math.ceil(test_images * (found.image_error / half_width) ** 2)
    paired = "" if found.paired_images else ", or predictions of each image in the ledger, which pair them"
    return f"test images: more than {images} instead of {test_images}{paired}"


def seed_plan_text(plan: pd.DataFrame, half_width: float = TARGET_HALF_WIDTH) -> str:
    """Return the result of `seed_plan` as lines of text: under each claim, what it has and what it needs."""
    lines = [f"What each claim needs for an interval of ± {100 * half_width:g} points. {looks_sentence()}"]
    for row in plan.itertuples():
        lines += ["", f"{row.experiment}: {row.claim}, {row.readout}", f"  now    {_evidence_text(row)}"]
        if row.what_limits == "seeds":
            lines.append(
                f"  needs  {row.seeds_needed:.0f} pairs of seeds: {row.seeds_to_add:.0f} more, "
                f"{row.images_to_train:.3g} images to train on"
            )
        else:
            lines.append(f"  needs  {row.what_limits}")
    return "\n".join(lines)


def _evidence_text(row: Any) -> str:
    pairs = "1 pair of seeds" if row.seeds == 1 else f"{row.seeds} pairs of seeds"
    return f"± {row.error:.2g} points from {pairs}, of which ± {row.image_error:.2g} from the test images"

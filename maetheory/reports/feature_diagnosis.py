"""Measure the collapse of features in files, beside or in place of checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maetheory.core import InputError, Progress, no_progress
from maetheory.evaluation import measure_collapse
from maetheory.evaluation.explanation.explain import NO_NETWORK_TO_EXPLAIN
from maetheory.evaluation.features.feature_files import is_feature_file, read_feature_file
from maetheory.reports.diagnosis import Diagnosis, diagnose, unique_names


def diagnose_files(
    paths: Sequence[Path],
    images: Any,
    *,
    array: str | None = None,
    prefix_tokens: int | None = None,
    readouts: Sequence[str] | None = None,
    layers: str | int = "last",
    final_norm: bool = True,
    seed: int = 0,
    progress: Progress = no_progress,
    **options: Any,
) -> list[Diagnosis]:
    """Measure the collapse of checkpoints and of files of features, in the order of the paths.

    Parameters
    ----------
    paths : sequence of path
        Which of them hold features is recognised by their content, see `is_feature_file`.
    array, prefix_tokens
        As for `read_feature_file`.
    images, readouts, layers, final_norm, seed, progress, **options
        As for `diagnose`. Of tokens in a file of features, the single readout is taken.

    Raises
    ------
    InputError
        If a file cannot be read or measured, or options do not apply to any or to all of the files.
    """
    of_features = [path for path in paths if is_feature_file(path, array)]
    if of_features and (layers != "last" or not final_norm):
        raise InputError(
            f"{of_features[0]} holds features without their network: layers and final norm cannot be chosen"
        )
    if of_features and options.get("explained_directions") is not None:
        raise InputError(f"{of_features[0]} holds features without their network: {NO_NETWORK_TO_EXPLAIN}")
    if not of_features and (array is not None or prefix_tokens is not None):
        raise InputError("--array and --prefix-tokens are for files of features, but these are checkpoints")
    if of_features and readouts and len(readouts) > 1:
        raise InputError(f"{of_features[0]} holds features: choose one readout for its tokens, not {len(readouts)}")
    readout = readouts[0] if of_features and readouts else None
    files = [read_feature_file(path, array, readout=readout, prefix_tokens=prefix_tokens) for path in of_features]
    names = dict(zip(paths, unique_names(paths), strict=True))
    found: dict[Path, Diagnosis] = {}
    checkpoints = [path for path in paths if path not in of_features]
    if checkpoints:
        measured = diagnose(
            checkpoints,
            images,
            readouts=readouts,
            layers=layers,
            final_norm=final_norm,
            seed=seed,
            progress=progress,
            **options,
        )
        found = {path: replace(one, name=names[path]) for path, one in zip(checkpoints, measured, strict=True)}
    for path, file in zip(of_features, files, strict=True):
        measurements = measure_collapse(file.features, full=True, conventions="all", seed=seed, progress=progress)
        found[path] = Diagnosis(names[path], file, measurements, path.name, seed)
    return [found[path] for path in paths]

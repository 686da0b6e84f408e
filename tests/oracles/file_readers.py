"""Readers of every kind of file that this package opens, each of which checks that an accepted value is a possible one.

A reader takes the path of one file and a folder to work in. It returns "read", or raises `InputError`; everything else
is a fault of the package.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

STEPS = 12


def small_recipe() -> object:
    """Return the recipe of the run that is damaged: 12 steps of a small model on 64 digits."""
    from maetheory.models import PRESETS
    from maetheory.training import TrainConfig

    model = replace(PRESETS["digits"], encoder=replace(PRESETS["digits"].encoder, width=16, depth=1), decoder_width=16)
    return TrainConfig(model, epochs=3, batch=16, warmup_epochs=1, log_every=1, save_seconds=0.0)


def write_small_run(folder: Path) -> None:
    """Train for 12 steps; the checkpoints of the last two steps stay."""
    from maetheory.data import load_images
    from maetheory.training import train

    train(small_recipe(), load_images("digits", limit=64), out=folder)  # type: ignore[arg-type]  # torch stays unimported


def inspect(path: Path, work: Path) -> None:
    """Inspect a checkpoint as the command line does, and print the report."""
    from maetheory.checkpoints import inspect_checkpoint

    report = str(inspect_checkpoint(path, heads=4))
    assert all(line.isprintable() for line in report.split("\n")), "a report with control characters"


def _damaged_run(path: Path, work: Path, name: str) -> Path:
    """Return a copy of the run in `work`, in which one file of its newest checkpoint, or its log, is `path`."""
    run = work / "damaged"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(work / "run", run)
    target = run / name if name.endswith("jsonl") else run / f"step-{STEPS:08d}" / name
    shutil.copyfile(path, target)
    return run


def resume(path: Path, work: Path, name: str) -> None:
    """Choose the checkpoint to resume from in a run of which one file is damaged, and load its model."""
    import torch

    from maetheory.training import load_run
    from maetheory.training.checkpointing import build_model
    from maetheory.training.masked_modelling import MaskedModellingTask
    from maetheory.training.resume import checkpoint_to_resume

    run, recipe = _damaged_run(path, work, name), small_recipe()
    model = build_model(recipe)  # type: ignore[arg-type]  # torch stays unimported
    task = MaskedModellingTask(recipe)  # type: ignore[arg-type]  # as above
    found = checkpoint_to_resume(run, True, task, 64, "32-true", model, STEPS)
    assert found is not None
    assert found.step == STEPS, "a step that the folder does not name"
    for tensor in (*found.weights.values(), *found.optimizer.values()):
        assert torch.isfinite(tensor).all(), "a value that is not finite"
    assert set(found.weights) == set(model.state_dict()), "weights of another model"
    _, config, step = load_run(run)
    free = {"log_every": recipe.log_every, "save_seconds": recipe.save_seconds}  # type: ignore[attr-defined]  # as above
    assert (replace(config, **free), step) == (recipe, STEPS)


def log(path: Path, work: Path) -> None:
    """Open a damaged log to resume a run, and read it again."""
    from maetheory.training.logbook import Logbook, read_log

    run = work / "log"
    run.mkdir(exist_ok=True)
    shutil.copyfile(path, run / "metrics.jsonl")
    Logbook(run, step=STEPS).close()
    for record in read_log(run / "metrics.jsonl"):
        assert type(record["step"]) is int
        assert 1 <= record["step"] <= STEPS
        assert type(record["loss"]) in (int, float)


def ledger(path: Path, work: Path) -> None:
    """Read, extend and publish a damaged ledger, and write the tables that follow from it."""
    from maetheory.reports import (
        append_records,
        claim_verdicts,
        markdown_block,
        own_results_table,
        publish_ledger,
        read_ledger,
        read_published_ledgers,
        seed_plan,
    )
    from maetheory.reports.ledger import KEY_COLUMNS

    copy = work / "copy" / "ledger.jsonl"
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, copy)
    before = len(read_ledger(copy))
    append_records(copy, [{"experiment": "x", "seed": 0, "value": 1.0}])
    table = read_ledger(copy)
    assert len(table) <= before + 1
    assert not table.duplicated(subset=[name for name in KEY_COLUMNS if name in table]).any(), "a record twice"
    published = work / "published"
    shutil.rmtree(published, ignore_errors=True)
    shutil.copyfile(path, copy)
    publish_ledger(copy, published)
    whole = read_published_ledgers(published)
    block = markdown_block(whole)
    assert all(line.isprintable() for line in block.split("\n")), "a block with control characters"
    for frame in (own_results_table(whole), claim_verdicts(whole), seed_plan(whole, 0.01)):
        json.loads(frame.to_json(orient="records"))
    outside = [one for one in published.rglob("*") if published.resolve() not in one.resolve().parents]
    assert not outside, outside


def lock(path: Path, work: Path) -> None:
    """Hold a folder whose lock file is damaged."""
    from maetheory.core.folder_lock import LOCK_FILE, lock_folder

    folder = work / "locked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(path, folder / LOCK_FILE)
    with lock_folder(folder):
        pass
    assert not list(folder.iterdir())


def hugging_face(path: Path, work: Path, name: str) -> None:
    """Inspect a model folder of Hugging Face of which config.json or preprocessor_config.json is damaged."""
    folder = work / "damaged_hf"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(work / "hugging_face", folder)
    shutil.copyfile(path, folder / name)
    inspect(folder, work)


def images(path: Path, work: Path) -> None:
    """Read a file of images, or a folder in which it is the only class's only file."""
    from maetheory.data import load_images

    found = load_images(path)
    assert found.images.ndim == 4
    assert len(found.labels) == len(found.images)
    assert found.labels.min() >= 0
    assert found.n_classes < 10**7
    if found.images.dtype.kind == "f":
        assert 0 <= found.images.min() <= found.images.max() <= 1


def image_folder(path: Path, work: Path) -> None:
    """Decode one image file in a class folder."""
    folder = work / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "train" / "a").mkdir(parents=True)
    shutil.copyfile(path, folder / "train" / "a" / "1.png")
    images(folder, work)


def idx(path: Path, work: Path) -> None:
    """Read an IDX file of images with as many labels as it announces, as far as that is little."""
    folder = work / "idx"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(path, folder / "train-images-idx3-ubyte")
    labels = bytes([0, 0, 8, 1]) + (6).to_bytes(4, "big") + bytes(range(6))
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    images(folder, work)


def cifar_pickle(path: Path, work: Path) -> None:
    """Read a pickled dictionary of arrays, as CIFAR's Python files are."""
    from maetheory.data.plain_pickles import read_plain_pickle

    for key, value in read_plain_pickle(path).items():
        assert isinstance(key, str)
        assert not isinstance(value, np.ndarray) or value.dtype.kind in "iu"


def mask_law_scores(path: Path, work: Path) -> None:
    """Read a stored table of scores."""
    from maetheory.experiments.studies.mask_law_scores import read_scores

    table = read_scores(path)
    assert all(math.isfinite(value) or math.isnan(value) for value in table.value)


def document(path: Path, work: Path) -> None:
    """Replace the marked block of a damaged README."""
    from maetheory.reports import replace_marked_block

    copy = work / "README.md"
    shutil.copyfile(path, copy)
    replace_marked_block(copy, "new")
    assert "new" in copy.read_text(encoding="utf-8")


Reader = Callable[[Path, Path], None]
READERS: MappingProxyType[str, Reader] = MappingProxyType(
    {
        "checkpoint": inspect,
        **{
            name: lambda path, work, name=name: resume(path, work, name)
            for name in ("state.json", "config.json", "weights.safetensors", "optimizer.safetensors")
        },
        "metrics.jsonl": log,
        "ledger.jsonl": ledger,
        "lock": lock,
        "hf config.json": lambda path, work: hugging_face(path, work, "config.json"),
        "hf preprocessor_config.json": lambda path, work: hugging_face(path, work, "preprocessor_config.json"),
        "arrays": images,
        "png": image_folder,
        "idx": idx,
        "cifar pickle": cifar_pickle,
        "scores.csv": mask_law_scores,
        "README.md": document,
    }
)


def answer_of(reader: str, path: Path, work: Path) -> str:
    """Return "read", "refused: sentence", or "raised: what should not have been"."""
    import warnings

    from maetheory.core import InputError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            READERS[reader](path, work)
        return "read"
    except InputError as error:
        return f"refused: {error}" if str(error).isprintable() and str(error) else "raised: no plain sentence"
    except BaseException as error:
        import traceback

        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"raised: {type(error).__name__} {str(error)[:200]!r} in {Path(frame.filename).name}:{frame.lineno}"

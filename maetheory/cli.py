"""The command line: parse, call, print."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory import __version__
from maetheory.core import Estimate, InputError, Progress

UsageError: Any = typer.BadParameter.__mro__[1]  # click's, wherever this typer keeps its click
DONE, VIOLATED, BAD_INPUT, OUR_FAULT, INTERRUPTED = 0, 1, 2, 70, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A theory-verification toolkit for masked autoencoders.",
)
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List data sets, or fetch one.")
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
Data = Annotated[str | None, typer.Option("--data", help="digits, cifar10, or a folder of images.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="The one seed everything random comes from.")]
Heads = Annotated[int | None, typer.Option("--heads", min=1, help="Attention heads, where the file is silent.")]
DialectName = Annotated[str | None, typer.Option("--dialect", help="The code base that wrote the file.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Which of the file's weights, by their path in it.")]
ImageSize = Annotated[int | None, typer.Option("--image-size", min=1, help="Side of images; positions are resized.")]


class Stopped(Exception):
    """Ctrl-C with a sentence that says how to go on; typer would swallow the sentence of a KeyboardInterrupt."""


def main() -> None:
    """Run the command line; exit 0 done, 1 VIOLATED, 2 bad input, 70 our own fault, 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = app(words, standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except (InputError, UsageError) as error:
        return _complain(error.format_message() if isinstance(error, UsageError) else str(error), BAD_INPUT)
    except OSError as error:
        return _complain(f"{error.filename or 'a file'} cannot be used: {error.strerror or error}", BAD_INPUT)
    except Stopped as error:
        return _complain(f"{error} with: {_again(words)}" if str(error) else "interrupted", INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except Exception as error:
        import traceback

        traceback.print_exc()
        return _complain(f"this is our fault, please report it: {type(error).__name__}: {error}", OUR_FAULT)


def _again(words: list[str]) -> str:
    """Return the command that goes on where this one was stopped; `reproduce` always does."""
    missing = ["--resume"] if words[0] == "train" and "--resume" not in words else []
    return shlex.join(["maetheory", *words, *missing])


def _complain(sentence: str, code: int) -> int:
    print(f"maetheory: {sentence}", file=sys.stderr)
    return code


def _show(document: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Print the document as JSON, or its text."""
    print(json.dumps(document, indent=1, default=float) if as_json else text())


def _terminal() -> dict[str, Any]:
    from rich.console import Console

    console = Console()
    return {"colour": console.is_terminal and not console.no_color, "width": console.width}


@contextmanager
def _watched() -> Iterator[Progress]:
    """Show progress while something long runs, and let its Ctrl-C say how to go on.

    A bar with time left on a terminal, a line every ten seconds elsewhere; always on standard error.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
              TimeRemainingColumn(), console=console, transient=True,
              redirect_stdout=False, redirect_stderr=False)  # fmt: skip
    try:
        if console.is_terminal:
            with bar:  # stopped also on an error: it hides the cursor
                task = bar.add_task("", total=None)
                yield lambda done, total, message: bar.update(task, completed=done, total=total, description=message)
        else:
            yield _plain_progress()
    except KeyboardInterrupt as error:
        raise Stopped(str(error)) from error


def _plain_progress() -> Progress:
    began, first, job = time.monotonic(), 0, 0
    last = began

    def report(done: int, total: int, message: str) -> None:
        nonlocal began, first, last, job
        now = time.monotonic()
        if total != job or done < first:
            began, first, job = now, done, total
        if now - last > 10:
            last = now
            left = ""
            if done > first:
                left = f", {timedelta(seconds=round((now - began) / (done - first) * (total - done)))} left"
            print(f"{message} ({done}/{total}{left})", file=sys.stderr, flush=True)

    return report


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)


@app.command()
def reproduce(
    preset: Annotated[str, typer.Option(help="Name of an experiment: digits, cifar10-small.")] = "digits",
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Where runs, ledger and report go; runs/PRESET by default.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Where figures go; OUT/figures by default.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Train so many epochs instead.")] = None,
    seed: Seed = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; one per core, or one on a GPU, by default.")
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile models before training.")] = False,
    as_json: Json = False,
) -> None:
    """Train random, MAE and U-MAE, measure, draw, and write a report page; goes on where it was stopped."""
    from maetheory.experiments import experiment
    from maetheory.experiments import reproduce as run_experiment

    chosen = experiment(preset)
    if epochs is not None:
        chosen = replace(chosen, recipe=replace(chosen.recipe, epochs=epochs, warmup_epochs=min(epochs / 10, 10)))
    if seed is not None:
        chosen = replace(chosen, seeds=(seed,))
    folder = out or Path("runs") / preset
    with _watched() as progress:
        done = run_experiment(chosen, out=folder, root=data, figures_to=figures, progress=progress, compiled=compiled,
                              workers=workers)  # fmt: skip
    document = {"reading": done.reading, "page": str(done.page), "figures": [str(path) for path in done.figures],
                "ledger": json.loads(done.ledger.to_json(orient="records"))}  # fmt: skip
    _show(document, as_json, lambda: f"{done.reading}\nreport: {done.page}")


@app.command()
def train(
    preset: Annotated[str, typer.Option(help="Architecture: digits, cifar10-small, cifar10, …")] = "digits",
    data: Data = "digits",
    patch: Annotated[int | None, typer.Option(help="Side of a patch in pixels; the architecture's by default.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/train"),
    objective: Annotated[str, typer.Option(help="mae or simmim.")] = "mae",
    uniformity_weight: Annotated[float, typer.Option(help="λ of U-MAE; 0 trains the plain objective.")] = 0.0,
    mask_ratio: Annotated[float, typer.Option(help="Share of hidden patches.")] = 0.75,
    mask_law: Annotated[str, typer.Option(help="uniform, bernoulli or block.")] = "uniform",
    epochs: Annotated[int, typer.Option()] = 100,
    batch: Annotated[int, typer.Option(help="Global batch.")] = 256,
    base_lr: Annotated[float, typer.Option(help="Peak learning rate per 256 images.")] = 1.5e-4,
    warmup_epochs: Annotated[float, typer.Option()] = 10.0,
    limit: Annotated[int | None, typer.Option(help="Train on so many images.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Decode a folder of images while training, "
            "through random windows, or hold central views in memory; by default streamed past 2 GiB.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in OUT.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the model first.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log to TensorBoard.")] = False,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    devices: Annotated[int | None, typer.Option(help="Processes per node; 1, or what torchrun was told.")] = None,
    nodes: Annotated[int | None, typer.Option(help="Nodes; 1, or what torchrun was told.")] = None,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed, …")] = "32-true",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train one model, on one device or on many.

    On many, start the same command with torchrun, for instance on two: torchrun --nproc_per_node=2 -m maetheory train;
    --batch is shared among the processes, and the result does not depend on how many there are.
    """
    from maetheory.data import load_or_stream
    from maetheory.models import preset as architecture
    from maetheory.training import TrainConfig, fabric_of
    from maetheory.training import train as run_training

    model = architecture(preset)
    if patch is not None:
        model = replace(model, encoder=replace(model.encoder, patch=patch))
    config = TrainConfig(
        model, objective=objective, uniformity_weight=uniformity_weight, mask_ratio=mask_ratio,  # type: ignore[arg-type]
        mask_law=mask_law, epochs=epochs, batch=batch, base_lr=base_lr, warmup_epochs=warmup_epochs, seed=seed or 0,  # type: ignore[arg-type]
    )  # fmt: skip
    fabric = fabric_of(accelerator, devices, nodes, precision)
    with _watched() as progress:
        images = load_or_stream(data or "digits", config.model.encoder.image_size, limit=limit, stream=stream,
                                progress=progress)  # fmt: skip
        done = run_training(config, images, out=out, resume=resume, fabric=fabric, compiled=compiled,
                            tensorboard=tensorboard, progress=progress)  # fmt: skip
    if not fabric.is_global_zero:
        return
    document = {"checkpoint": str(done.checkpoint), "loss": done.loss, "steps": done.steps,
                "skipped": len(done.skipped)}  # fmt: skip
    _show(document, as_json, lambda: f"loss {done.loss:.4f} after {done.steps} steps; checkpoint {done.checkpoint}")


@app.command()
def inspect(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file, or a folder of a run or of Hugging Face.")],
    heads: Heads = None,
    dialect: DialectName = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    as_json: Json = False,
) -> None:
    """Say what a checkpoint holds, what was guessed and from what, and what is left over; no code of it runs."""
    from maetheory.checkpoints import inspect_checkpoint

    report = inspect_checkpoint(checkpoint, heads=heads, dialect=dialect, weights=weights, image_size=image_size)
    _show(report.to_dict(), as_json, lambda: str(report))


@app.command()
def probe(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file, or a folder of a run or of Hugging Face.")],
    data: Data = "digits",
    readout: Annotated[str, typer.Option(help="cls or mean.")] = "cls",
    mode: Annotated[str, typer.Option(help="linear or knn.")] = "linear",
    limit: Annotated[int | None, typer.Option(help="Use so many images of each split.")] = None,
    heads: Heads = None,
    dialect: DialectName = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    as_json: Json = False,
) -> None:
    """Read frozen features with a linear classifier or nearest neighbours."""
    from maetheory.checkpoints import load_checkpoint
    from maetheory.data import load_images
    from maetheory.evaluation import encode, knn_probe, linear_probe

    probes: dict[str, Callable[..., Any]] = {"linear": linear_probe, "knn": knn_probe}
    if mode not in probes:
        raise InputError(f"the mode must be 'linear' or 'knn', but it is {mode!r}")
    encoder, report = load_checkpoint(checkpoint, heads=heads, dialect=dialect, weights=weights, image_size=image_size)
    splits = [load_images(data or "digits", split=split, limit=limit) for split in ("train", "test")]
    z, z_test = (encode(encoder, images, readout=readout) for images in splits)  # type: ignore[arg-type]
    result = probes[mode](z, splits[0].labels, z_test, splits[1].labels)
    document = {"accuracy": result.accuracy.value, "error": result.accuracy.error, "recipe": result.recipe,
                "readout": readout, "step": report.trained.get("step"), "n_test": len(splits[1]),
                "checkpoint": report.path, "sha256": report.sha256, "notes": report.notes}  # fmt: skip
    percent = Estimate(100 * result.accuracy.value, 100 * result.accuracy.error)
    _show(document, as_json, lambda: f"accuracy {percent} % ({readout}; {result.recipe}; {len(splits[1])} test images)")


@app.command()
def collapse(
    checkpoints: Annotated[list[Path], typer.Argument(help="Checkpoint files, or folders of runs or Hugging Face.")],
    data: Data = "digits",
    readout: Annotated[list[str] | None, typer.Option(help="cls, mean or tokens; may be repeated.")] = None,
    layer: Annotated[str, typer.Option(help="last, all, or a number from 0, the embedding.")] = "last",
    final_norm: Annotated[bool, typer.Option(help="Whether the final norm is applied.")] = True,
    limit: Annotated[int | None, typer.Option(help="Use so many test images.")] = None,
    heads: Heads = None,
    dialect: DialectName = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Also leave records, a table, figures and a page there.")] = None,
    as_json: Json = False,
) -> None:
    """Say how far features have collapsed, with error bars, beside an untrained twin, shuffled columns and noise."""
    from maetheory.data import load_images
    from maetheory.reports.collapse import collapse_document, collapse_text
    from maetheory.reports.collapse_folder import write_collapse
    from maetheory.reports.diagnosis import diagnose

    loading = {"heads": heads, "dialect": dialect, "weights": weights, "image_size": image_size}
    with _watched() as progress:
        images = load_images(data or "digits", split="test", limit=limit, progress=progress)
        found = diagnose(checkpoints, images, readouts=readout, layers=layer, final_norm=final_norm, seed=seed or 0,
                         progress=progress, **loading)  # fmt: skip
        if out is not None:
            write_collapse(out, found)
    _show(collapse_document(found), as_json, lambda: collapse_text(found, **_terminal()))


@app.command()
def check(
    slugs: Annotated[list[str] | None, typer.Argument(help="Theorems by slug; all by default.")] = None,
    worlds: Annotated[int, typer.Option(help="Worlds to draw at random per theorem.")] = 40,
    searching: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Also walk downhill in slack from drawn worlds, and say "
            "how to replay the lowest: theory.replay with its seed and number.",
        ),
    ] = False,
    certifying: Annotated[
        bool, typer.Option("--certify", help="Also prove the verdicts of worlds of few nodes, in ball arithmetic.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also write every check, with provenance, to OUT/checks.jsonl.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check theorems on finite worlds; exit 1 if one is VIOLATED.

    The worlds are small image laws under masks, the theorem's tight and broken examples, and worlds drawn at random.
    Slack is relative to the size of the terms; tightness is 1 - |slack| / larger side, the smaller side over the
    larger, 1 at equality.
    """
    from maetheory.reports import append
    from maetheory.reports.checks import check_records, checks_document, checks_text
    from maetheory.theory import THEOREMS, search
    from maetheory.theory.certificates import certificates
    from maetheory.theory.survey import chosen, survey

    theorems = chosen(THEOREMS, slugs or ())
    with _watched() as progress:
        how: Any = {"worlds": worlds, "seed": seed or 0, "progress": progress}
        rows = survey(theorems, **how)
        proved = certificates(theorems, **how) if certifying else ()
        found = [search(theorem, **how) for theorem in theorems if searching]
    if out is not None:
        append(out / "checks.jsonl", check_records(rows, seed=seed or 0))
    document = checks_document(rows, found, proved)
    _show(document, as_json, lambda: checks_text(rows, found, proved, **_terminal()))
    return VIOLATED if document["violated"] else DONE


@app.command()
def figure(
    names: Annotated[list[str] | None, typer.Argument(help="Figures of the theory by name; all by default.")] = None,
    out: Annotated[Path, typer.Option(help="Where each leaves an SVG, a PNG and its numbers.")] = Path("figures"),
    as_json: Json = False,
) -> None:
    """Draw the figures of the theory."""
    from maetheory.figures.gallery import draw_gallery

    with _watched() as progress:
        written = [str(path) for path in draw_gallery(names or (), out, progress=progress)]
    _show({"figures": written}, as_json, lambda: "\n".join(written))


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets known by name."""
    from maetheory.data import DATASETS

    document = {name: asdict(what) for name, what in DATASETS.items()}
    _show(document, as_json, lambda: "\n".join(f"{name}\t{what.description}" for name, what in DATASETS.items()))


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="A data set that `data list` names.")],
    out: Annotated[Path | None, typer.Option(help="Where to put it; the user's cache by default.")] = None,
    as_json: Json = False,
) -> None:
    """Download a data set, checked against its hash; never leaves half of it."""
    from maetheory.data import fetch

    with _watched() as progress:
        where = fetch(name, out, progress=progress)
    _show({"path": str(where)}, as_json, lambda: str(where))

"""Every command prints one result or one sentence, and returns the documented exit code."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
import typer
from safetensors import SafetensorError

from maetheory.cli import app, main, run_command
from maetheory.theory import THEOREMS

TINY = ["--epochs", "1", "--batch", "64", "--limit", "128", "--warmup-epochs", "0"]


def test_train_probe_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert run_command(["train", "--out", out, "--json", *TINY]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    assert run_command(["probe", out, "--json", "--limit", "100"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert 0 <= document["accuracy"] <= 1
    assert document["n_test"] == 100
    assert run_command(["probe", out, "--mode", "knn", "--readout", "mean", "--limit", "100"]) == 0
    assert "nearest neighbours" in capsys.readouterr().out


def test_data_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["data", "list", "--json"]) == 0
    assert {"digits", "cifar10"} <= set(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["reproduce", "--preset", "nope"], "there is no preset 'nope'; the presets are: digits"),
        (["train", "--preset", "nope"], "there is no architecture 'nope'; the architectures are: digits"),
        (["train", "--mask-ratio", "0", *TINY], "between 0 and 1"),
        (["train", "--mask-ratio", "1", *TINY], "between 0 and 1"),
        (["train", "--mask-ratio", "0.99", *TINY], "nothing visible"),
        (["train", "--data", "/nowhere", *TINY], "/nowhere"),
        (["train", "--preset", "cifar10-small", *TINY], "takes images of shape"),
        (["train", "--out", "{file}/below", *TINY], "cannot be written"),
        (["probe", "{empty}"], "holds no checkpoint"),
        (["train", "--data", "{empty}", *TINY], "holds neither"),
        (["reproduce", "--preset", "cifar10-small", "--data", "{empty}", "--out", "{empty}/r"], "{empty}"),
        (["reproduce", "--out", "{file}/below"], "cannot be written"),
        (["reproduce", "--workers", "0"], "--workers"),
        (["reproduce", "--data", "{empty}"], "images built in"),
        (["train", "--patch", "3", *TINY], "must divide the image size, but 3 does not divide 8"),
        (["train", "--patch", "0", *TINY], "must divide the image size"),
        (["train", "--base-lr", "-1", *TINY], "base_lr must be positive"),
        (["train", "--seed", "-1", *TINY], "--seed"),
        (["train", "--accelerator", "abacus", *TINY], "this machine cannot train so"),
        (["train", "--precision", "7-true", *TINY], "this machine cannot train so"),
        (["reproduce", "--precision", "7-true", "--out", "{empty}/r"], "this machine cannot train so"),
        (["collapse", "mae.pth", "--device", "abacus"], "the device 'abacus' cannot be used"),
        (["collapse", "mae.pth", "--device", "meta"], "the device 'meta' cannot be used"),
        (["graph", "--out", "{file}/below"], "because {file} is a file; name another"),
        (["check", "--out", "{file}"], "because {file} is a file"),
        (["figure", "--out", "{file}"], "because {file} is a file"),
        (["mask-ratio", "--out", "{file}"], "because {file} is a file"),
        (["mask-ratio", "--readout", "mean"], "--readout is of a checkpoint's features"),
        (["collapse", "mae.pth", "--out", "{file}"], "because {file} is a file"),
        (["probe", "mae.pth", "--out", "{file}"], "because {file} is a file"),
        (["probe", "mae.pth", "--readout", "tokens"], "a probe reads 'cls' or 'mean'"),
        (["graph", "--seed", "4294967296"], "--seed"),
        (["table"], "figures holds no EXPERIMENT/ledger.jsonl"),
        (["table", "--published", "{empty}", "--into", "{file}"], "{empty} holds no EXPERIMENT/ledger.jsonl"),
        (["nonsense"], "No such command"),
        (["train", "--epochs", "many"], "valid integer"),
        (["data", "fetch", "imagenet"], "imagenet"),
    ],
)
def test_bad_input_is_one_sentence_and_2(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    names = {"file": str(tmp_path / "file"), "empty": str(tmp_path / "empty")}
    assert run_command([word.format(**names) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence.format(**names) in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]
    assert not list((tmp_path / "empty").iterdir())


def test_missing_and_truncated_cifar_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["reproduce", "--preset", "cifar10-small", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(3073))
    assert run_command(command) == 2
    sentence = capsys.readouterr().err
    assert "data_batch_1.bin is truncated: it has 3073 bytes" in sentence
    assert sentence.count("\n") == 1
    with (tmp_path / "data_batch_1.bin").open("wb") as whole:
        whole.truncate(10_000 * 3073)
    assert run_command(command) == 2
    assert "data_batch_2.bin, which is missing" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_nan_loss_is_one_sentence_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert run_command(["train", *TINY, "--uniformity-weight", "nan", "--out", str(out)]) == 2
    assert run_command(["train", *TINY, "--base-lr", "1e30", "--epochs", "3", "--out", str(out)]) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert "not finite" in sentence or "the loss is" in sentence
    assert "no checkpoint before it" in sentence
    assert not list(out.glob("step-*"))


def test_resume_wants_the_same_recipe_and_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--out", str(tmp_path / "run"), "--json", *TINY]
    assert run_command(command) == 0
    loss = json.loads(capsys.readouterr().out)["loss"]
    assert run_command([*command, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out)["loss"] == loss
    assert run_command(command) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert run_command([*command, "--resume", "--mask-ratio", "0.5"]) == 2
    assert "another configuration (mask_ratio differ)" in capsys.readouterr().err
    assert run_command([*command, "--resume", "--limit", "64"]) == 2
    captured = capsys.readouterr()
    assert "made with 128 images, not 64" in captured.err
    assert captured.out == ""


def test_an_internal_error_is_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("cannot happen")

    monkeypatch.setattr("maetheory.data.DATASETS", property(broken))
    assert run_command(["data", "list"]) == 70
    assert "our fault" in capsys.readouterr().err


def test_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt("stopped after step 5 of 12; resume to go on")

    monkeypatch.setattr("maetheory.training.train", stopped)
    assert run_command(["train", *TINY]) == 130
    again = f"maetheory train {' '.join(TINY)} --resume"
    assert capsys.readouterr().err.strip() == f"maetheory: stopped after step 5 of 12; resume to go on with: {again}"


def test_an_interrupt_always_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maetheory.reports.replace_marked_block", stopped)
    monkeypatch.setattr("maetheory.reports.markdown_block", stopped)
    assert run_command(["table", "--published", str(Path(__file__).parents[2] / "figures")]) == 130
    assert capsys.readouterr().err == "maetheory: interrupted\n"


@pytest.mark.parametrize("command", [["train", *TINY], ["reproduce", "--epochs", "1", "--workers", "1"]])
def test_full_disk_is_one_sentence_and_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("maetheory.checkpoints.reading.safetensors_files.save_file", full)
    assert run_command([*command, "--out", str(tmp_path / "run")]) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert "No space left on device" in sentence
    assert not [path for path in tmp_path.rglob("*") if "step-" in path.name or "part" in path.name]


def test_a_command_leaves_no_process_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its threads, left running at the exit of the interpreter, abort it now and then."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    monkeypatch.setattr("sys.argv", ["maetheory", "--version"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert not dist.is_initialized()
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 7.28 TiB for an array"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000000 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    ],
)
def test_memory_that_does_not_suffice_is_one_sentence_and_2(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("maetheory.reports.read_published_ledgers", exhausted)
    assert run_command(["table"]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("maetheory: memory does not suffice: ")
    assert captured.endswith("; ask for less\n")
    assert captured.count("\n") == 1


@pytest.mark.parametrize("command", [["train", *TINY], ["figure", "alignment-bounds"]])
def test_the_name_of_a_folder_forges_no_line(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(names: object, out: Path, **_: object) -> list[Path]:
        return [out / "figure.svg"]

    monkeypatch.setattr("maetheory.figures.theory_figures.draw_theory_figures", drawn)
    out = tmp_path / "run\nloss 0.0000 \x1b[32m"
    assert run_command([*command, "--out", str(out)]) == 0
    captured = capsys.readouterr().out
    assert captured.count("\n") == 1
    assert captured.strip("\n").isprintable()
    assert r"run\nloss 0.0000 \x1b[32m" in captured


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Any:
        def stop(*_: object, **__: object) -> None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        return stop

    monkeypatch.setattr("maetheory.reports.read_published_ledgers", missing("torch"))
    assert run_command(["table"]) == 2
    assert capsys.readouterr().err == "maetheory: this command needs torch, which is not installed\n"
    monkeypatch.setattr("maetheory.reports.read_published_ledgers", missing("maetheory.reports.lost"))
    assert run_command(["table"]) == 70  # a module of ours: our fault
    assert "this is our fault" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (MemoryError(), 2, "memory does not suffice: no more is given; ask for less"),
        (RuntimeError("CUDA out of memory."), 2, "memory does not suffice: CUDA out of memory.; ask for less"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), 2, "memory does not suffice: lib"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 2, "memory does not suffice: [Errno 12]"),
        (ImportError("/x/libtorch.so: Too many open files"), 2, "too many files are open (/x/libtorch.so: Too many"),
        (OSError(errno.EMFILE, "Too many open files", "x.pt"), 2, "x.pt cannot be used: Too many open files"),
        (RuntimeError("can't start new thread"), 2, "no more processes or threads may be started (can't start"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), 2, "no more processes or threads may be"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "a file cannot be used: No space left on device"),
        (ImportError("cannot import name 'x' from 'y'"), 70, "this is our fault"),
        (RuntimeError("shapes cannot be multiplied"), 70, "this is our fault"),
    ],
)
def test_a_limit_of_the_machine_is_one_sentence_and_another_error_is_ours(
    error: Exception, code: int, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("maetheory.cli.data.print_result", stop)
    assert run_command(["data", "list"]) == code
    written = capsys.readouterr().err
    assert written.splitlines()[-1].startswith(f"maetheory: {sentence}")
    assert (written.count("\n") == 1) == (code == 2)


@pytest.mark.parametrize("words", [["figure"], ["mask-ratio", "--limit", "60", "--mask-ratio", "0.5"]])
def test_nothing_is_written_that_was_not_asked_for(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == []
    assert not list(tmp_path.iterdir())


def test_figures_by_name_need_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["figure"]) == 0
    assert "mask_graph\n" in capsys.readouterr().out
    assert run_command(["figure", "mask_graph"]) == 2
    assert "say which with --out" in capsys.readouterr().err
    assert run_command(["figure", "nope"]) == 2
    assert "there is no figure 'nope'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (["check", "Theorem 41"], "did you mean theorem 4.1 (umae-bounds-downstream-error)"),
        (["check", "recon bounds"], "did you mean reconstruction-bounds-"),
        (["referee", "alignment-splits"], "did you mean alignment-split"),
        (["figure", "mask_grpah"], "did you mean mask_graph"),
        (["reproduce", "--preset", "digit"], "did you mean digits"),
        (["train", "--preset", "cifar10_smal"], "did you mean cifar10-small"),
        (["collapse", "none.pt", "--fail-if", "efective_rank<3"], "did you mean effective_rank"),
        (["data", "fetch", "CIFAR-10"], "did you mean cifar10?"),
        (["train", "--data", "digit"], "did you mean digits?"),
        (["chek"], "did you mean"),
    ],
)
def test_an_unknown_name_is_answered_by_the_closest_ones(
    words: list[str], question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(words) == 2
    sentence = capsys.readouterr().err
    assert question.lower() in sentence.lower()
    assert sentence.count(",") < 12  # it does not list everything


def test_theorems_are_listed_without_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", "--list"]) == 0
    listed = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == list(THEOREMS)
    assert run_command(["check", "--list", "3.4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"numbers": {"reconstruction-bounds-alignment": "3.4"}}


OPTIONS = [
    ("train", "--batch-size", "--batch"),
    ("train", "--device", "--accelerator"),
    ("train", "--mask-law", "--law"),
    ("probe", "--batch-size", "--batch"),
    ("reproduce", "--num-workers", "--workers"),
    ("graph", "--mask-law", "--law"),
    ("mask-ratio", "--mask-ratio", "--ratio"),
]


@pytest.mark.parametrize(("command", "name", "old"), OPTIONS)
def test_options_have_the_names_of_the_ecosystem_and_their_old_ones(command: str, name: str, old: str) -> None:
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]  # it is a group
    (found,) = [one for one in parameters if name in one.opts]
    assert found.opts[0] == name
    assert old in found.opts


@pytest.mark.parametrize("command", ["graph", "collapse", "probe", "train", "mask-ratio", "figure"])
def test_device_is_an_option_of_every_command_that_computes_features(command: str) -> None:
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]  # it is a group
    assert any("--device" in one.opts for one in parameters)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_h_is_short_for_help(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["check"], ["data", "list"]):
        assert run_command([*words, flag]) == 0
        assert "Usage: " in capsys.readouterr().out


@pytest.mark.parametrize("width", [80, pytest.param(120, marks=pytest.mark.slow)])
def test_tables_fit_the_terminal_and_lose_nothing(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published = str(Path(__file__).parents[2] / "figures")
    monkeypatch.setenv("COLUMNS", str(width))
    assert run_command(["table", "--published", published]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    assert run_command(["table", "--published", published, "--markdown"]) == 0
    markdown = capsys.readouterr().out
    assert markdown.startswith("| table | task |")
    assert "| --- |" not in text
    ours = [row for row in markdown.splitlines() if row.startswith("| linear probing | ")]
    for row in ours:
        for cell in re.findall(r"\d+\.\d ± \d+\.\d", row):
            assert cell in text
    assert "-3.96 ± 2 points" in text

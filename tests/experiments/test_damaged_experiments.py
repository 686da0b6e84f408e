"""A ledger that lost something is mended by measuring again; a folder has one writer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maetheory.core import InputError
from maetheory.core.folder_lock import lock_folder
from maetheory.experiments import EXPERIMENTS, run
from maetheory.experiments.experiment import Cell
from maetheory.experiments.measure import MEASUREMENTS
from maetheory.experiments.models import run_folder

DIGITS = EXPERIMENTS["digits"]
RECIPE = replace(
    DIGITS.cells[0].recipe,
    model=replace(
        DIGITS.cells[0].recipe.model,
        encoder=replace(DIGITS.cells[0].recipe.model.encoder, width=16, depth=1),
        decoder_width=16,
    ),
    epochs=1,
    batch=32,
    warmup_epochs=0.5,
)
SMALL = replace(
    DIGITS,
    cells=(Cell("random", RECIPE, trained=False), Cell("MAE", RECIPE)),
    seeds=(0,),
    train_limit=64,
    test_limit=48,
    monitor_epochs=1,
)


def values(ledger: Path) -> dict[tuple[str, ...], Any]:
    records = [json.loads(line) for line in ledger.read_text().splitlines()]
    return {(r["cell"], r["readout"], r["metric"]): (r["value"], r["error"]) for r in records}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("experiment")
    run(SMALL, out=out, workers=1)
    return out


def test_the_list_of_measurements_is_what_is_measured(done: Path) -> None:
    measured = {key for cell, *key in values(done / "ledger.jsonl") if cell == "MAE" for key in [tuple(key)]}
    assert measured == MEASUREMENTS


@pytest.mark.parametrize("number", [0, 7, -1])
def test_a_lost_record_is_measured_again_and_said(done: Path, number: int) -> None:
    ledger = done / "ledger.jsonl"
    before, lines = values(ledger), ledger.read_text().splitlines(keepends=True)
    del lines[number]
    ledger.write_text("".join(lines))
    with pytest.warns(UserWarning, match=r"the ledger has lost .* measured again"):
        run(SMALL, out=done, workers=1)
    assert values(ledger) == before
    assert set(lines) <= set(ledger.read_text().splitlines(keepends=True))
    kept = ledger.read_bytes()
    run(SMALL, out=done, workers=1)
    assert ledger.read_bytes() == kept


def test_a_cut_last_record_is_set_aside_and_measured_again(done: Path) -> None:
    ledger = done / "ledger.jsonl"
    before, content = values(ledger), ledger.read_bytes()
    ledger.write_bytes(content[:-40])
    with (
        pytest.warns(UserWarning, match="measured again"),
        pytest.warns(UserWarning, match="was set aside in ledger.jsonl.torn"),
    ):
        run(SMALL, out=done, workers=1)
    assert values(ledger) == before
    (done / "ledger.jsonl.torn").unlink()


def test_a_damaged_record_stops_before_anything_is_written(done: Path) -> None:
    ledger = done / "ledger.jsonl"
    content = ledger.read_bytes()
    for line in (b"5\n", b"{}\n", b'{"experiment": "digits"}\n'):
        ledger.write_bytes(line + content)
        with pytest.raises(InputError, match=r"line 1 of .*ledger.jsonl"):
            run(SMALL, out=done, workers=1)
        assert ledger.read_bytes() == line + content
    ledger.write_bytes(content)


def test_a_second_writer_is_refused(done: Path) -> None:
    content = (done / "ledger.jsonl").read_bytes()
    with lock_folder(done), pytest.raises(InputError, match=r"process \d+ on .* is writing"):
        run(SMALL, out=done, workers=1)
    folder = run_folder(done, SMALL.cells[1], 0)
    with lock_folder(folder), pytest.raises(InputError, match=r"process \d+ on .* is writing .*mae-seed0"):
        run(SMALL, out=done, workers=1)
    assert (done / "ledger.jsonl").read_bytes() == content
    assert not list(done.rglob(".*.lock"))


@pytest.mark.parametrize("name", ["../x", "/x", "a\\b", "a\0b"])
def test_the_name_of_a_cell_leads_to_no_other_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="it must hold no slash"):
        run_folder(tmp_path, replace(SMALL.cells[1], name=name), 0)

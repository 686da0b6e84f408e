"""An image folder under a DataLoader yields the same batches whatever the number of workers."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maetheory.core import InputError, generator
from maetheory.data import FolderStream
from maetheory.data.decode import random_resized_crop_and_flip, resize_and_center_crop, to_chw
from maetheory.data.image_files import SkippedFilesWarning
from maetheory.training import folder_dataset
from maetheory.training.folder_dataset import FolderBatch, folder_batches

CPU = torch.device("cpu")
BROKEN = (2, 7)  # positions in the sorted listing of 6 files of class a and 5 of class b: a/04.png and b/03.png


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven files in two classes, two of them undecodable, the others PNG images of noise."""
    root = tmp_path_factory.mktemp("noisy")
    for i in range(11):
        folder = root / "train" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    for file in ("a/04.png", "b/03.png"):
        (root / "train" / file).write_bytes(b"no picture")
    return root


def requests(count: int) -> Iterator[tuple[int, torch.Tensor]]:
    rng = np.random.default_rng(0)
    return iter([(epoch, torch.from_numpy(rng.integers(11, size=3 + epoch % 2))) for epoch in range(count)])


def loaded(root: Path, *, train: bool, workers: int, count: int = 8) -> list[FolderBatch]:
    stream = FolderStream(root, size=16, train=train, workers=workers)
    return list(folder_batches(stream, requests(count), 5, CPU))


def by_hand(root: Path, epoch: int, index: int, train: bool) -> tuple[np.ndarray, int]:
    """Decode one image from the listing and the random streams alone."""
    files = sorted((root / "train").glob("*/*.png"))
    if index in BROKEN:
        substitutes = generator(5, "stand-in", epoch, index).integers(11, size=100)
        index = next(int(i) for i in substitutes if i not in BROKEN)
    image = Image.open(files[index])
    rng = generator(5, "view", epoch, index)
    view = random_resized_crop_and_flip(image, 16, rng) if train else resize_and_center_crop(image, 16)
    return to_chw(view), int(files[index].parent.name == "b")


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("train", [True, False])
def test_batches_are_a_function_of_seed_epoch_and_index(noisy: Path, train: bool, workers: int) -> None:
    batches = loaded(noisy, train=train, workers=workers)
    assert len(batches) == 8
    for (epoch, indices), batch in zip(requests(8), batches, strict=True):
        expected = [by_hand(noisy, epoch, index, train) for index in indices.tolist()]
        assert batch.images.dtype == torch.uint8
        np.testing.assert_array_equal(batch.images.numpy(), np.stack([image for image, _ in expected]))
        assert batch.labels.tolist() == [label for _, label in expected]


@pytest.mark.parametrize(
    ("train", "recorded"),
    [
        (True, "8d387ff43622d8352ebf7f5c91e47b8c0dfbd93f7112051db2d78bfaff15f3a1"),
        (False, "fecbec6930adcb938cea098c7c24469ea0285c540c8248786d14a165c00eaf78"),
    ],
)
def test_batches_are_those_of_earlier_versions(noisy: Path, train: bool, recorded: str) -> None:
    """Bytes recorded from the stream that had a process pool of its own: its runs can be resumed."""
    digest = hashlib.sha256()
    for images, labels, _ in loaded(noisy, train=train, workers=2):
        digest.update(images.numpy().tobytes() + labels.numpy().astype("<i8").tobytes())
    assert digest.hexdigest() == recorded


def test_substitutes_keep_batches_whole_and_do_not_depend_on_the_batch(noisy: Path) -> None:
    stream = FolderStream(noisy, size=8, train=True, workers=0)
    (together,) = folder_batches(stream, [(1, torch.tensor([1, 2, 3]))], 5, CPU)
    alone = [next(folder_batches(stream, [(1, torch.tensor([i]))], 5, CPU)) for i in (1, 2, 3)]
    assert together.images.shape == (3, 3, 8, 8)
    assert torch.equal(together.images, torch.cat([batch.images for batch in alone]))
    assert together.labels.tolist() == [int(batch.labels) for batch in alone]
    assert list(together.skipped) == ["a/04.png"]
    assert "cannot identify" in together.skipped["a/04.png"]
    stream.skipped.update(together.skipped)
    with pytest.warns(SkippedFilesWarning, match="1 of 11 files"):
        stream.warn_skipped()


def test_loading_draws_no_global_random_number(noisy: Path) -> None:
    before = torch.get_rng_state()
    loaded(noisy, train=True, workers=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_closing_ends_the_processes(noisy: Path) -> None:
    stream = FolderStream(noisy, size=8, workers=2)
    batches = folder_batches(stream, requests(30), 5, CPU)
    assert next(batches).images.shape == (3, 3, 8, 8)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    assert not multiprocessing.active_children()
    with pytest.raises(StopIteration):
        next(batches)


@pytest.mark.filterwarnings(  # the news of the death may arrive while torch's own destructor joins the worker
    "ignore:Exception ignored in.*_MultiProcessingDataLoaderIter:pytest.PytestUnraisableExceptionWarning"
)
def test_workers_ignore_stop_signals_and_a_killed_one_is_named(noisy: Path) -> None:
    stream = FolderStream(noisy, size=8, workers=1)
    with closing(folder_batches(stream, requests(1000), 5, CPU)) as batches:
        next(batches)
        (worker,) = multiprocessing.active_children()
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid or 0, number)
        for _ in range(50):
            next(batches)
        assert worker.is_alive()
        os.kill(worker.pid or 0, signal.SIGKILL)
        with pytest.raises(InputError, match=r"decoding processes ended early.*workers=0"):
            for _ in batches:
                pass


@pytest.mark.parametrize(
    ("error", "is_death"),
    [
        (EOFError(), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
        (BrokenPipeError(32, "Broken pipe"), True),
        (ConnectionRefusedError(111, "Connection refused"), True),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), True),
        (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), True),
        (RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nTraceback"), False),
        (EOFError("Caught EOFError in DataLoader worker process 0.\nTraceback"), False),
        (RuntimeError("shape '[3]' is invalid"), False),
        (FileNotFoundError(2, "No such file"), False),
    ],
)
def test_every_sign_of_a_dead_worker_is_named_and_errors_of_its_code_are_not(error: Exception, is_death: bool) -> None:
    def loader() -> Iterator[None]:
        yield None
        raise error

    batches = folder_dataset._explain_dead_workers(loader())  # type: ignore[arg-type]  # it is only iterated
    assert next(batches) is None
    with pytest.raises(InputError if is_death else type(error)) as caught:
        next(batches)
    assert ("decoding processes ended early" in str(caught.value)) == is_death
    assert (caught.value is error) != is_death


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs a GPU")
def test_batches_arrive_on_the_gpu(noisy: Path) -> None:
    stream = FolderStream(noisy, size=16, train=True, workers=1)
    on_gpu = list(folder_batches(stream, requests(8), 5, torch.device("cuda")))
    for batch, expected in zip(on_gpu, loaded(noisy, train=True, workers=0), strict=True):
        assert batch.images.is_cuda
        assert torch.equal(batch.images.cpu(), expected.images)

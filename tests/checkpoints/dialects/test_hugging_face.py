"""Files of transformers, of versions 4 and 5, are loaded as the encoders that transformers runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exchanged_tables import exchange_targets
from torch import Tensor

from maetheory.checkpoints import Encoder, LoadReport, load_checkpoint, load_contents
from maetheory.checkpoints.dialects.hugging_face import HUGGING_FACE_DIALECTS
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from mae_peers import randomized

transformers = pytest.importorskip("transformers", "5.23", reason="needs transformers 5.23: pip install maetheory[hf]")

IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 16, "patch_size": 4}
IMAGENET_MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
INCEPTION_MEAN_STD = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture(autouse=True)
def _quiet() -> None:
    transformers.utils.logging.disable_progress_bar()


def random(kind: str, config: str, **options: Any) -> Any:
    """Return a model of transformers with random parameters."""
    return randomized(getattr(transformers, kind)(getattr(transformers, config)(**SIZES, **options)))


def vit_mae(kind: str = "ViTMAEForPreTraining", **options: Any) -> Any:
    decoder = {
        "decoder_hidden_size": 24,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 3,
        "decoder_intermediate_size": 48,
    }
    return random(kind, "ViTMAEConfig", **{"intermediate_size": 96, "mask_ratio": 0.0, **decoder, **options})


def vit(kind: str = "ViTForImageClassification", **options: Any) -> Any:
    return random(kind, "ViTConfig", **{"intermediate_size": 96, "num_labels": 7, **options})


def dinov2(kind: str = "Dinov2Model", config: str = "Dinov2Config", **options: Any) -> Any:
    return random(kind, config, mlp_ratio=2, **options)


def registered(**options: Any) -> Any:
    return dinov2("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", **options)


PEERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "ViTMAE with its decoder": (vit_mae, IMAGENET_MEAN_STD),
    "ViTMAE without": (lambda: vit_mae("ViTMAEModel"), IMAGENET_MEAN_STD),
    "ViTMAE without qkv biases": (lambda: vit_mae(qkv_bias=False), IMAGENET_MEAN_STD),
    "ViT with a classifier": (vit, INCEPTION_MEAN_STD),
    "ViT with a pooler": (lambda: vit("ViTModel"), INCEPTION_MEAN_STD),
    "ViT that fills masked patches": (lambda: vit("ViTForMaskedImageModeling", encoder_stride=4), INCEPTION_MEAN_STD),
    "DeiT with two tokens": (lambda: random("DeiTModel", "DeiTConfig", intermediate_size=96), INCEPTION_MEAN_STD),
    "I-JEPA": (
        lambda: random("IJepaForImageClassification", "IJepaConfig", intermediate_size=96, num_labels=7),
        INCEPTION_MEAN_STD,
    ),
    "DINOv2": (dinov2, IMAGENET_MEAN_STD),
    "DINOv2 with SwiGLU": (lambda: dinov2(use_swiglu_ffn=True), IMAGENET_MEAN_STD),
    "DINOv2 with a classifier": (lambda: dinov2("Dinov2ForImageClassification", num_labels=7), IMAGENET_MEAN_STD),
    "DINOv2 with registers": (registered, IMAGENET_MEAN_STD),
    "DINOv2 with registers and SwiGLU": (lambda: registered(use_swiglu_ffn=True), IMAGENET_MEAN_STD),
}


def v4(name: str) -> str:
    """Return the name of a tensor in the hub's files, which were written before version 5."""
    for new, old in (
        ("q_proj", "attention.query"),
        ("k_proj", "attention.key"),
        ("v_proj", "attention.value"),
        ("o_proj", "output.dense"),
    ):
        name = name.replace(f".attention.{new}.", f".attention.{old}.")
    if "encoder.layer." in name:  # DINOv2 kept its names
        return name.replace(".mlp.down_proj.", ".mlp.weights_out.")
    name = name.replace(".mlp.fc1.", ".intermediate.dense.").replace(".mlp.fc2.", ".output.dense.")
    return name if name.startswith("decoder.") else name.replace("layers.", "encoder.layer.")


def as_v4(model: Any) -> dict[str, Tensor]:
    """Return the tensors of the hub's files, in which the two halves of a SwiGLU are one map."""
    state = {v4(name): value for name, value in model.state_dict().items()}
    for name in [name for name in state if ".gate_proj." in name]:
        both = [state.pop(name), state.pop(name.replace("gate_proj", "up_proj"))]
        state[name.replace("gate_proj", "weights_in")] = torch.cat(both)
    return state


def as_saved(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder


def in_memory(model: Any, folder: Path) -> Path:
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def of_the_hub(model: Any, folder: Path) -> Path:
    model.config.save_pretrained(folder)
    torch.save(as_v4(model), folder / "pytorch_model.bin")
    return folder


LAYOUTS = {"what 5.23 saves": as_saved, "in memory": in_memory, "the hub's": of_the_hub}


def standardized(images: Any) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in images)
    return (IMAGES - mean) / std


def reference_states(model: Any, images: Any) -> tuple[list[Tensor], Tensor]:
    """Return the model's tokens after the embedding, after each block and after the last norm."""
    base = model.base_model
    layers = base.encoder.layer if hasattr(base, "encoder") else base.layers
    passing: list[Tensor] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        passing.append(output[0] if isinstance(output, tuple) else output)

    hooks = [module.register_forward_hook(keep) for module in (base.embeddings, *layers)]
    order = {"noise": torch.arange(16.0).expand(3, -1)} if model.config.model_type == "vit_mae" else {}
    with torch.no_grad():
        base(standardized(images), **order)
        for hook in hooks:
            hook.remove()
        return passing, base.layernorm(passing[-1])


def same(encoder: Encoder, model: Any, images: Any) -> None:
    states, last = reference_states(model, images)
    with torch.no_grad():
        ours = encoder.hidden_states(IMAGES)
        assert len(ours) == len(states) == 3
        for one, other in zip((*ours, encoder(IMAGES)), (*states, last)):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * max(1.0, float(other.abs().max())))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", PEERS)
def test_every_model_in_every_layout(kind: str, layout: str, tmp_path: Path) -> None:
    make, images = PEERS[kind]
    model = make()
    encoder, report = load_checkpoint(LAYOUTS[layout](model, tmp_path))
    same(encoder, model, images)
    assert report.dialect.startswith("Hugging Face")
    assert (report.config.heads, report.sources["heads"]) == (4, "stated in the file: config.json")
    assert report.config.eps == model.config.layer_norm_eps
    assert report.sources["eps"] == "stated in the file: config.json"
    assert report.sources["mean"] == f"assumed: as models of model_type {model.config.model_type} (config.json) do"
    (note,) = report.notes
    assert note.startswith("the file does not state mean and std: ")
    expected = (
        "whole"
        if kind in ("ViTMAE with its decoder", "ViTMAE without qkv biases", "ViT that fills masked patches")
        else "absent: it cannot reconstruct"
    )
    assert report.decoder == expected


def test_the_layouts_differ(tmp_path: Path) -> None:
    """The three layouts of the other tests name the same tensor in three ways."""
    model = vit_mae()
    saved = read_checkpoint(as_saved(model, tmp_path)).tree
    names = [set(model.state_dict()), set(as_v4(model)), set(saved)]
    assert "vit.layers.0.attention.q_proj.weight" in names[0]
    assert "vit.encoder.layer.0.attention.attention.query.weight" in names[1] & names[2]
    assert "decoder.decoder_layers.0.attention.attention.query.weight" in names[1] - names[2]
    assert "decoder.decoder_encoder.layer.0.attention.attention.query.weight" in names[2] - names[1]
    for kind in ("ViT with a classifier", "DINOv2", "DINOv2 with registers and SwiGLU"):
        model = PEERS[kind][0]()
        assert set(as_v4(model)) == set(read_checkpoint(as_saved(model, tmp_path)).tree) != set(model.state_dict())


def test_the_classifier_reads_cls(tmp_path: Path) -> None:
    model = vit()
    encoder, report = load_checkpoint(as_saved(model, tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(
            encoder.logits(IMAGES), model(standardized(INCEPTION_MEAN_STD)).logits, rtol=0, atol=1e-5
        )
    assert report.head is not None
    assert (report.head.classes, report.head.readout) == (7, "cls")


def test_the_classifier_of_ijepa_reads_the_mean(tmp_path: Path) -> None:
    model = PEERS["I-JEPA"][0]()
    encoder, _ = load_checkpoint(as_saved(model, tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(
            encoder.logits(IMAGES), model(standardized(INCEPTION_MEAN_STD)).logits, rtol=0, atol=1e-5
        )


def test_unused_keys_are_described(tmp_path: Path) -> None:
    def unused(name: str) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        return load_checkpoint(as_saved(PEERS[name][0](), folder))[1].left

    assert unused("ViT with a pooler") == {"the pooler": 2}
    assert unused("ViTMAE with its decoder") == {"the decoder": 24}
    assert unused("DINOv2") == {"the mask token": 1}
    assert unused("DINOv2 with a classifier")["a head that reads no single token of the encoder"] == 2


def test_sharded_folders(tmp_path: Path) -> None:
    model = vit_mae()
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    encoder, report = load_checkpoint(tmp_path)
    same(encoder, model, IMAGENET_MEAN_STD)
    assert report.container == "safetensors shards"


def test_preprocessor_config_comes_before_the_model_type(tmp_path: Path) -> None:
    model = vit()
    as_saved(model, tmp_path)

    def read_as(record: dict[str, Any]) -> LoadReport:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(record))
        encoder, report = load_checkpoint(tmp_path)
        same(encoder, model, (report.config.mean, report.config.std))
        assert report.sources["mean"] == report.sources["std"] == "stated in the file: preprocessor_config.json"
        return report

    stated = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    assert read_as({**stated, "rescale_factor": 0.00392156862745098}).config.mean == (0.1, 0.2, 0.3)
    wide = read_as({"image_mean": [1, 1, 1], "image_std": [1, 1, 1], "rescale_factor": 2 / 255}).config
    assert (wide.mean, wide.std) == (pytest.approx((0.5,) * 3), pytest.approx((0.5,) * 3))  # 2 x - 1
    assert read_as({**stated, "do_normalize": False}).config.std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("named", "meant"), [("gelu_new", "gelu-tanh"), ("quick_gelu", "quick-gelu")])
def test_other_activations(named: str, meant: str, tmp_path: Path) -> None:
    model = vit(hidden_act=named)
    encoder, report = load_checkpoint(as_saved(model, tmp_path))
    same(encoder, model, INCEPTION_MEAN_STD)
    assert report.config.activation == meant


def test_an_unsupported_activation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"activation must be one of gelu, .*, but config\.json says 'relu'"):
        load_checkpoint(as_saved(vit(hidden_act="relu"), tmp_path))


def test_a_file_without_its_folder_needs_heads_and_says_what_it_assumed(tmp_path: Path) -> None:
    model = vit_mae("ViTMAEModel")
    torch.save(model.state_dict(), tmp_path / "file.bin")
    with pytest.raises(InputError, match=r"pass heads= \(--heads\)"):
        load_checkpoint(tmp_path / "file.bin")
    encoder, report = load_checkpoint(tmp_path / "file.bin", heads=4)
    same(encoder, model, IMAGENET_MEAN_STD)
    assert (report.config.eps, report.sources["eps"]) == (1e-12, "assumed: the dialect's default")
    assert report.sources["mean"] == "assumed: ImageNet's, as most do"


def test_inside_a_lightning_module(tmp_path: Path) -> None:
    model = vit_mae()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": {**state, "probe.weight": torch.zeros(2, 48)}, "epoch": 3}, tmp_path / "last.ckpt")
    encoder, report = load_checkpoint(tmp_path / "last.ckpt", heads=4)
    same(encoder, model, IMAGENET_MEAN_STD)
    assert (report.prefix, report.decoder) == ("model.", "whole")
    assert report.left["outside model: probe"] == 1


def test_positions_of_registers_are_antialiased_as_theirs(tmp_path: Path) -> None:
    for make, name in ((dinov2, "plain"), (registered, "registered")):
        model = make()
        (tmp_path / name).mkdir()
        encoder, _ = load_checkpoint(as_saved(model, tmp_path / name), image_size=8)
        expected = model.embeddings.interpolate_pos_encoding(torch.zeros(1, 5, 48), 8, 8)
        torch.testing.assert_close(encoder.pos_embed, expected.detach(), rtol=0, atol=1e-6)


def test_text_and_convolutions_are_refused_for_what_they_are(tmp_path: Path) -> None:
    bert = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=30, hidden_size=48, num_hidden_layers=1, num_attention_heads=4, intermediate_size=96
        )
    )
    resnet = transformers.ResNetModel(
        transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    )
    for name, model, sentence in (("bert", bert, "a text model"), ("resnet", resnet, "a convolutional network")):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=f"holds {sentence} .*, not a Vision Transformer"):
            load_checkpoint(as_saved(model, tmp_path / name))


@pytest.mark.parametrize("swap", [("attn.q.", "attn.k."), ("norm1", "norm2")])
def test_exchanged_table_lines_are_detected(swap: tuple[str, str], tmp_path: Path) -> None:
    """The comparison above fails if a table exchanges two tensors of the same shape."""
    tables = exchange_targets(HUGGING_FACE_DIALECTS, *swap)
    model = vit_mae()
    encoder, _ = load_contents(read_checkpoint(as_saved(model, tmp_path)), dialects=tables)
    with pytest.raises(AssertionError, match="Tensor-likes are not close"):
        same(encoder, model, IMAGENET_MEAN_STD)

"""Files of weights: ours, published layouts, and what is refused. Needs torch, which the base install lacks."""

import argparse
import json
import pickle
import struct

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="needs .venv-clients: torch is not installed")

from bioscan_etl.errors import SourceError  # noqa: E402 - where torch is there
from bioscan_etl.evaluation.networks import checkpoints  # noqa: E402
from bioscan_etl.evaluation.networks.encoder import begun  # noqa: E402
from bioscan_etl.evaluation.networks.pretraining import embedded, masked_accuracy  # noqa: E402
from bioscan_etl.evaluation.networks.sizes import Size  # noqa: E402

pytestmark = pytest.mark.clients
SMALL = Size(k=2, layers=2, heads=3, width=12, inner=20, positions=330)
CPU = torch.device("cpu")
BARCODES = pl.Series(["ACGTTGCA" * 70, "TTGACCAGT" * 60, "GGGA" * 33])


class Runs:
    """What must never be opened."""

    def __reduce__(self):
        return print, ("code of a stranger ran",)


@pytest.fixture
def model():
    return begun(SMALL, 5).eval()


def same(one, other):
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def published(model, **more):
    """What BarcodeBERT's own code saves beside the weights."""
    config = checkpoints._configuration(model.bert.size) | {"num_labels": 16, "position_embedding_type": "absolute"}
    return {"model": model.state_dict(), "bert_config": config, "epoch": 3, **more}


def test_a_saved_model_scores_the_same_after_loading(model, tmp_path):
    checkpoints.save_model(tmp_path / "model.pt", model)
    loaded = checkpoints.load_model(tmp_path / "model.pt")
    assert same(model, loaded)
    assert loaded.bert.size == Size(2, 2, 3, 12, 20, 330)
    both = [embedded(one.bert, BARCODES, device=CPU).vectors for one in (model, loaded)]
    np.testing.assert_array_equal(*both)
    assert masked_accuracy(model, BARCODES, seed=1, device=CPU) == masked_accuracy(loaded, BARCODES, seed=1, device=CPU)


def test_a_checkpoint_of_several_gpus_with_its_command_line_is_read(model, tmp_path):
    content = published(model, config=argparse.Namespace(k_mer=2, lr=1e-4), optimizer={"state": {}})
    content["model"] = {f"module.{name}": value for name, value in content["model"].items()}
    torch.save(content, tmp_path / "checkpoint_pretraining.pt")
    assert same(model, checkpoints.load_model(tmp_path / "checkpoint_pretraining.pt"))


def test_weights_alone_need_a_config_beside_them(model, tmp_path):
    """As `BertModel.save_pretrained` writes them: without `bert.`, with a pooler, without our head."""
    weights = {
        name.removeprefix("bert."): value for name, value in model.state_dict().items() if name.startswith("bert.")
    }
    weights["pooler.dense.weight"] = torch.zeros(12, 12)
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(SourceError, match=r"how many heads.*config\.json"):
        checkpoints.load_model(tmp_path / "weights.pt")
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 3, "hidden_act": "gelu"}))
    assert same(model.bert, checkpoints.load_model(tmp_path / "weights.pt").bert)


def test_a_head_over_species_is_left_out(model, tmp_path):
    content = published(model)
    content["model"] |= {"classifier.weight": torch.zeros(99, 12), "classifier.bias": torch.zeros(99)}
    torch.save(content, tmp_path / "best_finetuning.pt")
    assert same(model.bert, checkpoints.load_model(tmp_path / "best_finetuning.pt").bert)


def safetensors(path, tensors):
    header, numbers = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        part = value.numpy().tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": [*value.shape],
            "data_offsets": [len(numbers), len(numbers) + len(part)],
        }
        numbers += part
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)


def test_safetensors_are_read_and_a_cut_one_is_named(model, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors(path, model.state_dict())
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 3}))
    assert same(model, checkpoints.load_model(path))
    content = path.read_bytes()
    for cut in (content[:4], content[:100], content[:-8], b"\xff" * 64):
        path.write_bytes(cut)
        with pytest.raises(SourceError, match="damaged"):
            checkpoints.load_model(path)


def test_nothing_of_a_stranger_is_run(model, tmp_path, capsys):
    torch.save(published(model, config=Runs()), tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Runs()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(SourceError, match="could run code"):
            checkpoints.load_model(tmp_path / name)
    assert "stranger" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it["model"].pop("bert.encoder.layer.1.output.dense.bias"), "output.dense.bias is missing, 1 such"),
        (lambda it: it["model"].update({"bert.extra": torch.zeros(1)}), "bert.extra is not expected, 1 such"),
        (
            lambda it: it["model"].update({"bert.encoder.layer.1.output.dense.bias": torch.zeros(7)}),
            "output.dense.bias has another shape",
        ),
        (lambda it: it["model"].update({"bert.embeddings.word_embeddings.weight": torch.zeros(19, 12)}), "19 tokens"),
        (lambda it: it["model"].pop("bert.embeddings.word_embeddings.weight"), "no encoder like BERT's"),
        (lambda it: it["bert_config"].update(num_attention_heads=5), "5 heads do not divide"),
        (lambda it: it["bert_config"].update(hidden_act="relu"), "hidden_act 'relu'"),
    ],
)
def test_another_layout_is_named(model, tmp_path, change, message):
    content = published(model)
    content["model"] = dict(content["model"])
    change(content)
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(SourceError, match=message):
        checkpoints.load_model(tmp_path / "other.pt")


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(SourceError, match="there is no file"):
        checkpoints.load_model(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("weights")
    with pytest.raises(SourceError, match=r"text\.pt"):
        checkpoints.load_model(tmp_path / "text.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(SourceError, match="no dictionary of weights, but a list"):
        checkpoints.load_model(tmp_path / "list.pt")

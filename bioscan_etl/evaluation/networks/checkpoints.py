"""Files of weights: ours, those of BarcodeBERT's code, and safetensors.

Belongs here: reading and writing weights, and the layout that is expected. Does not belong here: training.

A `.pt` is a pickle, which can run code when it is opened. So torch reads tensors, numbers and texts only
(`weights_only`), and nothing else. A safetensors file holds tensors alone.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioscan_etl.barcodes.tokens import SPECIAL
from bioscan_etl.errors import SourceError
from bioscan_etl.evaluation.networks.encoder import MaskedModel
from bioscan_etl.evaluation.networks.sizes import Size
from bioscan_etl.extras import extras_named
from bioscan_etl.io.write import atomic_file

with extras_named():
    import torch

_LAYER = re.compile(r"bert\.encoder\.layer\.(\d+)\.")
_KINDS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_LONGEST_HEADER = 100_000_000
_HEAD = ("classifier.weight", "classifier.bias")
_NOT_OURS = ("bert.pooler.", "cls.", "pooler.", "bert.embeddings.position_ids")  # parts that make no embedding
_ACTIVATION, _EPSILON = "gelu", 1e-12


def write_tensors(path: Path, content: Mapping[str, object]) -> None:
    """Write tensors, numbers and texts; the file appears whole or not at all."""
    with atomic_file(path) as stream:
        torch.save(dict(content), stream)


def read_tensors(path: Path) -> dict[str, Any]:
    """Read what `write_tensors` or `torch.save` wrote, without running any of it.

    Raises:
        SourceError: the file is damaged, or holds more than tensors, numbers and texts.
    """
    try:
        # BarcodeBERT's code saves its command line with the weights; a Namespace only holds values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise SourceError(
            f"{path} holds more than tensors, numbers and texts, and opening the rest could run code; where you trust "
            "its source, open it with torch.load(…, weights_only=False) and save its 'model' and 'bert_config' alone"
        ) from None
    except FileNotFoundError:
        raise SourceError(f"there is no file {path}") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError):
        raise SourceError(f"{path} is no file of weights that PyTorch can read, or it is damaged") from None
    if not isinstance(found, dict):
        raise SourceError(f"{path} holds no dictionary of weights, but a {type(found).__name__}")
    return found


def save_model(path: Path, model: MaskedModel) -> None:
    """Write a model in the layout of BarcodeBERT's code: its weights, and its shape as transformers calls it."""
    write_tensors(path, {"model": model.state_dict(), "bert_config": _configuration(model.bert.size)})


def load_model(path: Path) -> MaskedModel:
    """Read a model: one of ours, or a published checkpoint of BarcodeBERT.

    Understood are the dictionaries of weights that transformers gives BertForTokenClassification, BertForMaskedLM and
    BertModel, alone or as `model` beside `bert_config`, in a `.pt` or `.safetensors`. The number of heads is not in the
    weights: it comes from `bert_config`, or from the config.json beside the file.

    Args:
        path: the file.

    Returns:
        The model on the CPU, in the mode of evaluation. Without a head over all k-mers in the file, its own is random.

    Raises:
        SourceError: the file cannot be read, or its layout is another one.
    """
    held = _read_safetensors(path) if path.suffix == ".safetensors" else read_tensors(path)
    weights = held["model"] if isinstance(held.get("model"), dict) else held
    shape = held.get("bert_config") or _beside(path)
    named = {_name(key): value for key, value in weights.items() if isinstance(value, torch.Tensor)}
    named = {key: value for key, value in named.items() if not key.startswith(_NOT_OURS)}
    size = _size(path, named, shape)
    model = MaskedModel(size)
    expected = model.state_dict()
    if any(key in named and named[key].shape != expected[key].shape for key in _HEAD):
        named = {key: value for key, value in named.items() if key not in _HEAD}  # of a fine-tuned model: over species
    for key in _HEAD:
        named.setdefault(key, expected[key])
    wrong = [f"{key} is missing" for key in expected if key not in named]
    wrong += [f"{key} is not expected" for key in sorted({*named} - {*expected})]
    wrong = wrong or [f"{key} has another shape" for key in expected if expected[key].shape != named[key].shape]
    if wrong:
        raise SourceError(
            f"{path} has another layout than BERT's encoder with a token classifier: {wrong[0]}, {len(wrong)} such in "
            "all; name a checkpoint of BarcodeBERT's pretraining, or one that this command wrote"
        )
    model.load_state_dict({key: value.float() for key, value in named.items()})
    model.eval()
    return model


def _name(key: str) -> str:
    """The name of a parameter as `MaskedModel` has it."""
    key = key.removeprefix("module.")  # of a training on several GPUs
    if key.startswith(("embeddings.", "encoder.")):
        key = f"bert.{key}"
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _size(path: Path, weights: Mapping[str, torch.Tensor], shape: Mapping[str, Any] | None) -> Size:
    try:
        vocabulary, width = weights["bert.embeddings.word_embeddings.weight"].shape
        positions = weights["bert.embeddings.position_embeddings.weight"].shape[0]
        inner = weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0]
    except KeyError as error:
        raise SourceError(
            f"{path} has no weights {error}, so it is no encoder like BERT's; name a checkpoint of BarcodeBERT's "
            "pretraining, or one that this command wrote"
        ) from None
    k = round(math.log(max(vocabulary - SPECIAL, 1), 4))
    if vocabulary != 4**k + SPECIAL:
        raise SourceError(
            f"{path} has {vocabulary} tokens, which are not <MASK>, <UNK> and all k-mers of one length; checkpoints "
            "with further special tokens, such as <CLS> of the first BarcodeBERT, are not read"
        )
    if not isinstance(shape, Mapping) or not isinstance(shape.get("num_attention_heads"), int):
        raise SourceError(
            f"{path} does not say how many heads its attention has: put the config.json of the model beside it"
        )
    other = {"hidden_act": _ACTIVATION, "layer_norm_eps": _EPSILON, "position_embedding_type": "absolute"}
    for name, value in other.items():
        if shape.get(name, value) != value:
            raise SourceError(f"{path} was made with {name} {shape[name]!r}; only {value!r} is read")
    heads = shape["num_attention_heads"]
    if heads < 1 or width % heads:
        raise SourceError(f"{path} has a width of {width}, which {heads} heads do not divide")
    layers = 1 + max(int(found[1]) for key in weights if (found := _LAYER.match(key)))
    return Size(k, layers, heads, width, inner, positions)


def _configuration(size: Size) -> dict[str, Any]:
    return {
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": size.inner,
        "max_position_embeddings": size.positions,
        "hidden_act": _ACTIVATION,
        "layer_norm_eps": _EPSILON,
    }


def _beside(path: Path) -> dict[str, Any] | None:
    """The config.json in the folder of a file."""
    file = path.with_name("config.json")
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        raise SourceError(f"{file} is no JSON") from None
    return found if isinstance(found, dict) else None


def _read_safetensors(path: Path) -> dict[str, Any]:
    """Read a file of the format safetensors: 8 bytes of length, a JSON of places, the numbers.

    Raises:
        SourceError: it is damaged, or has a kind of numbers that weights do not have.
    """
    try:
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        if length > min(_LONGEST_HEADER, len(content)):
            raise ValueError
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        numbers = memoryview(content)[8 + length :]
        found = {}
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            kind = _KINDS[entry["dtype"]]
            if not 0 <= first <= last <= len(numbers):
                raise ValueError
            # A copy: the bytes of a file cannot be written to, and torch warns of that.
            flat = torch.frombuffer(bytearray(numbers[first:last]), dtype=kind) if last > first else torch.empty(0)
            found[name] = flat.reshape(entry["shape"]).clone()
    except FileNotFoundError:
        raise SourceError(f"there is no file {path}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError):
        raise SourceError(f"{path} is no safetensors file of floating-point weights, or it is damaged") from None
    return found

"""How a release was made, in the terms of the W3C's PROV-O, for the Croissant descriptor.

Belongs here: what the manifest states of inputs, batches and stages, as entities, activities and agents. Does not
belong here: finding any of it out; all of it was stated by the stages that did it. Releases hold no dates, so that no
activity has a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

NAMESPACE = "http://www.w3.org/ns/prov#"
Node = dict[str, Any]


def provenance_of(version: str, inputs: Iterable[Mapping[str, Any]], made: Mapping[str, Any] | None) -> Node:
    """The PROV-O properties of the data set.

    `prov:wasDerivedFrom` names each delivery with its files, `prov:wasGeneratedBy` the making of the release. That was
    informed by one activity per batch and stage, which used the delivery and generated an output of the sha256 that the
    manifest states, and by one activity per stage over all batches. Each activity is associated with the code that
    ran, and with the settings that it read as its plan.

    Args:
        version: of the release, such as `v3`.
        inputs: one entry per input file, as the manifest states them.
        made: how batches and stages were made (`manifest.Provenance`); None outside the pipeline: then only the inputs
            are stated.

    Returns:
        Properties for the document, without those of which nothing is known.
    """
    nodes = _Nodes()
    batches: Mapping[str, Any] = made["batches"] if made else {}
    deliveries = [nodes.add(each) for each in _deliveries(inputs, batches)]
    found: Node = {"prov:wasDerivedFrom": deliveries} if deliveries else {}
    if made is None:
        return found
    informed, used = [], []
    for batch, stated in batches.items():
        for stage, one in stated["stages"].items():
            output = {"@id": _id(batch, stage, "output"), "@type": "prov:Entity", "sha256": one["content"]}
            activity = {
                "@id": _id(batch, stage),
                "@type": "prov:Activity",
                "prov:label": f"{stage} of batch {batch}",
                "prov:used": [{"@id": _id(batch, "delivery")}, *map(nodes.add, _others(one["extra"]))],
                "prov:generated": output,
                "prov:qualifiedAssociation": _association(nodes, stage, one["code"], stated["settings"]),
            }
            informed.append(nodes.add(activity))
            used.append({"@id": output["@id"]})
    for stage, one in made["corpus"].items():
        activity = {
            "@id": _id("corpus", stage),
            "@type": "prov:Activity",
            "prov:label": stage,
            "prov:qualifiedAssociation": _association(nodes, stage, one["code"], one["settings"]),
        }
        informed.append(nodes.add(activity))
    found["prov:wasGeneratedBy"] = {
        "@id": _id("release"),
        "@type": "prov:Activity",
        "prov:label": f"release {version}",
        "prov:used": used,
        "prov:wasInformedBy": informed,
    }
    return found


class _Nodes:
    """Nodes by id: in full at their first use, by id at later ones."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, node: Node) -> Node:
        if node["@id"] in self._known:
            return {"@id": node["@id"]}
        self._known.add(node["@id"])
        return node


def _id(*parts: str) -> str:
    """An id within the document; no file of a release has such a path."""
    return "#provenance/" + "/".join(quote(part, safe="") for part in parts)


def _deliveries(inputs: Iterable[Mapping[str, Any]], batches: Mapping[str, Any]) -> Iterator[Node]:
    """The delivery of each batch with its files."""
    files: dict[str, list[Node]] = {batch: [] for batch in batches}
    for number, entry in enumerate(inputs):
        batch = str(entry.get("batch", ""))
        what = entry.get("name") or f"{entry.get('files', '')} {entry.get('kind', 'files')}".strip()
        file = {"@id": _id(batch, "input", str(number)), "@type": "prov:Entity", "prov:label": str(what)}
        files.setdefault(batch, []).append(file | {"sha256": entry.get("sha256")})
    for batch, members in files.items():
        delivery = {"@id": _id(batch, "delivery"), "@type": ["prov:Entity", "prov:Collection"]}
        delivery["prov:label"] = f"delivery of batch {batch}" if batch else "files that the release was made from"
        if batch in batches:
            delivery["sha256"] = batches[batch]["delivery"]
        yield delivery | ({"prov:hadMember": members} if members else {})


def _association(nodes: _Nodes, stage: str, code: Mapping[str, Any], settings: Mapping[str, Any]) -> Node:
    return {
        "@type": "prov:Association",
        "prov:agent": nodes.add(_agent(stage, code)),
        "prov:hadPlan": nodes.add(_valued("settings", settings, "prov:Plan")),
    }


def _agent(stage: str, code: Mapping[str, Any]) -> Node:
    """The code of a stage: its version, the libraries and the data files that decide its values."""
    libraries = [f"{name} {release}" for name, release in sorted(code.get("libraries", {}).items())]
    files = [{"name": name, "sha256": sha256} for name, sha256 in sorted(code.get("data", {}).items())]
    return {
        "@id": _id("software", stage, _short(code)),
        "@type": "prov:SoftwareAgent",
        "prov:label": f"bioscan-etl, stage {stage}",
        "softwareVersion": str(code.get("version", "")),
        **({"softwareRequirements": libraries} if libraries else {}),
        **({"isBasedOn": files} if files else {}),
    }


def _others(extra: Mapping[str, Any]) -> Iterator[Node]:
    """Inputs that are neither delivery nor output, such as the detector."""
    for name, value in sorted(extra.items()):
        yield _valued(name, value, "prov:Entity") | {"prov:label": name}


def _valued(kind: str, value: Any, of: str) -> Node:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return {"@id": _id(kind, _short(value)), "@type": of, "prov:value": text}


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

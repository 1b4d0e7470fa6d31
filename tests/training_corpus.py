"""A small annotated corpus of drawn wells, in COCO's form."""

import json
from pathlib import Path

import numpy as np
from images_drawn import insect, well
from PIL import Image


def annotated_corpus(folder: Path, images: int = 12, every: int = 3) -> tuple[Path, Path]:
    """Draw images of which each `every`th is empty; gives the folder of images and the COCO file."""
    pictures = folder / "images"
    pictures.mkdir(parents=True)
    rng = np.random.default_rng(3)
    coco: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "specimen"}]}
    for number in range(images):
        pixels = well()
        name = f"D{number:03d}-26.jpg"
        if number % every:
            centre = int(rng.integers(250, 770)), int(rng.integers(200, 570))
            x0, y0, x1, y1 = (int(value) for value in insect(pixels, centre, int(rng.integers(60, 260))))
            corners = [x0, y0, x1, y0, x1, y1, x0, y1]
            entry = {"id": number + 1, "image_id": number + 1, "category_id": 1, "iscrowd": 0}
            entry |= {"bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": [corners], "area": (x1 - x0) * (y1 - y0)}
            coco["annotations"].append(entry)
        Image.fromarray(pixels).save(pictures / name, quality=90)
        coco["images"].append({"id": number + 1, "file_name": name, "width": 1024, "height": 768})
    annotations = folder / "annotations.coco.json"
    annotations.write_text(json.dumps(coco))
    return pictures, annotations

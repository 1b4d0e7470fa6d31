"""Images per second of a DETR-ResNet-50 on the CPU, as the published cropping tool runs one.

    PYTHON benchmarks/detr.py [--images 4]

Needs `torch` and `transformers` (an environment of its own: they are not part of the project's). The weights are
random, which takes as long as trained ones. A 1024x768 image enters at 1066x800, the tool's size. Prints one line
of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

HEIGHT, WIDTH = 800, 1066


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4)
    arguments = parser.parse_args()
    try:
        import torch
        from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
    except ImportError as error:
        sys.exit(f"{error}; name a Python with torch and transformers by --detr")
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    backbone = ResNetConfig(out_features=["stage4"])
    config = DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, num_labels=1
    )
    model = DetrForObjectDetection(config).eval()
    image = torch.rand(1, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        model(pixel_values=image)
        start = time.perf_counter()
        for _ in range(arguments.images):
            model(pixel_values=image)
        seconds = time.perf_counter() - start
    speed = arguments.images / seconds
    print(json.dumps({"images_per_second": speed, "threads": threads, "input": f"{WIDTH}x{HEIGHT}"}))


if __name__ == "__main__":
    main()

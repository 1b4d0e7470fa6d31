"""The rules on specimen images; their expressions are in `images.quality`."""

from __future__ import annotations

from bioscan_etl.rules import Rule

_SPEC = "spec: specimen images, image quality"

RULES: tuple[Rule, ...] = (
    Rule(
        id="UNREADABLE_IMAGE",
        statement="The image file is empty, truncated, damaged, too large, or not a JPEG, PNG or TIFF.",
        reason="The specimen has no usable image; deliver the file again.",
        source=_SPEC,
        setting="images.max_pixels",
        example="a text file named AAASF005-17.jpg",
    ),
    Rule(
        id="UNCERTAIN_BIT_DEPTH",
        statement="The image has 16-bit samples that use fewer than 15 bits, and does not state how many are "
        "significant.",
        reason="Cameras of 10, 12 or 14 bits write such files, which look black when read as 16 bits. A dark picture "
        "looks the same. State the bits in the setting.",
        source="issue reports of microscope cameras (plantcv 1804, pyLabLib-cam-control 11)",
        setting="images.significant_bits",
        example="a 16-bit TIFF whose brightest sample is 4032",
    ),
    Rule(
        id="EMPTY_IMAGE",
        statement="The detector found no specimen in the image.",
        reason="The well was empty or the specimen was outside the field of view; a crop would show only dirt.",
        source=_SPEC,
        setting="images.empty_confidence",
        example="a clean well with a hair in it",
    ),
    Rule(
        id="SEVERAL_SPECIMENS",
        statement="The detector found more than one plausible specimen in the image.",
        reason="The barcode belongs to one of them, but the crop may show another.",
        source=_SPEC,
        setting="images.min_confidence",
        example="two midges in one well",
    ),
    Rule(
        id="TOUCHES_BORDER",
        statement="The specimen's box touches the border of the image.",
        reason="Part of the specimen is cut off, so its size is an underestimate.",
        source=_SPEC,
        example="a box with x0 = 0",
    ),
    Rule(
        id="FRAGMENT",
        statement="The box covers a smaller share of the image than images.fragment_fraction.",
        reason="The box may show a leg, a wing or dirt instead of the specimen.",
        source=_SPEC,
        setting="images.fragment_fraction",
        example="a box of 30 x 40 px in 1024 x 768 px",
    ),
    Rule(
        id="BLURRED",
        statement="The variance of the Laplacian on the crop is below images.min_blur.",
        reason="The specimen is out of focus, so its identifying characters are not visible.",
        source=_SPEC,
        setting="images.min_blur",
        example="a specimen on the wall of the well, above the focal plane",
    ),
    Rule(
        id="BADLY_EXPOSED",
        statement="The mean grey of the crop is outside images.exposure_range.",
        reason="Shadow or glare hides the specimen.",
        source=_SPEC,
        setting="images.exposure_range",
        example="a mean grey of 30 of 255",
    ),
    Rule(
        id="BRIGHTNESS_OUTLIER",
        statement="The mean grey of the crop is far outside that of the batch's other images: nearly black or white.",
        reason="A photograph taken without light, or read with the wrong number of bits, shows nothing to learn from.",
        source="project: images of one imager have nearly the same brightness",
        setting="images.max_brightness_stops",
        example="a mean grey of 13 in a batch with a median of 194",
    ),
    Rule(
        id="NO_ORGANISM_PIXELS",
        statement="No pixel of the image shows the organism: image_measurement_value is 0.",
        reason="The box may show dirt, or the measurement failed.",
        source=_SPEC,
        example="an image_measurement_value of 0",
    ),
    Rule(
        id="EXACT_DUPLICATE_IMAGE",
        statement="The image file is byte-identical to that of another specimen.",
        reason="One of the two specimens has the wrong image.",
        source=_SPEC,
        example="two process IDs whose files have the same sha256",
    ),
    Rule(
        id="NEAR_DUPLICATE_IMAGE",
        statement="The difference hash of the specimen with its surroundings differs by at most "
        "images.near_duplicate_bits bits from that of another specimen.",
        reason="The same photograph may have been saved under two process IDs.",
        source=_SPEC,
        setting="images.near_duplicate_bits",
        example="the same photograph at two JPEG qualities",
    ),
)

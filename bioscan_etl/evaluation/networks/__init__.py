"""Networks of the benchmarks: a masked transformer over k-mers of barcodes, and the alignment of images, DNA and text.

Belongs here: what needs torch, which the extra `bench` installs. `alignment`, `checkpoints`, `classify`, `encoder`,
`pretraining` and `training` import it at their top; `lookups`, `measure`, `modalities`, `sizes` and `tokens` do not.
Does not belong here: the questions that networks are asked (`barcodebert`, `retrieval`).
"""

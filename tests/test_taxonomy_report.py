import polars as pl
import pytest

from bioscan_etl.taxonomy.report import circular


def is_circular(method):
    frame = pl.DataFrame({"identification_method": [method]}, schema={"identification_method": pl.String})
    return frame.select(circular()).item()


@pytest.mark.parametrize(
    "method",
    [
        *[
            "Molecular",
            "Morphology and Molecular",
            "Morpho-molecular",
            "Mol. ID",
            "mtDNA",
            "genetic",
            "Genetics",
            "genes",
        ],
        *[
            "gene tree",
            "BOLD",
            "BOLD match",
            "BOLDSystems",
            "Bold ID",
            "BOLD ID Engine: top hits",
            "NJ tree",
            "ID tree",
        ],
        *["Phylogenetic analysis", "phylogeny", "neighbour joining", "maximum likelihood", "Tree based identification"],
        *["BIN Taxonomy Match (Jun 2020)", "Digital Taxonomy and BIN Match (Nov 2022)", "COI barcode", "CO1", "COX1"],
        *[
            "cytochrome oxidase",
            "BLASTn",
            "GenBank BLAST",
            "NCBI",
            "sequence comparison",
            "Sanger sequencing",
            "barcodes",
        ],
        *[
            "identified by DNA barcoding",
            "metabarcoding",
            "eDNA",
            "16S",
            "ITS2",
            "haplotype",
            "OTU",
            "K2P distance",
            "PCR",
        ],
        *["moléculaire", "molekular", "genética", "génétique", "genetisch", "ADN", "DNS", "código de barras"],
        *["AI", "CNN image classifier", "iNaturalist computer vision", "machine learning", "image recognition"],
        *["Morphology andBIN Taxonomy Match (Jan, 2021)", "integrative (morphology, COI)"],
    ],
)
def test_methods_that_use_molecules_or_models(method):
    assert is_circular(method)


@pytest.mark.parametrize(
    "method",
    [
        *["Morphological", "Morphology (Apr 2021)", "Digital Morphology (Aug 2023)", "identification key", "genitalia"],
        *[
            "male genitalia dissection",
            "genus key",
            "key to genera",
            "general appearance",
            "generic key",
            "genal bristle",
        ],
        *[
            "Specimen examination",
            "visual identification",
            "from photograph",
            "wing venation",
            "decision key",
            "Robinson key",
        ],
        *[
            "under a tree",
            "binocular microscope",
            "combination of characters",
            "Manual of Nearctic Diptera",
            "regenerated",
        ],
        *["not barcoded", "no DNA", "without molecular data", "Morphology (not sequenced)", None],
    ],
)
def test_methods_that_look_at_the_specimen(method):
    assert not is_circular(method)

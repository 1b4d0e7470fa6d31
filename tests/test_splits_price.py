from splits_growth import RELEASES, growing_corpus, release

from bioscan_etl.settings import SplitSettings
from bioscan_etl.splits.price import bin_price
from bioscan_etl.splits.stable import assign_stable
from bioscan_etl.splits.targets import report
from bioscan_etl.vocabulary import SPLITS


def test_the_price_is_what_both_ways_give():
    table = release(growing_corpus(9, 200), RELEASES - 1)
    price = bin_price(table, seed=3)
    assert price["split"].to_list() == list(SPLITS)
    assert price["samples"].sum() == price["samples_together"].sum() == len(table)
    for together, column in ((False, "samples"), (True, "samples_together")):
        options = SplitSettings(protocol="stable", seed=3, keep_bins_together=together)
        assert price[column].equals(report(table, assign_stable(table, None, options)[0])["samples"], check_names=False)
    rows = {row["split"]: row for row in price.iter_rows(named=True)}
    assert rows["test"]["bins_shared"] > 0
    assert rows["pretrain"]["bins_shared"] == 0
    assert rows["test"]["species_together"] < rows["test"]["species"]  # a species in one BIN cannot be divided

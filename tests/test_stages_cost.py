import time

import numpy as np
import pytest

from bioscan_etl.stages.cost import Cost, measured

linux = pytest.mark.skipif("not __import__('pathlib').Path('/proc/self/io').exists()", reason="counters of Linux")


def test_time_and_processor_time_are_told_apart():
    with measured() as waiting:
        time.sleep(0.2)
    with measured() as working:
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
    assert waiting.seconds >= 0.2 > waiting.processor_seconds
    assert working.processor_seconds >= 0.2


@linux
def test_bytes_and_memory_are_those_of_the_block(tmp_path):
    np.ones(30_000_000)  # 240 MB, before the block
    with measured() as cost:
        (tmp_path / "file").write_bytes(bytes(5_000_000))
        (tmp_path / "file").read_bytes()
    with measured() as large:
        np.ones(30_000_000)
    assert 5_000_000 <= cost.bytes_written < 6_000_000
    assert 5_000_000 <= cost.bytes_read < 6_000_000
    assert large.peak_bytes - cost.peak_bytes > 150_000_000


def test_a_cost_is_complete_after_an_error():
    with pytest.raises(ValueError, match="of the block"), measured() as cost:
        raise ValueError("of the block")
    assert cost.seconds > 0


def test_what_the_system_does_not_count_is_left_out():
    assert str(Cost(1.5, 2.25)) == "1.50 s, 2.25 processor s"
    assert str(Cost(1, 2, 3_000_000, 4_000_000, 1_200_000_000)) == (
        "1.00 s, 2.00 processor s, 3 MB read, 4 MB written, 1,200 MB peak"
    )

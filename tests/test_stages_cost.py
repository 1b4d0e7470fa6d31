import resource
import time

import numpy as np
import pytest

from bioscan_etl.stages.cost import Cost, Meter

linux = pytest.mark.skipif("not __import__('pathlib').Path('/proc/self/io').exists()", reason="counters of Linux")


def test_time_and_processor_time_are_told_apart():
    meter = Meter()
    time.sleep(0.2)
    waiting = meter.cost()
    meter = Meter()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    working = meter.cost()
    assert waiting.seconds >= 0.2 > waiting.processor_seconds
    assert working.processor_seconds >= 0.2
    assert working.busy > waiting.busy


@linux
def test_bytes_and_memory_are_those_since_the_beginning(tmp_path):
    meter = Meter()
    (tmp_path / "file").write_bytes(bytes(5_000_000))
    (tmp_path / "file").read_bytes()
    cost = meter.cost()
    more = (cost.peak_bytes + 200_000_000) // 8
    meter = Meter()
    np.ones(more)
    large = meter.cost()
    assert 5_000_000 <= cost.bytes_written < 6_000_000
    assert 5_000_000 <= cost.bytes_read < 6_000_000
    assert large.peak_bytes - cost.peak_bytes > 150_000_000
    # The peak is that of the process, as the system states it to others.
    assert large.peak_bytes == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert Meter().cost().peak_bytes >= large.peak_bytes


def test_what_the_system_does_not_count_is_left_out():
    assert str(Cost(1.5, 2.25)) == "1.50 s, 2.25 processor s, 1.50 cores busy"
    assert str(Cost(1, 2, 3_000_000, 4_000_000, 1_200_000_000)) == (
        "1.00 s, 2.00 processor s, 2.00 cores busy, 3 MB read, 4 MB written, 1,200 MB peak so far"
    )
    assert str(Cost()) == "0.00 s, 0.00 processor s, 0.00 cores busy"

"""The plan of a program's memory."""

import numpy as np
import pytest

from tkit.c_code.arena import ALIGNMENT, Buffer, plan


def needed_at_once(buffers):
    sizes = [-(-buffer.size // ALIGNMENT) * ALIGNMENT for buffer in buffers]
    return max(
        sum(size for buffer, size in zip(buffers, sizes, strict=True) if buffer.first <= at <= buffer.last)
        for at in {buffer.first for buffer in buffers}
    )


@pytest.mark.parametrize("seed", range(20))
def test_buffers_that_live_at_once_do_not_overlap(seed):
    random = np.random.default_rng(seed)
    starts = random.integers(0, 20, 30)
    buffers = [Buffer(int(random.integers(1, 999)), int(at), int(at + random.integers(0, 6))) for at in starts]
    found = plan(buffers)
    assert all(offset % ALIGNMENT == 0 for offset in found.offsets)
    spans = [(at, at + buffer.size, buffer) for at, buffer in zip(found.offsets, buffers, strict=True)]
    for number, (low, high, one) in enumerate(spans):
        assert high <= found.size
        for other_low, other_high, other in spans[:number]:
            apart = high <= other_low or other_high <= low
            assert apart or one.last < other.first or other.last < one.first
    assert needed_at_once(buffers) <= found.size <= 1.3 * needed_at_once(buffers)


def test_a_chain_takes_its_two_largest_neighbours():
    sizes = [64, 4000, 80, 2000, 3000, 16]
    buffers = [Buffer(size, at, at + 1) for at, size in enumerate(sizes)]
    assert plan(buffers).size == 5000
    assert plan([]).size == 0

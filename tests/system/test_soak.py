"""A short soak, as `./dio soak` does it for as long as asked. A run that fails says its seed."""
import os
import random

import pytest
from conftest import BACKENDS_RV32, GSTAGE, PMP
from soak import operations, run, soak_capsules

SECONDS = 10


@pytest.mark.parametrize("backend", [GSTAGE, PMP, BACKENDS_RV32[2]], ids=repr)
def test_soak(machine, backend):
    seed = int(os.environ.get("DIOSIX_SOAK_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    m = machine(soak_capsules(), backend, terminal="all")
    print(run(m, seed, SECONDS))


def test_operations_replay():
    """The same seed, the same operations; another, others."""
    first, again, other = ([next(o) for _ in range(500)] for o in map(operations, (7, 7, 8)))
    assert first == again != other

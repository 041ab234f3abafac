"""A process that lets go of memory gives it back."""

import subprocess
import sys

_GROWTH = """
import sys
from pathlib import Path
from serve_app.memory import LARGE_BYTES, give_back_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if sys.argv[1] == "managed":
    give_back_memory()
large = bytearray(LARGE_BYTES * 2)
del large  # glibc now takes what is as large from the heap
before_mb = resident_mb()
several = [bytearray(LARGE_BYTES + 4096) for _ in range(12)]
for one in several:
    one[::4096] = b"x" * len(one[::4096])
pin = [bytearray(900) for _ in range(2000)]  # what lies behind them in a heap keeps it from shrinking
del several, one
print(resident_mb() - before_mb)
"""


def test_large_arrays_that_were_let_go_of_are_no_longer_resident() -> None:
    def grown_mb(how: str) -> float:
        done = subprocess.run([sys.executable, "-c", _GROWTH, how], capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert grown_mb("managed") < 30

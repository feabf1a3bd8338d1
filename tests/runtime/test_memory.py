"""Memory goes back to the system, in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

HOLES = """
    from pathlib import Path
    from service.runtime import memory
    from tests.waiting import eventually

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20

    memory.TRIM_SECONDS = 0.05
    memory.give_back_what_is_freed()
    pieces = [bytes(60_000) for _ in range(4000)]  # 230 MiB on the heap, and between them
    small = [bytes(2000) for _ in range(4000)]
    pieces = pieces[::50]  # some that stay
    eventually(resident, lambda now: now < 120, seconds=20)  # without it there are more than 200
"""


MAPPED = """
    import sys
    import numpy as np
    import onnx
    from pathlib import Path
    from service.runtime import memory
    from service.runtime.engine import Engine
    from service.runtime.files import OPTIMIZED_WEIGHTS

    def resident() -> int:
        found = [line.split() for line in Path("/proc/self/smaps").read_text().splitlines()]
        starts = [i for i, words in enumerate(found) if len(words) > 5 and OPTIMIZED_WEIGHTS in words[5]]
        sizes = [next(words for words in found[i:] if words[0] == "Rss:") for i in starts]
        return sum(int(words[1]) for words in sizes) if starts else -1

    text = '<ir_version: 8, opset_import: ["": 18]> g (float[N, 1000] x) => (float[N, 1000] y) { y = MatMul(x, m) }'
    model = onnx.parser.parse_model(text)
    matrix = np.random.default_rng(0).random((1000, 1000), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(matrix, "m"))
    session = Engine("cpu", 1).load(model)
    run = lambda: session.run(["y"], {"x": np.ones((1, 1000), np.float32)})[0]
    before = run()
    assert resident() > 3000, resident()
    memory.let_go_of_mapped("another name")
    assert resident() > 3000, resident()
    memory.let_go_of_mapped(OPTIMIZED_WEIGHTS)
    assert resident() == 0, resident()
    np.testing.assert_array_equal(run(), before)
    assert resident() > 3000, resident()
"""


@pytest.mark.parametrize("script", [HOLES, MAPPED], ids=["holes", "mapped"])
@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_what_is_not_needed_goes_back(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr

"""Who asks a server needs little to be installed."""

import subprocess
import sys

HEAVY = ("numpy", "PIL", "jinja2", "fastapi", "onnxruntime", "onnx", "matplotlib", "redis")


def test_what_is_there_whoever_explains_is_light() -> None:
    program = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY!r}))
import service.cli.explaining, service.cli.explaining_here, service.folders.survey
"""
    subprocess.run([sys.executable, "-c", program], check=True)

"""Running graphs: ONNX Runtime's sessions, and the lanes that share the processor between them."""

import os

# Read by ONNX Runtime as it is imported. It would send events to its maker, and write a device id and a database into
# the home folder. An operator who wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

"""Running graphs: ONNX Runtime's sessions, and the lanes that share the processor between them."""

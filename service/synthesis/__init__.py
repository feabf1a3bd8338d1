"""Images made by gradient ascent: parametrizations, transforms, optimizers and presets, on arrays. They know neither ONNX nor HTTP."""

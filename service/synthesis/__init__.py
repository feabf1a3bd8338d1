"""Images made by gradient ascent: parametrizations, transforms, optimizers and presets.

All of it works on arrays and knows neither ONNX nor HTTP.
"""

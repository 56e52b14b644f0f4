"""ONNX files: models that onnxruntime runs, in Python and elsewhere."""

from stackens.export.onnx._inputs import Inputs
from stackens.export.onnx._runner import OnnxRunner, manifest_text, open_onnx
from stackens.export.onnx._write import write_onnx

__all__ = ["Inputs", "OnnxRunner", "manifest_text", "open_onnx", "write_onnx"]

"""Serve an exported model over HTTP, with FastAPI and onnxruntime; stackens is not needed.

Write a model with export_student.py, or any other with ``se.export.to_onnx``, then::

    pip install fastapi uvicorn onnxruntime
    cd examples/deployment
    MODEL=model.onnx uvicorn serve:app

and ask it about a row, whose columns http://127.0.0.1:8000/docs lists::

    curl http://127.0.0.1:8000/predict -H "Content-Type: application/json" \
        -d '{"age": 41, "income": null, "town": "Oslo"}'

null is a missing value; moments are texts such as "2024-05-17T08:30", durations are seconds. Rows
with wrong, unknown or absent fields, and rows that the model does not take, get status 422 and
what is wrong with them.
"""

import os

from exported_model import ExportedModel, tell
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

model = ExportedModel(os.environ.get("MODEL", "model.onnx"))
app = FastAPI(title="A model exported by stackens")
app.add_exception_handler(RequestValidationError, tell)


@app.post("/predict")
def predict(row: model.Row):
    return model.answer(row)

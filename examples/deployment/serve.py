"""Serve an exported model over HTTP, with FastAPI and onnxruntime; stackens is not needed.

Write a model with export_student.py, or any other with ``se.export.to_onnx``, then::

    pip install fastapi uvicorn onnxruntime
    cd examples/deployment
    MODEL=model.onnx uvicorn serve:app

and ask it about a row, whose columns http://127.0.0.1:8000/docs lists::

    curl http://127.0.0.1:8000/predict -H "Content-Type: application/json" \
        -d '{"radius": 17.9, "texture": null, "district": "north"}'

null is a missing value; moments are texts such as "2024-05-17T08:30", durations are seconds. Rows
with wrong, unknown or absent fields, and rows that the model does not take, get status 422 and
what is wrong with them.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictFloat, create_model

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # quicker for single rows, and trees add up as in their source
session = onnxruntime.InferenceSession(
    os.environ.get("MODEL", "model.onnx"), options, providers=["CPUExecutionProvider"]
)
about = session.get_modelmeta().custom_metadata_map
columns = json.loads(about["columns"])


def microseconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)


def text_of(value: str | bool | int | None) -> str:
    if value is None:
        return about["missing_text"]
    return about["unknown_text"] if value == about["missing_text"] else str(value)


# The columns that the model does not read may stay away; what they hold counts for nothing.
types = {
    "number": (StrictFloat | StrictBool | None, ...),
    "category": (Annotated[str | bool | int | None, AfterValidator(text_of)], ...),
    "datetime": (Annotated[str, AfterValidator(microseconds)] | None, ...),
    "timedelta": (StrictFloat | None, ...),
    "unread": (Any, None),
}
Row = create_model(
    "Row",
    __config__=ConfigDict(extra="forbid"),
    **{
        f"column_{i}": (types[column["kind"]][0], Field(types[column["kind"]][1], alias=column["name"]))
        for i, column in enumerate(columns)
    },
)
app = FastAPI(title="A model exported by stackens")


@app.post("/predict")
def predict(row: Row) -> dict[str, Any]:
    feed = {}
    for each in session.get_inputs():
        is_text = each.type == "tensor(string)"
        feed[each.name] = np.full((1, each.shape[1]), "" if is_text else np.nan, dtype=object if is_text else float)
    for i, column in enumerate(columns):
        value = getattr(row, f"column_{i}")
        if column["kind"] != "unread" and value is not None:
            feed[column["input"]][0, column["position"]] = value
    answers = {
        output.name: value[0].tolist()
        for output, value in zip(session.get_outputs(), session.run(None, feed), strict=True)
    }
    numbers = [value for name, value in answers.items() if name != "label"]
    if not np.isfinite(numbers).all():
        raise HTTPException(422, REFUSED)
    if "probabilities" in answers:
        classes = map(str, json.loads(about["classes"]))
        answers["probabilities"] = dict(zip(classes, answers["probabilities"], strict=True))
    return answers


REFUSED = (
    "The model does not take this row: a number is missing, infinite or too large where it must "
    "not be, or a category is one that it does not know."
)


# FastAPI's own answer repeats the row, which JSON cannot hold if there is a NaN in it.
@app.exception_handler(RequestValidationError)
def tell(_: Any, error: RequestValidationError) -> Response:
    detail = [{"field": each["loc"][1:], "problem": each["msg"]} for each in error.errors()]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")

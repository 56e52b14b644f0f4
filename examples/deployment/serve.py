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
path = os.environ.get("MODEL", "model.onnx")
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
columns = json.loads(about["columns"])
app = FastAPI(title="A model exported by stackens")


# --- what a row is, and how it is checked ---------------------------------------------------------


def microseconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)


def category(value: str | bool | int | None) -> str:
    if value is None:
        return about["missing_text"]
    str(value).encode()  # halves of characters, which JSON can spell, are told as an error here
    return about["unknown_text"] if value == about["missing_text"] else str(value)


def field(column: dict[str, Any]) -> tuple[Any, Any]:
    """Return the type of a column, and its name; one that the model does not read may be absent."""
    types = {
        "number": StrictFloat | StrictBool | None,
        "category": Annotated[str | bool | int | None, AfterValidator(category)],
        "datetime": Annotated[str, AfterValidator(microseconds)] | None,
        "timedelta": StrictFloat | None,
        "unread": Any,
    }
    absent = None if column["kind"] == "unread" else ...
    return types[column["kind"]], Field(absent, alias=column["name"])


fields = {f"column_{i}": field(column) for i, column in enumerate(columns)}
Row = create_model("Row", __config__=ConfigDict(extra="forbid"), **fields)


# FastAPI's own answer repeats the row, which JSON cannot hold if there is a NaN in it.
@app.exception_handler(RequestValidationError)
def tell(_: Any, error: RequestValidationError) -> Response:
    problems = [{"field": each["loc"][1:], "problem": each["msg"]} for each in error.errors()]
    return Response(json.dumps({"detail": problems}), 422, media_type="application/json")


# --- the answer -----------------------------------------------------------------------------------


@app.post("/predict")
def predict(row: Row) -> dict[str, Any]:
    feed = {
        each.name: np.full((1, each.shape[1]), np.nan, "O" if "string" in each.type else "f8")
        for each in session.get_inputs()
    }
    for name, column in zip(fields, columns, strict=True):
        value = getattr(row, name)
        if column["kind"] != "unread" and value is not None:
            feed[column["input"]][0, column["position"]] = value
    named = zip(session.get_outputs(), session.run(None, feed), strict=True)
    answers = {output.name: value.tolist()[0] for output, value in named}
    if not np.isfinite([answers[name] for name in answers if name != "label"]).all():
        raise HTTPException(
            422,
            "The model does not take this row: a number is missing, infinite or too large where "
            "it must not be, or it does not know a category.",
        )
    if "probabilities" in answers:
        classes = map(str, json.loads(about["classes"]))
        answers["probabilities"] = dict(zip(classes, answers["probabilities"], strict=True))
    return answers

"""An exported ONNX model behind a checked row: what serve.py needs besides FastAPI.

Nothing of stackens is needed; what the columns are stands in the file's metadata.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import HTTPException, Response
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    create_model,
)


class ExportedModel:
    """An opened file; `Row` is the pydantic model of its rows."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        # quicker for single rows, and trees add up as in their source
        options.intra_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)
        self.about = self.session.get_modelmeta().custom_metadata_map
        self.columns = json.loads(self.about["columns"])
        self.fields = {f"column_{i}": self._field(column) for i, column in enumerate(self.columns)}
        self.Row = create_model("Row", __config__=ConfigDict(extra="forbid"), **self.fields)

    def answer(self, row: BaseModel) -> dict[str, Any]:
        """Answer one row: label and probabilities by class, or predictions."""
        feed = {
            each.name: np.full((1, each.shape[1]), np.nan, "O" if "string" in each.type else "f8")
            for each in self.session.get_inputs()
        }
        for name, column in zip(self.fields, self.columns, strict=True):
            value = getattr(row, name)
            if column["kind"] != "unread" and value is not None:
                feed[column["input"]][0, column["position"]] = value
        found = zip(self.session.get_outputs(), self.session.run(None, feed), strict=True)
        answers = {output.name: value.tolist()[0] for output, value in found}
        if not np.isfinite([answers[name] for name in answers if name != "label"]).all():
            raise HTTPException(
                422,
                "The model does not take this row: a number is missing, infinite or too large "
                "where it must not be, or it does not know a category.",
            )
        if "probabilities" in answers:
            classes = map(str, json.loads(self.about["classes"]))
            answers["probabilities"] = dict(zip(classes, answers["probabilities"], strict=True))
        return answers

    def _field(self, column: dict[str, Any]) -> tuple[Any, Any]:
        """Return the type of a column, and its name; one that nothing reads may be absent."""
        types = {
            "number": StrictFloat | StrictBool | None,
            "category": Annotated[str | bool | int | None, AfterValidator(self._category)],
            "datetime": Annotated[str, AfterValidator(_microseconds)] | None,
            "timedelta": StrictFloat | None,
            "unread": Any,
        }
        absent = None if column["kind"] == "unread" else ...
        return types[column["kind"]], Field(absent, alias=column["name"])

    def _category(self, value: str | bool | int | None) -> str:
        missing = self.about["missing_text"]
        if value is None:
            return missing
        str(value).encode()  # halves of characters, which JSON can spell, are an error here
        return self.about["unknown_text"] if value == missing else str(value)


def _microseconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)


def tell(_: Any, error: RequestValidationError) -> Response:
    """Say what is wrong with a row.

    FastAPI's own answer repeats the row, which JSON cannot hold if there is a NaN in it.
    """
    problems = [{"field": each["loc"][1:], "problem": each["msg"]} for each in error.errors()]
    return Response(json.dumps({"detail": problems}), 422, media_type="application/json")

"""Keras runs on torch, which is what the tests install; it reads its backend when imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

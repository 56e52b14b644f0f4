"""Real Keras files: read, averaged, and read by Keras again, with the newest optimizer state."""

import json
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import numpy as np
import pytest

from stackens.weight_averaging.files import read_checkpoint
from stackens.weight_averaging.files._keras import is_keras, weights_in_keras

# Keras takes its backend from the environment when it is imported, hence another process.
SCRIPT = """
import json, os, sys, warnings
os.environ["KERAS_BACKEND"] = "torch"
warnings.simplefilter("ignore")
import keras, numpy as np
from stackens import weight_averaging as wa

folder = sys.argv[1]
X = np.random.default_rng(0).normal(size=(32, 4))

def build():
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(5, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(3),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.MeanSquaredError())
    return model

def iterations(model):
    return int(model.optimizer.iterations)

models = [build() for _ in range(3)]
for epochs, model in enumerate(models, 1):
    model.fit(X, X[:, :3], epochs=epochs, verbose=0)
weights = [model.get_weights() for model in models]
means = [np.mean([np.asarray(w, float) for w in each], axis=0) for each in zip(*weights)]
found = {}
for suffix in (".keras", ".weights.h5", ".h5"):
    paths = [f"{folder}/{i}{suffix}" for i in range(3)]
    for model, path in zip(models, paths):
        (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    output = f"{folder}/average{suffix}"
    report = wa.average_checkpoints(paths, output)
    if suffix == ".weights.h5":
        loaded = build()
        loaded.optimizer.build(loaded.trainable_variables)
        loaded.load_weights(output)
    else:
        loaded = keras.models.load_model(output)
    loaded.predict(X, verbose=0)
    wa.average_checkpoints(paths, f"{folder}/average.npz")
    again = wa.average_checkpoints(paths, f"{folder}/again{suffix}")
    pairs = zip(loaded.get_weights(), means)
    found[suffix] = {
        "same": [bool((a == b.astype(a.dtype)).all()) for a, b in pairs if a.dtype.kind == "f"],
        "iterations": [iterations(loaded), iterations(models[-1])],
        "names": sorted(np.load(f"{folder}/average.npz")),
        "equal bytes": again.crc32 == report.crc32,
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def averages(tmp_path_factory):
    """What came of averaging three models, by format."""
    if not all(map(find_spec, ("keras", "h5py", "torch"))):
        pytest.skip("Keras, h5py and torch are not all installed")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("keras"))],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_averages_of_real_models(averages, suffix):
    found = averages[suffix]
    assert len(found["same"]) == 8
    assert all(found["same"])
    assert found["iterations"] == [3, 3]
    assert not [name for name in found["names"] if "optimizer" in name or "adam" in name]
    assert found["equal bytes"]


def test_files_without_weights_in_place_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("metadata.json", "{}")
            if compression == zipfile.ZIP_DEFLATED:
                archive.writestr("model.weights.h5", bytes(100))
            assert is_keras(archive.namelist())
        found = "none" if compression == zipfile.ZIP_STORED else "a compressed one"
        with pytest.raises(ValueError, match=rf"model.weights.h5, stored as it is. Got {found}"):
            weights_in_keras(path)


def test_the_checksum_of_the_weights_is_compared(tmp_path):
    h5py = pytest.importorskip("h5py")
    weights, path = tmp_path / "weights.h5", tmp_path / "model.keras"
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.full(1000, 3.0)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", "{}")
        archive.write(weights, "model.weights.h5")
    assert read_checkpoint(path)["layers/dense/vars/0"].sum() == 3000
    content = bytearray(path.read_bytes())
    content[content.index(np.full(9, 3.0).tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model.keras must hold what was written.*model.weights"):
        read_checkpoint(path)

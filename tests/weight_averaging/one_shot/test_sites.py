"""What a site sends: round trips, and numbers that make no sense."""

import json

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from stackens.weight_averaging.files import open_checkpoint
from stackens.weight_averaging.one_shot import InputSchema, Site, read_sites, save_site
from stackens.weight_averaging.one_shot._sites import as_sites

STATE = {"w": np.arange(6.0).reshape(2, 3), "b": np.float32([0.5, -1]), "steps": np.int64(3)}


def test_a_site_survives_its_file(tmp_path):
    mean, scale = [0.1, 1 / 3], [2.0, 1e-9]
    save_site(
        tmp_path / "north.safetensors",
        STATE,
        n_rows=12,
        class_counts=[5, 0, 7],
        input_scaler=(mean, scale),
        output_scaler=(4.0, 2.5),
        input_schema=InputSchema(shape=(3,), low=0, high=[1, 2, 3]),
    )
    (site,) = read_sites(tmp_path)
    assert site.name == "north"
    for name, array in STATE.items():
        assert site.state[name].dtype == np.asarray(array).dtype
        assert (site.state[name] == array).all()
    assert site.n_rows == 12
    assert site.class_counts.tolist() == [5, 0, 7]
    assert site.input_scaler[0].tolist() == mean
    assert site.input_scaler[1].tolist() == scale
    assert site.output_scaler[0] == 4.0
    assert site.output_scaler[1] == 2.5
    assert site.input_schema[0].shape == (3,)
    assert site.input_schema[0].high.tolist() == [1, 2, 3]


def test_a_module_and_its_state_dict_give_the_same_file(tmp_path):
    network = torch.nn.LSTM(2, 3)
    save_site(tmp_path / "a.safetensors", network)
    save_site(tmp_path / "b.safetensors", network.state_dict())
    first, second = ((tmp_path / name).read_bytes() for name in ("a.safetensors", "b.safetensors"))
    assert first == second


def test_other_tools_read_the_file(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    network = torch.nn.Linear(2, 3)
    save_site(tmp_path / "a.safetensors", network, n_rows=4)
    read = safetensors.load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in network.state_dict().items())


def test_plain_safetensors_files_are_sites_too(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({"w": torch.ones(2)}, tmp_path / "a.safetensors")
    (site,) = read_sites(tmp_path)
    assert site.n_rows is None
    assert site.input_scaler is None
    assert (site.state["w"] == 1).all()


def test_no_row_of_data_is_in_the_file(tmp_path):
    save_site(tmp_path / "a.safetensors", STATE, class_counts=[1, 2])
    metadata = open_checkpoint(tmp_path / "a.safetensors").metadata
    assert sorted(json.loads(metadata["stackens.site"])) == ["class_counts", "n_rows"]


def test_rows_are_the_sum_of_the_class_counts():
    assert Site(STATE, class_counts=[2, 3]).n_rows == 5
    assert Site(STATE, class_counts=[2, 3], n_rows=9).n_rows == 9


def test_scalers_of_scikit_learn_are_understood():
    X = np.random.default_rng(0).normal(3, 2, (50, 2))
    scaler = StandardScaler().fit(X)
    site = Site(STATE, input_scaler=scaler, output_scaler=StandardScaler(with_mean=False).fit(X))
    assert (site.input_scaler[0] == scaler.mean_).all()
    assert (site.input_scaler[1] == scaler.scale_).all()
    only_centred = Site(STATE, input_scaler=StandardScaler(with_std=False).fit(X))
    assert only_centred.input_scaler[1].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_rows": 0}, "'n_rows'.*above zero"),
        ({"n_rows": np.nan}, "'n_rows'"),
        ({"class_counts": [1, -1]}, "'class_counts'"),
        ({"class_counts": [0, 0]}, "'class_counts'"),
        ({"class_counts": [[1, 2]]}, "'class_counts'"),
        ({"class_counts": [np.nan, 2]}, "'class_counts'.*finite"),
        ({"class_counts": ["a"]}, "'class_counts'.*numbers"),
        ({"input_scaler": (0, 0)}, "'input_scaler'.*above zero"),
        ({"input_scaler": ([0, 0], [1, 1, 1])}, "'input_scaler'.*one shape"),
        ({"output_scaler": 3.0}, "'output_scaler'.*pair"),
        ({"output_scaler": (np.inf, 1)}, "'output_scaler'.*finite"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Site(STATE, name="north", **given)


def test_a_site_needs_weights():
    with pytest.raises(ValueError, match="'state'"):
        Site({})


def test_nan_weights_are_not_sent(tmp_path):
    with pytest.raises(ValueError, match=r"NaN in \['w'\]"):
        save_site(tmp_path / "a.safetensors", {"w": np.array([np.nan])})
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"must end in '.safetensors'"):
        save_site(tmp_path / "a.pt", STATE)


def test_a_folder_without_sites_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must hold their .safetensors files"):
        read_sites(tmp_path)


def test_damaged_numbers_are_refused(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    for content in ("{", '{"n_rows": -1}', '{"what": 1}', '{"input_schema": [1]}'):
        safetensors.save_file(
            {"w": torch.ones(2)}, tmp_path / "a.safetensors", {"stackens.site": content}
        )
        with pytest.raises(ValueError, match="must be the file of a site"):
            read_sites(tmp_path)


def test_sites_are_read_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a", "c"):
        save_site(tmp_path / f"{name}.safetensors", STATE)
    assert [site.name for site in read_sites(tmp_path)] == ["a", "b", "c"]


def test_sites_in_whatever_form(tmp_path):
    save_site(tmp_path / "a.safetensors", STATE)
    network = torch.nn.Linear(2, 2)
    assert [site.name for site in as_sites(tmp_path)] == ["a"]
    assert [
        site.name for site in as_sites([STATE, network, Site(STATE), Site(STATE, name="x")])
    ] == [
        "site 0",
        "site 1",
        "site 2",
        "x",
    ]
    assert [site.name for site in as_sites({"n": STATE, "s": Site(STATE, n_rows=2)})] == ["n", "s"]


def test_what_are_no_sites_is_refused():
    with pytest.raises(TypeError, match="must be several"):
        as_sites(STATE)
    with pytest.raises(TypeError, match="must be a state dict, a Site or a module"):
        as_sites([3])
    with pytest.raises(ValueError, match="at least one site"):
        as_sites([])
    with pytest.raises(ValueError, match="Names of sites must differ"):
        as_sites([Site(STATE, name="a"), Site(STATE, name="a")])
    with pytest.raises(ValueError, match=r"needs the names \['merged'\] itself"):
        as_sites({"merged": STATE})


def test_rows_are_one_number():
    assert Site(STATE, n_rows=torch.tensor(4)).n_rows == 4.0
    for wrong in ("many", [3, 4], 0, np.nan):
        with pytest.raises(ValueError, match="'n_rows' of a site must"):
            Site(STATE, n_rows=wrong)


def test_one_network_is_not_several_sites():
    with pytest.raises(TypeError, match="Got one network"):
        as_sites(torch.nn.Sequential(torch.nn.Linear(2, 2)))


def test_networks_in_other_files_are_not_left_out_silently(tmp_path):
    save_site(tmp_path / "north.safetensors", {"w": np.zeros(2)})
    (tmp_path / "readme.txt").write_text("hello")
    assert len(read_sites(tmp_path)) == 1
    torch.save({"w": torch.zeros(2)}, tmp_path / "south.pt")
    with pytest.raises(ValueError, match=r"left out. Got \['south.pt'\]"):
        read_sites(tmp_path)


def test_a_site_is_saved_from_its_network(tmp_path):
    with pytest.raises(TypeError, match="takes the network itself"):
        save_site(tmp_path / "north.safetensors", Site({"w": np.zeros(2)}))

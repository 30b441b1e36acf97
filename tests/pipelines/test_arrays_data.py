"""The data kind `arrays`: an .npz file with an array for each input, divided, and refused with the array's name."""

from __future__ import annotations

import numpy as np
import pytest

from tkit_edge.errors import InputError
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.tensors import TensorSpec
from tkit_pipelines.config import component_class, kinds
from tkit_pipelines.data import Data
from tkit_pipelines.data.arrays import Arrays
from tkit_pipelines.dataset import Rows
from tkit_pipelines.stratify import stratified, unstratified

COUNT = 50
ROOMS, PLACE = np.arange(COUNT), np.random.default_rng(0).normal(size=(COUNT, 2))
PRICE = ROOMS * 1000.5
HOUSES = {"rooms": ROOMS, "place": PLACE, "price": PRICE}


@pytest.fixture
def arrays(tmp_path):
    def made(values, **settings):
        np.savez(tmp_path / "data.npz", **values)
        return Arrays(source=str(tmp_path / "data.npz"), **settings)

    return made


def parts(splits):
    return splits.train, splits.validation, splits.test


def test_numbers_are_divided_with_their_inputs(arrays):
    splits = arrays(HOUSES, targets="price", labels="numbers").load(0)
    assert [len(part) for part in parts(splits)] == [36, 4, 10]
    rows = np.concatenate([part.columns["rooms"] for part in parts(splits)])
    assert sorted(rows) == list(range(COUNT))
    for part in parts(splits):
        assert part.columns["number"].dtype == part.columns["place"].dtype == np.float32
        np.testing.assert_array_equal(part.columns["number"], np.float32(PRICE)[part.columns["rooms"]])
        np.testing.assert_array_equal(part.columns["place"], np.float32(PLACE)[part.columns["rooms"]])
    assert (splits.class_names, splits.remarks()) == ((), [])
    specs = TensorSpec("rooms", (), "int32"), TensorSpec("place", (2,), "float32")
    assert isinstance(splits.input, Tensors) and splits.input.specs == specs


def test_the_test_part_is_the_same_for_every_seed(arrays):
    data = arrays(HOUSES)
    first, second = data.load(0), data.load(1)
    np.testing.assert_array_equal(first.test.columns["rooms"], second.test.columns["rooms"])
    assert set(first.validation.columns["rooms"]) != set(second.validation.columns["rooms"])


def test_pinned_for_ever():
    """These numbers must never change: they decide what was tested on in runs already made."""
    assert unstratified(20, 0.2, 0, "it")[1].tolist() == [2, 12, 16, 19]
    for one, other in zip(unstratified(20, 0.2, 3, "it"), stratified(np.zeros(20), 0.2, 3, ("it",)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_need_be_known_to_be_right(arrays):
    data = arrays({"rooms": ROOMS})
    assert (data.labels, data.target) == ("none", None)
    assert list(data.load(0).train.columns) == ["rooms"]


@pytest.mark.parametrize(
    ("names", "ordered"),
    [(("b", "a10", "a9"), ("a9", "a10", "b")), ((10, -1, 9), ("-1", "9", "10")), ((True, False), ("False", "True"))],
)
def test_classes_are_text_or_whole_numbers(arrays, names, ordered):
    right = np.array(names)[ROOMS % len(names)]
    splits = arrays({"rooms": ROOMS, "right": right[:, None]}, targets="right", labels="classes").load(0)
    assert splits.class_names == ordered
    for part in parts(splits):
        assert part.labels.dtype == np.int32
        assert [ordered[label] for label in part.labels] == [str(right[row]) for row in part.columns["rooms"]]
        assert len(np.unique(part.labels)) == len(names)


def test_past_the_budget_arrays_are_not_copied(arrays, monkeypatch):
    monkeypatch.setenv("TKIT_RAM", "0")
    train, _, test = parts(arrays(HOUSES).load(0))
    assert isinstance(train.columns["place"], Rows) and isinstance(test.columns["place"], Rows)
    assert train.columns["place"].store is test.columns["place"].store


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rooms": ROOMS[:40]}, r"'rooms' has 40 rows and 'place' has 50: expected as many"),
        ({"rooms": np.float64(3)}, r"the array 'rooms' must be \[n, ...\], a row per example; received one value"),
        ({"rooms": np.array(["x"] * COUNT)}, r"the array 'rooms' must be float32 or .* received <U1"),
        ({"rooms": PLACE.astype(np.float16)}, "received float16. Convert it"),
        ({"rooms": np.array([None] * COUNT)}, r"'rooms.npy' holds Python objects, not plain numbers"),
        ({"place": np.where(ROOMS[:, None] == 7, np.nan, PLACE)}, "'place' has a value in row 7 that is no finite"),
        ({"place": np.where(ROOMS[:, None] == 9, 1e300, PLACE)}, "'place' has a value in row 9 that is no finite"),
        ({"price": np.where(ROOMS == 4, np.inf, PRICE)}, "'price' has a value in row 4 that is no finite"),
        ({"price": PLACE}, r"'price' must be \[n\], one value per example; received \[50, 2\]"),
        ({"price": np.array(["x"] * COUNT)}, "'price' must be numbers; received <U1"),
        ({"number": ROOMS}, "none of them called 'number'"),
    ],
)
def test_what_is_wrong_with_an_array_is_told_by_its_name(arrays, changed, message):
    with pytest.raises(InputError, match=message):
        arrays({**HOUSES, **changed}, targets="price", labels="numbers").load(0)


def test_other_mistakes_are_explained(arrays, tmp_path):
    with pytest.raises(InputError, match=r"has no array 'prize'. Did you mean 'price'\?"):
        arrays(HOUSES, targets="prize", labels="numbers").load(0)
    with pytest.raises(InputError, match="expected an array for each input of the model beside 'price'"):
        arrays({"price": PRICE}, targets="price", labels="numbers").load(0)
    with pytest.raises(InputError, match="'price' must be text or whole numbers, the names of classes"):
        arrays(HOUSES, targets="price", labels="classes").load(0)
    with pytest.raises(InputError, match="class '0' has too few examples"):
        arrays({"rooms": ROOMS, "right": ROOMS}, targets="right", labels="classes").load(0)
    with pytest.raises(InputError, match=r"has too few examples \(1 left\)"):
        arrays({"rooms": ROOMS[:2]}, validation=0.9).load(0)
    (tmp_path / "notes.npz").write_text("hello")
    with pytest.raises(InputError, match=r"notes.npz is no whole .npz file"):
        Arrays(source=str(tmp_path / "notes.npz")).load(0)
    with pytest.raises(InputError, match="No such file"):
        Arrays(source=str(tmp_path / "missing.npz")).load(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": "numbers"}, "data.labels=numbers and data.targets=null don't fit: targets names the array"),
        ({"targets": "price", "labels": "none"}, "data.labels=none and data.targets=price don't fit"),
        ({"targets": "price", "labels": "numbers", "balance": "weights"}, "balance=weights evens out classes"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(arrays, settings, message):
    with pytest.raises((InputError, ValueError), match=message):
        arrays(HOUSES, **settings).load(0)


def test_every_file_of_data_holds_its_kind():
    assert kinds("tkit_pipelines.data") == ["arrays", "images", "texts"]
    found = [component_class("tkit_pipelines.data", kind) for kind in kinds("tkit_pipelines.data")]
    assert all(issubclass(cls, Data) for cls in found)
    assert [cls.takes for cls in found] == ["tensors", "image", "text"]


def test_the_json_round_trip_keeps_the_settings(arrays):
    data = arrays(HOUSES, targets="price", labels="numbers")
    assert Arrays.model_validate_json(data.model_dump_json()) == data
    assert data.located() == data


def test_parts_of_the_files_own_are_the_parts(arrays):
    own = {
        "validation/rooms": ROOMS[:7],
        "test/rooms": ROOMS[:9],
        "validation/price": ROOMS[:7],
        "test/price": ROOMS[:9],
    }
    splits = arrays({"rooms": ROOMS, "price": ROOMS, **own}, targets="price", labels="numbers").load(0)
    assert [len(part) for part in parts(splits)] == [50, 7, 9]
    for part in parts(splits):
        np.testing.assert_array_equal(part.columns["rooms"], part.columns["number"])
    validation = {"rooms": ROOMS, "validation/rooms": ROOMS[:7]}
    assert [len(part) for part in parts(arrays(validation).load(0))] == [40, 7, 10]


def test_class_names_name_what_targets_count(arrays):
    kind, names = ROOMS % 2, np.array(["small", "large"])
    splits = arrays({"rooms": ROOMS, "kind": kind, "class_names": names}, targets="kind", labels="classes").load(0)
    assert splits.class_names == ("small", "large")
    np.testing.assert_array_equal(splits.test.labels, splits.test.columns["rooms"] % 2)
    with pytest.raises(InputError, match="'kind' must be whole numbers from 0 to 1, as there are 2 class_names"):
        arrays({"rooms": ROOMS, "kind": kind + 1, "class_names": names}, targets="kind", labels="classes").load(0)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"test/place": PLACE[:9]}, "The test and the training part must have the same arrays; only one has 'rooms'"),
        ({"test/rooms": PLACE[:9], "test/place": PLACE[:9]}, r"'rooms' is \[9, 2\] in the test part and \[50\]"),
        ({"test/rooms": ROOMS[:9], "test/place": PLACE[:8]}, "'rooms' has 9 rows and 'place' has 8"),
    ],
)
def test_parts_have_the_same_arrays(arrays, own, message):
    with pytest.raises(InputError, match=message):
        arrays({"rooms": ROOMS, "place": PLACE, **own}).load(0)

"""Names that people give: splits in any spelling, classes in a table's order, files that are no images."""

from __future__ import annotations

import numpy as np
import pytest

from tkit.cli import main
from tkit_edge.errors import InputError
from tkit_pipelines.data.images import Images
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape

SHAPE = Shape(4, 4, 1)


def load(path):
    return resolve(str(path)).load(SHAPE)


def splits(path, **settings):
    return Images(source=str(path), image_size=(4, 4), channels=1, batch_size=4, **settings).load(0)


@pytest.fixture
def pool(tree):
    """The images of each split's classes."""
    return {name: data for name, data in tree.items() if name.endswith(".png")}


def renamed(pool, train, test, extra=()):
    files = {name.replace("train/", f"{train}/", 1): data for name, data in pool.items() if name.startswith("train/")}
    files |= {name.replace("test/", f"{test}/", 1): data for name, data in pool.items() if name.startswith("test/")}
    return files | dict(extra)


SPELLINGS = (
    *("train test", "Training Testing", "train_set test_set", "Train Test", "TRAIN TEST", "training_data testing_data"),
    *(
        "trainset testset",
        "TrainingSet TestSet",
        "train-images test-images",
        "training_set test_set",
        "seg_train seg_test",
    ),
    *(
        "train2017 test2017",
        "dataset_train dataset_test",
        "Train Valid",
        "train validation",
        "TRAIN VAL",
        "Training dev",
    ),
    *("set/Training set/Testing", "seg_train/seg_train seg_test/seg_test", "x_train x_val", "train test/test"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_split_names_in_any_spelling(tmp_path, pool, write, kind, spelling):
    train, test = spelling.split()
    loaded = load(write[kind](tmp_path / "set", renamed(pool, train, test)))
    assert (loaded.class_names, len(loaded.train), len(loaded.test)) == (("cat", "dog"), 16, 4)
    assert loaded.test.images[:, 1, 1, 0].tolist() == [50, 51, 150, 151]
    measured = not any(word in test.lower() for word in ("val", "dev"))
    assert [note.partition("/")[0] for note in loaded.notes] == ([] if measured else [test])


@pytest.mark.parametrize("name", ["Valid", "val", "VALIDATION"])
def test_validation_images_beside_test_images_join_the_training_images(tmp_path, pool, write, name):
    more = {f"{name}/{animal}/more.png": write["png"](30) for animal in ("cat", "dog")}
    found = splits(write["folder"](tmp_path / "set", renamed(pool, "Train", "Test", more)))
    assert (len(found.train) + len(found.validation), len(found.test)) == (18, 4)
    assert f"the images of {name}/ join those of Train/, of which data.validation is held out" in found.remarks()


@pytest.mark.parametrize("place", ["test", "test/test", "seg_pred/seg_pred"])
def test_images_in_no_class_folders_beside_the_splits_are_left_out(tmp_path, pool, write, place):
    files = {name: data for name, data in pool.items() if name.startswith("train/")}
    found = load(write["folder"](tmp_path / "set", files | {f"{place}/1.png": write["png"](3)}))
    assert (len(found.train), found.test) == (16, None)
    assert "is left out" in found.notes[0]


def test_classes_that_only_look_like_splits_are_classes(tmp_path, write):
    names = ("bullet_train", "car", "contest", "test tube", "training")
    files = {f"{name}/{number}.png": write["png"](number) for name in names for number in range(4)}
    files |= {f"{name}/deep/{number}.png": write["png"](number) for name in names[:2] for number in range(4, 8)}
    assert load(write["folder"](tmp_path / "set", files)).class_names == names


def test_folders_that_all_hold_the_same_folders_are_refused(tmp_path, pool, write):
    unknown = write["folder"](tmp_path / "unknown", renamed(pool, "first half", "second half"))
    with pytest.raises(
        InputError, match="'first half', 'second half' all hold the same folders, 'cat', 'dog'.*train/ and"
    ):
        load(unknown)
    below = {name.replace("train/", "").replace("/", "/train/"): data for name, data in pool.items()}
    below |= {name.replace("test/", "").replace("/", "/test/"): data for name, data in pool.items() if "test/" in name}
    below = {name: data for name, data in below.items() if name.startswith(("cat/", "dog/"))}
    with pytest.raises(InputError, match="'cat', 'dog' all hold the same folders, 'test', 'train'"):
        load(write["folder"](tmp_path / "below", below))
    nested = {f"{name}/images/{number}.png": write["png"](number) for name in ("cat", "dog") for number in range(4)}
    assert load(write["folder"](tmp_path / "nested", nested)).class_names == ("cat", "dog")


def test_the_command_says_so_too(tmp_path, pool, write, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["data", str(write["folder"](tmp_path / "set", renamed(pool, "part 1", "part 2")))])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert "problem: " in out and "all hold the same folders" in out and "no problems" not in out


def table(folder, write, labels, header="file,label", form="{file},{label}", name="set.csv", newline="\n", bom=False):
    """A table with 3 images of each label, whose pixels have the number of the label."""
    lines = [header] if header else []
    for number, label in enumerate(labels):
        for copy in range(3):
            file = f"img/{number}_{copy}.png"
            write["folder"](folder, {file: write["png"](number)})
            lines.append(form.format(file=file, label=label, back=file.replace("/", "\\"), id=file[:-4]))
    (folder / name).write_text(newline.join(lines), encoding="utf-8-sig" if bom else "utf-8", newline="")
    return folder / name


ORDERED = {
    "ints": [str(number) for number in range(12)],
    "floats": [f"{number}.0" for number in range(12)],
    "negative": [str(number) for number in range(-1, 11)],
    "negative floats": [f"{number}.0" for number in range(-3, 9)],
    "fractions": ["0.5", "1.0", "1.5", "2", "10.25"],
    "in text": [f"class {number}" for number in range(12)],
    "twice in text": ["a1b2", "a1b10", "a2b1", "a10b0"],
    "leading zeros": [f"{number:02}" for number in range(12)],
    "booleans": ["False", "True"],
    "text": ["Ant", "ant eater", "bee"],
}


@pytest.mark.parametrize("labels", ORDERED.values(), ids=ORDERED)
def test_the_classes_of_a_table_are_in_the_order_of_their_numbers(tmp_path, write, labels):
    loaded = load(table(tmp_path, write, labels))
    assert loaded.train.labels.tolist() == loaded.train.images[:, 1, 1, 0].tolist()
    names = [label.removesuffix(".0") for label in labels]
    assert list(loaded.class_names) == names


def test_one_number_written_in_two_ways_is_one_class(tmp_path, write):
    loaded = load(table(tmp_path, write, ["1", "2", "1.0", "+2", "-0.0"]))
    assert loaded.class_names == ("0", "1", "2")
    assert loaded.train.labels[::3].tolist() == [1, 2, 1, 2, 0]


HEADERS = {
    "image_name,target": "{file},{label}",
    "id,label": "{file},{label}",
    "Image_ID,Class": "{id},{label}",
    "id_code,diagnosis": "{id},{label}",
    "File Name;Category": "{file};{label}",
    "image path\tlabel": "{file}\t{label}",
    ",image_path,class_name": "7,{file},{label}",
    "label,filename": "{label},{file}",
    "image,label": "{back},{label}",
    "target,width,image_name": "{label},16,{file}",
    "": "{file},{label}",
    " ": "{label},{file}",
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(("newline", "bom"), [("\n", False), ("\r\n", True)])
def test_headers_separators_and_line_ends_as_people_have_them(tmp_path, write, header, newline, bom):
    labels = [str(number) for number in range(11)]
    loaded = load(table(tmp_path, write, labels, header.strip(), HEADERS[header], newline=newline, bom=bom))
    assert (len(loaded.train), list(loaded.class_names)) == (33, labels)
    assert loaded.train.labels.tolist() == loaded.train.images[:, 1, 1, 0].tolist()


def test_a_header_is_never_an_image_and_a_missing_label_never_a_class(tmp_path, write):
    with pytest.raises(InputError, match="'scan', 'grade', which holds the files and which the labels isn't known"):
        load(table(tmp_path, write, "ab", "scan,grade"))
    with pytest.raises(InputError, match=r"line 8: the label 'nan' is no class \(3 of 12 rows have none\)"):
        load(table(tmp_path, write, ["0.0", "1.0", "nan", "2.0"]))
    with pytest.raises(InputError, match=r"line 5: 'img/1_0.png,'"):
        load(table(tmp_path, write, ["cat", "", "dog"]))
    assert load(table(tmp_path, write, ["none", "some"])).class_names == ("none", "some")


def test_split_columns_in_any_spelling(tmp_path, write):
    path = table(tmp_path, write, "ab")
    rows = path.read_text().splitlines()[1:]
    parts = ["Training", "TRAIN", "Testing"] * 2
    path.write_text("\n".join(["file,label,Split", *(f"{row},{part}" for row, part in zip(rows, parts, strict=True))]))
    loaded = load(path)
    assert (len(loaded.train), len(loaded.test)) == (4, 2)
    path.write_text(path.read_text().replace("Testing", "valid"))
    loaded = load(path)
    assert (len(loaded.train), len(loaded.test)) == (4, 2)
    assert "the validation rows are the test split" in loaded.notes[0]


def test_classes_that_differ_by_case_alone_are_said(tmp_path, write):
    files = {f"{name}/{number}.png": write["png"](number) for name in ("Cat", "cat", "dog") for number in range(5)}
    found = splits(write["zip"](tmp_path / "set.zip", files))
    assert "classes 'Cat' and 'cat' differ by case alone" in found.remarks()[0]


STRAYS = {
    "notes.txt": b"hello",
    "labels.csv": b"a,b",
    "README": b"read me",
    "boxes.xml": b"<xml/>",
    "scores.npy": b"\x93NUMPY",
    "bark.wav": b"RIFF\x00\x00\x00\x00WAVE",
}


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_files_that_are_no_images_are_passed_over_and_said(tmp_path, pool, write, kind):
    plain = splits(write[kind](tmp_path / "plain", pool))
    path = write[kind](tmp_path / "strays", pool | {f"train/cat/{name}": data for name, data in STRAYS.items()})
    for _ in range(2):  # decoded, and from the cache
        found = splits(path)
        np.testing.assert_array_equal(found.train.images[:], plain.train.images[:])
        [line] = found.remarks()
        assert line.startswith("6 files that are no images were passed over; the first: ")
    odd = write[kind](tmp_path / "odd", pool | {"train/cat/9.png.1": write["png"](9)})
    assert len(load(odd).train) == 17  # an image, whatever it is called


@pytest.mark.parametrize("name", ["cut.png", "scan.tif", "photo.HEIC"])
def test_damaged_images_and_those_of_other_formats_are_not(tmp_path, pool, write, name):
    path = write["folder"](tmp_path / "set", pool | {f"train/cat/{name}": b"not an image"})
    with pytest.raises(InputError, match=f"{name} is not an image.*--skip-bad"):
        load(path)
    assert len(splits(path, skip_bad=True).skipped) == 1


def test_a_folder_of_other_files_alone_is_an_empty_class(tmp_path, pool, write):
    files = pool | {"train/notes/a.txt": b"x", "test/notes/b.txt": b"x"}
    with pytest.raises(InputError, match="class 'notes' has no training images"):
        splits(write["folder"](tmp_path / "set", files))

import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from profiler.errors import InputDataError, UsageError
from profiler.inputs import load_dataset
from profiler.inputs.base import decode
from profiler.workload.target import resolve
from training.checkpoints.checkpoint import save_weights
from training.checkpoints.header import Info
from training.cli import main
from training.evaluation.checkpoint_evaluation import evaluate_checkpoint
from training.evaluation.forward import Pass, evaluating
from training.evaluation.prediction import predict, read_image
from training.recipe import Recipe

SIDE = 32


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A checkpoint of digits, and a folder with its 40 first test images as files."""
    folder = tmp_path_factory.mktemp("digits")
    test = load_dataset("digits", "test")
    torch.manual_seed(0)
    model = resolve("lightweight", num_classes=10).model
    info = Info(
        recipe=Recipe(model="lightweight", data="digits", dtype="fp32", channels_last=False),
        class_names=test.class_names,
        input_shape=(3, SIDE, SIDE),
        normalization=test.normalization,
    )
    teach(model, info)
    save_weights(folder / "best.safetensors", info, model.state_dict())
    for number, label in enumerate(test.labels[:40].tolist()):
        place = folder / "images" / "test" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        pixels = test.images[number].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def teach(model, info):
    """A few steps, so that the classes of an evaluation are not all the same."""
    train = load_dataset("digits", "train")
    run = Pass(normalization=info.normalization)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(60):
        chosen = slice(step % 20 * 64, (step % 20 + 1) * 64)
        loss = torch.nn.functional.cross_entropy(
            run.logits(model, train.images[chosen]), train.labels[chosen]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def first_guesses(predictions):
    return [prediction.guesses[0].label for prediction in predictions]


def test_files_of_test_images_get_the_classes_of_the_evaluation(run):
    files = sorted((run / "images").rglob("*.png"))
    guessed = first_guesses(predict(run / "best.safetensors", files, device="cpu", batch_size=7))
    truth = [int(file.parent.name) for file in files]
    found = evaluate_checkpoint(
        run / "best.safetensors", data=f"folder:{run / 'images'}", device="cpu", cost_seconds=0
    )
    right = [guess == label for guess, label in zip(guessed, truth, strict=True)]
    assert sum(right) == round(found.top1.point * len(files))
    by_class = {row.name: row.accuracy.point for row in found.per_class}
    for name in by_class:
        own = [yes for yes, label in zip(right, truth, strict=True) if str(label) == name]
        assert sum(own) / len(own) == by_class[name]
    assert len(set(guessed)) > 3


def test_the_whole_split_agrees_image_by_image(run, tmp_path):
    test = load_dataset("digits", "test")
    files = []
    for number in range(60):
        files.append(tmp_path / f"{number:03}.png")
        Image.fromarray(test.images[number].permute(1, 2, 0).numpy()).save(files[-1])
    from training.checkpoints.checkpoint import load_model

    model, info = load_model(run / "best.safetensors")
    with evaluating(model):
        logits = Pass(normalization=info.normalization).logits(model, test.images[:60])
    assert first_guesses(predict(run / "best.safetensors", files)) == logits.argmax(1).tolist()


def test_guesses_are_named_ranked_and_are_probabilities(run):
    file = next((run / "images").rglob("*.png"))
    (prediction,) = predict(run / "best.safetensors", [file], top=10)
    chances = [guess.probability for guess in prediction.guesses]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1)
    assert {guess.name for guess in prediction.guesses} == set("0123456789")
    assert len(predict(run / "best.safetensors", [file], top=99)[0].guesses) == 10
    assert len(predict(run / "best.safetensors", [file], top=3)[0].guesses) == 3


def test_a_broken_file_is_named_and_the_others_are_predicted(run, tmp_path):
    whole = next((run / "images").rglob("*.png"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole.read_bytes()[:60])
    found = predict(run / "best.safetensors", [broken, whole, tmp_path / "none.png", tmp_path])
    assert [bool(prediction.guesses) for prediction in found] == [False, True, False, False]
    assert "broken.png" in found[0].problem
    assert found[1].problem is None
    assert "No such file" in found[2].problem
    assert "Is a directory" in found[3].problem


@pytest.mark.parametrize(("files", "top"), [([], 1), (["a.png"], 0)])
def test_nothing_to_do_is_refused(run, files, top):
    with pytest.raises(UsageError):
        predict(run / "best.safetensors", files, top=top)


def written(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return decode(buffer.getvalue(), "a")


def test_a_photograph_is_turned_as_its_camera_says():
    left_red = np.zeros((4, 8, 3), np.uint8)
    left_red[:, :4] = (255, 0, 0)
    picture = Image.fromarray(left_red)
    exif = picture.getexif()
    exif[0x0112] = 6  # its top is the right side: to be turned by 90 degrees clockwise
    turned = written(picture, "PNG", exif=exif)
    assert turned.shape == (3, 8, 4)
    assert turned[0, :4].eq(255).all()
    assert turned[0, 4:].eq(0).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_not_clipped(kind):
    deep = Image.fromarray(np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16))
    assert written(deep, kind)[:, 0].tolist() == [[0, 1, 128, 255]] * 3


def test_values_without_a_white_point_are_refused():
    with pytest.raises(InputDataError, match="floating-point"):
        written(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF")


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("L", 77, "PNG", [77, 77, 77]),
        ("1", 1, "PNG", [255, 255, 255]),
        ("LA", (77, 10), "PNG", [77, 77, 77]),
        ("RGBA", (1, 2, 3, 4), "PNG", [1, 2, 3]),
        ("CMYK", (0, 255, 255, 0), "TIFF", [255, 0, 0]),
        ("CMYK", (0, 255, 255, 0), "JPEG", [255, 0, 0]),
    ],
)
def test_every_mode_becomes_the_colour_it_shows(mode, colour, kind, expected):
    seen = written(Image.new(mode, (8, 8), colour), kind)
    assert seen.shape == (3, 8, 8)
    assert seen.amax((1, 2)).tolist() == pytest.approx(expected, abs=2)


def test_damaged_exif_is_no_crash(tmp_path):
    picture = Image.new("RGB", (4, 4))
    exif = picture.getexif()
    exif[0x0112] = 6
    whole = io.BytesIO()
    picture.save(whole, "JPEG", exif=exif)
    content = bytearray(whole.getvalue())
    start = content.index(b"Exif")
    generator = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        for place in generator.integers(start + 6, start + 30, 4):
            damaged[place] = generator.integers(256)
        (tmp_path / "a.jpg").write_bytes(damaged)
        assert read_image(tmp_path / "a.jpg", (16, 16)).shape[0] == 3


def test_data_of_other_classes_is_refused_by_name(run, tmp_path):
    for name in (*"012345678", "X"):
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "test" / name / "a.png")
    with pytest.raises(UsageError, match=r"classes that the model .* does not know: X"):
        evaluate_checkpoint(
            run / "best.safetensors", data=f"folder:{tmp_path}", device="cpu", cost_seconds=0
        )


def test_data_without_labels_is_refused(run, tmp_path):
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "a.png")
    (tmp_path / "test").mkdir()
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "test" / "a.png")
    with pytest.raises(InputDataError, match="no labels to compare with"):
        evaluate_checkpoint(
            run / "best.safetensors", data=f"folder:{tmp_path}", device="cpu", cost_seconds=0
        )


def test_a_folder_is_read_as_a_training_reads_it(run, tmp_path, capsys):
    for name in ("a.png", "below/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (SIDE, SIDE)).save(tmp_path / name)
    for litter in (".DS_Store", "Thumbs.db", "._a.png", "notes.txt"):
        (tmp_path / litter).write_bytes(b"litter")
    words = ["--checkpoint", str(run / "best.safetensors"), "--top", "10", "--device", "cpu"]
    assert main(["predict", *words, str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "1 files that are no images ignored, such as notes.txt" in said.err
    assert said.out.count(".png") == 2
    shown = [line for line in said.out.splitlines() if "%" in line]
    assert all("below 0.01 %" in line or "e-" not in line for line in shown)


def test_labels_outside_the_model_are_one_sentence(run, tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(picture, "PNG")
    cell = {"bytes": picture.getvalue(), "path": None}
    for labels, told in ([0, -1], "a label -1"), ([0, 10], "a label 10"):
        table = pa.table({"image": [cell] * 2, "label": labels})
        parquet.write_table(table, tmp_path / "test.parquet")
        with pytest.raises(InputDataError, match=rf"{told}, but the model of .* knows 10 classes"):
            evaluate_checkpoint(
                run / "best.safetensors", data=f"parquet:{tmp_path}", device="cpu", cost_seconds=0
            )


def test_a_split_that_lacks_a_class_is_told_by_the_names_of_the_others(run, tmp_path):
    whole = evaluate_checkpoint(run / "best.safetensors", device="cpu", cost_seconds=0)
    digits = load_dataset("digits", "test")
    for label in (3, 7):
        place = tmp_path / "test" / str(label)
        place.mkdir(parents=True)
        for number, image in enumerate(digits.images[digits.labels == label]):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(place / f"{number}.png")
    part = evaluate_checkpoint(
        run / "best.safetensors", data=f"folder:{tmp_path}", device="cpu", cost_seconds=0
    )
    for label in (3, 7):
        assert part.per_class[label].accuracy.point == whole.per_class[label].accuracy.point
    assert part.per_class[0].image_count == 0

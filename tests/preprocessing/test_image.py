"""Images: files and arrays, transforms, and batches from arrays, folders and tables."""
import pickle

import numpy as np
import pytest

from symk.preprocessing import image

pil = pytest.importorskip("PIL.Image")
pytest.importorskip("scipy")


@pytest.fixture
def photos():
    return np.random.RandomState(0).randint(0, 255, (10, 8, 6, 3)).astype("float32")


@pytest.fixture
def folder(tmp_path, photos):
    for number, photo in enumerate(photos):
        target = tmp_path / "ab"[number % 2]
        target.mkdir(exist_ok=True)
        image.save_img(str(target / ("%02d.png" % number)), photo, scale=False)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    return tmp_path


def test_array_and_image_round_trip(photos):
    img = image.array_to_img(photos[0], scale=False)
    assert img.size == (6, 8) and img.mode == "RGB"
    assert np.array_equal(image.img_to_array(img), photos[0])
    first = image.img_to_array(img, data_format="channels_first")
    assert first.shape == (3, 8, 6)
    assert np.array_equal(image.array_to_img(first, "channels_first", scale=False), img)
    assert image.array_to_img(photos[0][..., :1] * 100, scale=False).mode == "I"
    scaled = image.img_to_array(image.array_to_img(photos[0] / 1000 - 7))
    assert scaled.min() == 0 and scaled.max() == 255
    for bad in (photos, photos[0][..., :2]):
        with pytest.raises(ValueError, match="array_to_img"):
            image.array_to_img(bad)
    with pytest.raises(ValueError, match="img_to_array"):
        image.img_to_array(photos)


def test_files_are_loaded_in_every_mode_and_size(folder):
    path = str(folder / "a" / "00.png")
    assert image.load_img(path).size == (6, 8)
    assert image.load_img(path, color_mode="grayscale", target_size=(4, 5)).size == (5, 4)
    assert image.load_img(path, color_mode="rgba", target_size=(4, 5),
                          interpolation="lanczos").mode == "RGBA"
    with pytest.warns(UserWarning, match="color_mode"):
        assert image.load_img(path, grayscale=True).mode == "L"
    with pytest.raises(ValueError, match="color_mode"):
        image.load_img(path, color_mode="cmyk")
    with pytest.raises(ValueError, match="interpolation"):
        image.load_img(path, interpolation="magic")
    assert len(image.list_pictures(str(folder))) == 10
    assert image.list_pictures(str(folder), ext="jpg|bmp") == []


def test_transforms_around_the_middle(photos):
    photo = photos[0]
    assert image.apply_affine_transform(photo) is photo
    turned = image.apply_affine_transform(photo, theta=180)
    assert np.allclose(turned[2:, 2:], photo[::-1, ::-1][:-2, :-2], atol=1e-2)
    shifted = image.apply_affine_transform(photo, tx=2)
    assert np.allclose(shifted[:-2], photo[2:])
    first = image.apply_affine_transform(photo.transpose(2, 0, 1), tx=2, row_axis=1, col_axis=2,
                                         channel_axis=0)
    assert np.allclose(first.transpose(1, 2, 0), shifted)
    assert image.apply_channel_shift(photo, 1000, 2).max() == photo.max()
    assert np.array_equal(image.flip_axis(photo, 1), photo[:, ::-1])
    assert image.apply_brightness_shift(photo, 0.0).max() == 0


@pytest.mark.parametrize("transform, arguments", [
    (image.random_rotation, (30,)), (image.random_shift, (0.3, 0.3)), (image.random_shear, (20,)),
    (image.random_zoom, ((0.5, 1.5),))])
def test_random_transforms_keep_the_shape_and_follow_the_seed(photos, transform, arguments):
    results = []
    for _ in range(2):
        np.random.seed(3)
        results.append(transform(photos[0], *arguments, row_axis=0, col_axis=1, channel_axis=2))
    assert results[0].shape == photos[0].shape and np.array_equal(*results)
    assert not np.allclose(results[0], photos[0])


def test_statistics_and_standardisation(photos):
    generator = image.ImageDataGenerator(featurewise_center=True,
                                         featurewise_std_normalization=True)
    with pytest.warns(UserWarning, match="before fit"):
        generator.standardize(photos[0].copy())
    generator.fit(photos)
    done = np.stack([generator.standardize(photo.copy()) for photo in photos])
    assert np.allclose(done.mean((0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(done.std((0, 1, 2)), 1, atol=1e-4)
    alone = image.ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True)
    assert abs(alone.standardize(photos[0].copy()).std() - 1) < 1e-4


def test_a_batch_is_whitened_as_its_images_are():
    images = np.random.RandomState(0).rand(6, 4, 4, 3)
    generator = image.ImageDataGenerator(featurewise_center=True, zca_whitening=True,
                                         dtype="float64")
    generator.fit(images)
    single = [generator.standardize(one.copy()) for one in images]
    np.testing.assert_allclose(generator.standardize(images.copy()), single)


def test_whitening_decorrelates(photos):
    with pytest.warns(UserWarning, match="needs featurewise_center"):
        generator = image.ImageDataGenerator(zca_whitening=True, dtype="float64")
    few = np.random.RandomState(0).standard_normal((500, 2, 2, 1))
    generator.fit(few)
    white = np.stack([generator.standardize(x.copy()) for x in few]).reshape(500, 4)
    assert np.allclose(white.T @ white / 500, np.eye(4), atol=1e-4)


def test_flow_gives_all_samples_once_per_epoch(photos):
    generator = image.ImageDataGenerator()
    batches = generator.flow(photos, np.arange(10), batch_size=4, seed=1,
                             sample_weight=np.arange(10) / 10)
    assert len(batches) == 3
    epoch = [next(batches) for _ in range(3)]
    assert [len(y) for _, y, _ in epoch] == [4, 4, 2]
    assert sorted(np.concatenate([y for _, y, _ in epoch])) == list(range(10))
    for x, y, weight in epoch:
        assert np.array_equal(x, photos[y]) and np.allclose(weight, y / 10)
    assert len(next(batches)[0]) == 4


def test_flow_with_other_arrays_subsets_and_saved_images(photos, tmp_path):
    generator = image.ImageDataGenerator(validation_split=0.2, horizontal_flip=True)
    (x, other), y = next(generator.flow((photos, np.arange(10)), np.arange(10) % 2, shuffle=False,
                                        subset="training", save_to_dir=str(tmp_path)))
    assert len(x) == 8 and other.tolist() == list(range(2, 10)) and len(y) == 8
    assert len(list(tmp_path.iterdir())) == 8
    assert len(next(generator.flow(photos, subset="validation"))) == 2
    with pytest.raises(ValueError, match="same classes"):
        generator.flow(photos, np.arange(10), subset="training")


def test_iterators_can_be_pickled(photos):
    batches = image.ImageDataGenerator().flow(photos, shuffle=False, batch_size=4)
    again = pickle.loads(pickle.dumps(batches))
    assert np.array_equal(again[1], batches[1])


def test_folders_of_classes(folder):
    generator = image.ImageDataGenerator(rescale=1 / 255)
    batches = generator.flow_from_directory(str(folder), target_size=(4, 4), batch_size=10,
                                            shuffle=False)
    x, y = next(batches)
    assert batches.class_indices == {"a": 0, "b": 1} and batches.samples == 10
    assert x.shape == (10, 4, 4, 3) and x.max() <= 1 and y.argmax(1).tolist() == [0] * 5 + [1] * 5
    for mode, check in (("binary", lambda y: y.shape == (10,)), ("sparse", lambda y: y[-1] == 1),
                        ("input", lambda y: y.shape == (10, 4, 4, 1))):
        batches = generator.flow_from_directory(str(folder), (4, 4), "grayscale", class_mode=mode,
                                                classes=["a", "b"], shuffle=False)
        assert check(next(batches)[1])
    assert next(generator.flow_from_directory(str(folder), class_mode=None)).shape[0] == 10
    with pytest.raises(ValueError, match="class_mode"):
        generator.flow_from_directory(str(folder), class_mode="other")


def test_folders_are_split_class_by_class(folder):
    generator = image.ImageDataGenerator(validation_split=0.4)
    parts = [generator.flow_from_directory(str(folder), subset=subset, shuffle=False)
             for subset in ("training", "validation")]
    assert [part.samples for part in parts] == [6, 4]
    assert not set(parts[0].filenames) & set(parts[1].filenames)


def test_tables(folder):
    pandas = pytest.importorskip("pandas")
    names = ["a/00.png", "b/01.png", "a/02.png", "missing.png"]
    table = pandas.DataFrame({"filename": names, "class": ["x", "y", "x", "y"],
                              "tags": [["p"], ["p", "q"], ["q"], []], "value": [1.0, 2.0, 3.0, 4.0],
                              "weight": [0.1, 0.2, 0.3, 0.4]})
    generator = image.ImageDataGenerator()

    def batch(**arguments):
        return next(generator.flow_from_dataframe(table, str(folder), target_size=(4, 4),
                                                  shuffle=False, **arguments))

    x, y, weight = batch(weight_col="weight")
    assert x.shape == (3, 4, 4, 3) and y.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert weight.tolist() == [0.1, 0.2, 0.3]
    assert batch(y_col="tags")[1].tolist() == [[1, 0], [1, 1], [0, 1]]
    assert batch(class_mode="sparse", classes=["y", "x"])[1].tolist() == [1, 0, 1]
    assert batch(class_mode="raw", y_col="value")[1].tolist() == [1, 2, 3]
    several = batch(class_mode="multi_output", y_col=["value", "weight"])[1]
    assert [len(y) for y in several] == [3, 3]
    assert batch(class_mode=None).shape == (3, 4, 4, 3)
    with pytest.raises(ValueError, match="columns"):
        batch(y_col="nothing")
    with pytest.raises(TypeError, match="must be strings"):
        batch(y_col="value")
    with pytest.raises(TypeError, match="DataFrame is required"):
        generator.flow_from_dataframe({"filename": []}, str(folder))


@pytest.mark.parametrize("arguments, message", [
    (dict(validation_split=2), "validation_split"), (dict(brightness_range=1), "brightness_range"),
    (dict(zoom_range=(1, 2, 3)), "zoom_range"), (dict(data_format="rows"), "channels_last")])
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        image.ImageDataGenerator(**arguments)


def test_an_empty_folder_is_said_when_it_is_read(tmp_path):
    batches = image.ImageDataGenerator().flow_from_directory(str(tmp_path))
    with pytest.raises(ValueError, match="no images"):
        next(batches)

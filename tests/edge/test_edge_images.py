import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from tkit_edge.errors import InputError
from tkit_edge.images import decode, encode_png


def encoded(image, fmt="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


@pytest.fixture
def pixels():
    """uint8 [6, 9, 3], every value its own."""
    return np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)


@pytest.mark.parametrize("fmt", ["PNG", "BMP", "WEBP"])
def test_pixels_of_the_wanted_size_come_untouched(pixels, fmt):
    options = {"lossless": True} if fmt == "WEBP" else {}
    assert np.array_equal(decode(encoded(PIL.Image.fromarray(pixels), fmt, **options), 6, 9, 3), pixels)


def test_encode_png_and_decode_are_inverse(pixels):
    assert np.array_equal(decode(encode_png(pixels), 6, 9, 3), pixels)
    grey = pixels[..., :1]
    assert np.array_equal(decode(encode_png(grey), 6, 9, 1), grey)


@pytest.mark.parametrize(
    ("orientation", "undo"), [(3, lambda p: p[::-1, ::-1]), (6, np.rot90), (8, lambda p: np.rot90(p, 3))]
)
def test_exif_orientation_is_applied(pixels, orientation, undo):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(undo(pixels))  # as a camera held sideways stores it
    assert np.array_equal(decode(encoded(PIL.Image.fromarray(stored), exif=exif), 6, 9, 3), pixels)


def test_transparent_pixels_lie_over_black(pixels):
    alpha = np.full((6, 9, 1), 255, np.uint8)
    alpha[0], alpha[1] = 0, 128
    decoded = decode(encoded(PIL.Image.fromarray(np.concatenate([pixels, alpha], axis=2))), 6, 9, 3)
    assert not decoded[0].any()
    assert np.abs(decoded[1].astype(int) - pixels[1] * (128 / 255)).max() <= 1
    assert np.array_equal(decoded[2:], pixels[2:])


def test_palettes_with_and_without_transparency():
    image = PIL.Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert decode(encoded(image), 1, 2, 3).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert decode(encoded(image, transparency=0), 1, 2, 3).tolist() == [[[0, 0, 0], [200, 100, 50]]]
    assert decode(encoded(image, "GIF"), 1, 2, 3).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_the_first_frame_of_a_gif():
    frames = [PIL.Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    decoded = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), 4, 4, 3)
    assert decoded[0, 0].tolist() == [255, 0, 0]


def test_grey_to_colour_and_back(pixels):
    grey = pixels[..., 0]
    assert np.array_equal(decode(encoded(PIL.Image.fromarray(grey)), 6, 9, 3), np.repeat(grey[..., None], 3, axis=2))
    luma = pixels @ [0.299, 0.587, 0.114]
    assert np.abs(decode(encoded(PIL.Image.fromarray(pixels)), 6, 9, 1)[..., 0] - luma).max() <= 1


def test_sixteen_bits_keep_the_high_byte():
    values = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    assert decode(encoded(PIL.Image.fromarray(values)), 2, 3, 1)[..., 0].tolist() == [
        [0, 0, 1],
        [128, 255, 255],
    ]


def test_other_sizes_are_cut_to_the_centre_and_scaled():
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200  # the centred square; what is left and right of it goes
    assert (decode(encode_png(wide), 4, 4, 3) == 200).all()
    noise = np.random.default_rng(0).integers(0, 256, (24, 8, 3), dtype=np.uint8)
    scaled = np.asarray(PIL.Image.fromarray(noise).resize((4, 12), PIL.Image.Resampling.BILINEAR))
    assert np.abs(decode(encode_png(noise), 4, 4, 3).astype(int) - scaled[4:8]).max() <= 1
    tiny = decode(encode_png(np.full((1, 3000, 3), 7, np.uint8)), 64, 64, 3)
    assert tiny.shape == (64, 64, 3)
    assert (tiny == 7).all()


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(100_000, 100_000), (9_000, 9_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_enormous_images_are_refused_before_they_are_decoded(size):
    with pytest.raises(InputError, match=r"bomb.png is too large.*80,000,000"):
        decode(png_header(*size), 8, 8, 3, name="bomb.png")


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "BMP"])
def test_truncated_images(fmt):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(PIL.Image.fromarray(noise), fmt)
    with pytest.raises(InputError, match=r"half.pic is damaged"):
        decode(data[: len(data) // 2], 64, 64, 3, name="half.pic")


@pytest.mark.parametrize("data", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"])
def test_what_is_no_image(data):
    with pytest.raises(InputError, match="not an image"):
        decode(data, 8, 8, 3)


@pytest.mark.parametrize("shape", [(8, 8, 2), (0, 8, 3)])
def test_impossible_shapes(pixels, shape):
    with pytest.raises(InputError, match="1 or 3 channels"):
        decode(encode_png(pixels), *shape)


def test_stretch_keeps_everything_and_crop_keeps_proportions():
    # Left half black, right half white, twice as wide as high.
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, 8:] = 255
    stretched = decode(encode_png(wide), 8, 8, 3, "stretch")
    expected = np.asarray(PIL.Image.fromarray(wide).resize((8, 8), PIL.Image.BILINEAR))
    assert np.array_equal(stretched, expected)
    assert stretched[:, 0].max() == 0
    assert stretched[:, -1].min() == 255
    wide[:, :4], wide[:, 12:] = 77, 77  # what a crop of the middle cuts off
    assert 77 not in decode(encode_png(wide), 8, 8, 3, "crop")
    with pytest.raises(InputError, match="Unknown resize 'fit': expected one of crop, stretch, keras"):
        decode(encode_png(wide), 8, 8, 3, "fit")

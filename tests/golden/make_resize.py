#!/usr/bin/env python3
"""Golden files for sslh_resize and the colour steps of sslh_views: python3 tests/golden/make_resize.py

Resizing: Pillow on float images (mode F), and on one 8-bit RGB image. Colour: torchvision's tensor functions with fixed
factors; the luma weights are 0.299, 0.587, 0.114 (Pillow's; torchvision's tensor code writes 0.2989).
"""
import os
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import functional as F

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(7)


def smooth(h, w, c):
    """A picture-like array in [0,1]: waves, an edge and some noise."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    out = [0.5 + 0.3 * np.sin(0.31 * x + k) * np.cos(0.23 * y - k) + 0.25 * ((x + k > w / 2) - 0.5) for k in range(c)]
    return np.clip(np.stack(out, -1) + 0.1 * rng.standard_normal((h, w, c)), 0, 1).astype(np.float32)


def save(folder, name, array):
    os.makedirs(os.path.join(here, folder), exist_ok=True)
    np.save(os.path.join(here, folder, name + ".npy"), np.ascontiguousarray(array, dtype=np.float32))


# --- resizing: name, input, box (top, left, height, width), output (height, width), bilinear
image = smooth(23, 31, 1)
save("resize", "in", image)
cases = [
    ("same", (0, 0, 23, 31), (23, 31), 0),
    ("up", (0, 0, 23, 31), (40, 50), 0),
    ("down", (0, 0, 23, 31), (9, 8), 0),
    ("mixed", (0, 0, 23, 31), (64, 7), 0),
    ("box", (3, 5, 12, 17), (32, 32), 0),
    ("fraction", (2.25, 4.5, 13.5, 20.125), (16, 16), 0),
    ("one", (0, 0, 23, 31), (1, 1), 0),
    ("pixel", (10, 11, 1, 1), (8, 8), 0),
    ("up2", (0, 0, 23, 31), (40, 50), 1),
    ("down2", (0, 0, 23, 31), (9, 8), 1),
    ("fraction2", (2.25, 4.5, 13.5, 20.125), (16, 16), 1),
]
with open(os.path.join(here, "resize", "cases.txt"), "w") as f:
    for name, box, size, bilinear in cases:
        top, left, h, w = box
        pil = Image.fromarray(image[:, :, 0], mode="F")
        out = pil.resize((size[1], size[0]), Image.BILINEAR if bilinear else Image.BICUBIC, box=(left, top, left + w, top + h))
        save("resize", name, np.asarray(out)[:, :, None])
        # the box in thousandths: no decimal point, which a locale could read differently
        f.write("%s %d %d %d %d %d %d %d\n" % ((name,) + tuple(int(round(1000 * v)) for v in box) + size + (bilinear,)))

# mid-grey, because Pillow clips bytes between the two passes
rgb = (smooth(48, 40, 3) * 128 + 64.5).astype(np.uint8)
save("resize", "bytes_in", rgb)
save("resize", "bytes_out", np.asarray(Image.fromarray(rgb).resize((32, 32), Image.BICUBIC)))

# sharp edges between 0 and 255, where the cubic overshoots: rounded and cut after each pass. name: size, bilinear
sharp = np.random.RandomState(7).randint(0, 2, (48, 40, 3)).astype(np.uint8) * 255
sharp[:16] = np.random.RandomState(8).randint(0, 256, (16, 40, 3))
save("resize", "sharp_in", sharp)
for name, size, bilinear in [("sharp_down", (32, 29), 0), ("sharp_up", (64, 57), 0), ("sharp_half", (24, 20), 1)]:
    save("resize", name, np.asarray(Image.fromarray(sharp).resize((size[1], size[0]), Image.BILINEAR if bilinear else Image.BICUBIC)))

# --- colour
x = smooth(16, 20, 3)
x[0, 0] = 0
x[0, 1] = 1
x[0, 2] = (0.25, 0.25, 0.25)
x[0, 3] = (1, 0, 0)
x[0, 4] = (0, 1, 0)
x[0, 5] = (0, 0, 1)
x[0, 6] = (0.5, 0.5, 0.1)
x[0, 7] = (0.1, 0.5, 0.5)
x[0, 8] = (0.5, 0.1, 0.5)
save("views", "in", x)
t = torch.from_numpy(x.transpose(2, 0, 1).copy())
grey = (0.299 * t[0] + 0.587 * t[1] + 0.114 * t[2])[None]


def blend(a, b, f):
    return (f * a + (1 - f) * b).clamp(0, 1)


def put(name, t):
    save("views", name, t.numpy().transpose(1, 2, 0))


put("brightness", F.adjust_brightness(t, 1.4))
put("contrast", blend(t, grey.mean(), 0.6))
put("contrast_up", blend(t, grey.mean(), 1.7))
put("saturation", blend(t, grey, 1.8))
put("grey", grey.expand(3, -1, -1))
put("hue", F.adjust_hue(t, 0.15))
put("hue_down", F.adjust_hue(t, -0.4))
put("blur", F.gaussian_blur(t, [7, 7], [1.3, 1.3]))
put("blur_small", F.gaussian_blur(t, [3, 3], [0.4, 0.4]))
put("solarize", F.solarize(t, 0.5))
assert (F.adjust_contrast(t, 0.6) - blend(t, grey.mean(), 0.6)).abs().max() < 1e-3
assert (F.adjust_saturation(t, 1.8) - blend(t, grey, 1.8)).abs().max() < 1e-3
print("Pillow", PIL.__version__, "torch", torch.__version__, "torchvision", torchvision.__version__)

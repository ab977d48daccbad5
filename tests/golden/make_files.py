#!/usr/bin/env python3
"""Small image, array, sound and archive files for tests/files.c, written by other programs than ssl.h.

    /usr/bin/python3 tests/golden/make_files.py        (Debian: python3-numpy python3-pil)

Writes tests/golden/files/. expected.txt has a line per file: name height width channels crc32 of the 8-bit pixels that a
reader must give (npy: name type shape crc32 of the float32, int32 or uint8 values, little-endian; wav: name frames
channels rate crc32 of the float32 values).
PNG: every colour type and depth, plain and Adam7, all filters, with and without tRNS, from an encoder of this script
(checked against Pillow where Pillow keeps all bits), and files from Pillow itself.
"""
import gzip, io, os, struct, wave, zlib
import numpy as np
from PIL import Image

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
os.makedirs(OUT, exist_ok=True)
rng = np.random.RandomState(7)
expected = []

def write(name, data):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)

def expect(name, pixels):
    pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    expected.append("%s %d %d %d %08x" % ((name,) + pixels.shape + (zlib.crc32(pixels.tobytes()),)))

def chunk(tag, data):
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

def filter_rows(rows, bpp, first):
    """rows: list of bytes; the filter of row y is (first + y) % 5."""
    out, up = b"", None
    for y, row in enumerate(rows):
        f, line = (first + y) % 5, bytearray()
        for i, v in enumerate(row):
            a = row[i - bpp] if i >= bpp else 0
            b = up[i] if up is not None else 0
            c = up[i - bpp] if up is not None and i >= bpp else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line.append((v - [0, a, b, (a + b) // 2, paeth][f]) & 255)
        out += bytes([f]) + bytes(line)
        up = row
    return out

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]

def pack(line, depth):
    """line: samples of one row."""
    if depth == 16:
        return line.astype(">u2").tobytes()
    if depth == 8:
        return line.astype(np.uint8).tobytes()
    bits = "".join(format(int(v), "0%db" % depth) for v in line)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))

def png(samples, depth, kind, interlaced, extra=b"", split=0, level=9, strategy=0):
    h, w, n = samples.shape
    bpp = max(1, n * depth // 8)
    raw = b""
    for k, (r0, c0, rs, cs) in enumerate(ADAM7 if interlaced else [(0, 0, 1, 1)]):
        part = samples[r0::rs, c0::cs]
        if part.size:
            raw += filter_rows([pack(line.reshape(-1), depth) for line in part], bpp, k)
    z = zlib.compressobj(level, 8, 15, 9, strategy)
    data = z.compress(raw) + z.flush()
    idat = chunk(b"IDAT", data) if not split else b"".join(chunk(b"IDAT", data[i:i + split]) for i in range(0, len(data), split))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlaced)) + extra +
            chunk(b"tEXt", b"Comment\0made by make_files.py") + idat + chunk(b"IEND", b""))

def to8(v, depth):
    v = v.astype(np.int64)
    return (v * 255 + 32767) // 65535 if depth == 16 else v * (255 // ((1 << depth) - 1))

# --- PNG: types x depths x interlace x transparency
H, W = 11, 13
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
for kind, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
    for depth in depths:
        top = (1 << depth) - 1
        colours = min(top + 1, 200)
        high = colours if kind == 3 else top + 1
        s = rng.randint(0, high, (H, W, CHANNELS[kind]))
        if depth >= 8:  # half of it smooth, so that matches and filters have something to do
            s[:, :7] = (np.arange(H)[:, None, None] * 3 + np.arange(7)[None, :, None] * 5) % high
        for interlaced in (0, 1):
            for trns in ((0, 1) if kind in (0, 2, 3) else (0,)):
                extra = b""
                if kind == 3:
                    palette = rng.randint(0, 256, (colours, 3))
                    extra = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
                    want = palette[s[:, :, 0]]
                    if trns:
                        alpha = np.full(colours, 255)
                        part = (colours + 1) // 2
                        alpha[:part] = rng.randint(0, 255, part)
                        extra += chunk(b"tRNS", alpha[:part].astype(np.uint8).tobytes())
                        want = np.concatenate([want, alpha[s]], axis=2)
                else:
                    want = to8(s, depth)
                    if trns:
                        key = s[3, 4]
                        extra = chunk(b"tRNS", b"".join(struct.pack(">H", int(v)) for v in key))
                        hidden = (s == key).all(axis=2, keepdims=True)
                        want = np.concatenate([want, np.where(hidden, 0, 255)], axis=2)
                name = "png_t%d_d%02d%s%s.png" % (kind, depth, "_adam7" if interlaced else "", "_trns" if trns else "")
                data = png(s, depth, kind, interlaced, extra, split=40 if interlaced else 0)
                write(name, data)
                expect(name, want)
                if depth <= 8 and not trns and kind != 3:
                    mode = {0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}[kind]
                    assert (np.asarray(Image.open(io.BytesIO(data)).convert(mode)).reshape(H, W, -1) == want).all(), name
                if kind == 3:
                    mode = "RGBA" if trns else "RGB"
                    assert (np.asarray(Image.open(io.BytesIO(data)).convert(mode)) == want).all(), name

# --- PNG: sizes at which Adam7 passes are empty, and streams with stored and fixed blocks
for h, w in ((1, 1), (1, 5), (5, 1), (2, 2), (3, 9)):
    s = rng.randint(0, 256, (h, w, 3))
    name = "png_%dx%d_adam7.png" % (h, w)
    write(name, png(s, 8, 2, 1))
    expect(name, s)
s = np.repeat(rng.randint(0, 256, (40, 8, 1)), 5, axis=1)
for name, level, strategy in (("png_stored.png", 0, 0), ("png_fixed.png", 9, zlib.Z_FIXED), ("png_huffman.png", 9, zlib.Z_HUFFMAN_ONLY)):
    write(name, png(s, 8, 0, 0, level=level, strategy=strategy))
    expect(name, s)

# --- PNG from Pillow
photo = np.stack([np.add.outer(np.arange(20) * 9, np.arange(24) * 3) % 256, np.multiply.outer(np.arange(20), np.arange(24)) % 256,
                  rng.randint(0, 256, (20, 24))], axis=2).astype(np.uint8)
image = Image.fromarray(photo)
for name, im in (("pil_rgb.png", image), ("pil_grey.png", image.convert("L")), ("pil_palette.png", image.quantize(16)),
                 ("pil_bit.png", image.convert("1")), ("pil_rgba.png", image.convert("RGBA")), ("pil_la.png", image.convert("LA"))):
    data = io.BytesIO()
    im.save(data, "PNG")
    write(name, data.getvalue())
    want = im.convert("RGB") if im.mode == "P" else im.convert("L") if im.mode == "1" else im
    expect(name, np.asarray(want))

# --- PNM
grey = np.asarray(image.convert("L"))
write("p6.ppm", b"P6\n# a comment\n24 20\n255\n" + photo.tobytes())
expect("p6.ppm", photo)
write("p5.pgm", b"P5 24 20 255\n" + grey.tobytes())
expect("p5.pgm", grey)
write("p5_space.pgm", b"P5\t2#two\n#\n 2\r\n255\n\n \t#")  # the pixels look like white space
expect("p5_space.pgm", np.array([[10, 32], [9, 35]]))
deep = rng.randint(0, 1001, (5, 6))
write("p5_16.pgm", b"P5\n6 5\n1000\n" + deep.astype(">u2").tobytes())
expect("p5_16.pgm", (deep * 255 + 500) // 1000)
small = rng.randint(0, 16, (4, 3, 3))
write("p3.ppm", b"P3\n3 4 15\n" + b"\n# in between\n".join(" ".join(map(str, r.reshape(-1))).encode() for r in small))
expect("p3.ppm", (small * 255 + 7) // 15)
write("p2.pgm", b"P2 3 4 15 " + " ".join(map(str, small[:, :, 0].reshape(-1))).encode())
expect("p2.pgm", (small[:, :, 0] * 255 + 7) // 15)

# --- npy
def npy(name, a, version=None):
    data = io.BytesIO()
    np.lib.format.write_array(data, a, version=version)
    write(name, data.getvalue())
    kind = "f4" if a.dtype.kind == "f" else "u1" if a.dtype in (np.uint8, np.bool_) else "i4"
    shape = ",".join(map(str, a.shape)) or "()"
    expected.append("%s %s %s %08x" % (name, kind, shape, zlib.crc32(np.ascontiguousarray(a, dtype="<" + kind).tobytes())))

values = rng.randn(3, 5)
for descr in ("<f2", "<f4", ">f4", "<f8", ">f8"):
    npy("npy_%s%s.npy" % ("big_" if descr[0] == ">" else "", descr[1:]), values.astype(descr))
numbers = rng.randint(0, 100, (4, 3, 2))
for descr in ("u1", "i1", "<u2", ">i2", "<i4", "<u4", "<i8", ">i8", "<u8", "b1"):
    npy("npy_%s%s.npy" % ("big_" if descr[0] == ">" else "", descr.lstrip("<>")), numbers.astype(descr) if descr[-2] != "i" else (numbers - 50).astype(descr))
npy("npy_fortran.npy", np.asfortranarray(rng.randn(2, 3, 4).astype("<f4")))
npy("npy_scalar.npy", np.array(1.5, "<f4"))
npy("npy_vector.npy", np.arange(7, dtype="<f4"))
npy("npy_v2.npy", values.astype("<f4"), (2, 0))
npy("npy_v3.npy", values.astype("<f4"), (3, 0))
npy("npy_inf.npy", np.array([np.inf, -np.inf, 65504, -6e-8, 0, 6.1e-5], "<f2"))

# --- WAV: the integers from Python's own writer, except where the order of chunks is unusual; expected: frames channels rate
dice = np.random.RandomState(11)

def sound(name, values, rate, data=None, channels=1):
    if data is not None:
        write(name, data)
    v = np.asarray(values, np.float64).astype("<f4")
    expected.append("%s %d %d %d %08x" % (name, v.size // channels, channels, rate, zlib.crc32(v.tobytes())))

def riff(*chunks):
    body = b"WAVE" + b"".join(tag + struct.pack("<I", len(d)) + d + b"\0" * (len(d) & 1) for tag, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body

def fmt(tag, channels, rate, bits, extra=b""):
    step = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * step, step, bits) + extra

def by_wave(name, data, width, channels, rate):
    with wave.open(os.path.join(OUT, name), "wb") as f:
        f.setparams((channels, width, rate, 0, "NONE", ""))
        f.writeframes(data)

u8 = np.concatenate([[0, 255, 128, 127, 129], dice.randint(0, 256, 28)]).astype(np.uint8)
sound("wav_u8.wav", (u8.astype(int) - 128) / 128, 8000, riff((b"data", u8.tobytes()), fmt(1, 1, 8000, 8)))
s16 = np.concatenate([[-32768, 32767, 0, -1], dice.randint(-32768, 32768, 36)])
by_wave("wav_s16.wav", s16.astype("<i2").tobytes(), 2, 2, 44100)
sound("wav_s16.wav", s16 / 2**15, 44100, None, 2)
s24 = np.concatenate([[-2**23, 2**23 - 1, 0, -1], dice.randint(-2**23, 2**23, 26)])
bytes24 = b"".join(struct.pack("<i", int(v))[:3] for v in s24)
guid = struct.pack("<HHIH", 22, 24, 4, 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
sound("wav_s24.wav", s24 / 2**23, 16000, riff(fmt(0xfffe, 3, 16000, 24, guid), (b"LIST", b"INFOx"), (b"data", bytes24)), 3)
s32 = np.concatenate([[-2**31, 2**31 - 1, 0, -1], dice.randint(-2**31, 2**31, 20, dtype=np.int64)])
by_wave("wav_s32.wav", s32.astype("<i4").tobytes(), 4, 1, 96000)
sound("wav_s32.wav", s32 / 2**31, 96000)
real = np.concatenate([[1.5, -1, 0, 1e-30], dice.randn(16)])
for bits in (32, 64):
    r = real.astype("<f%d" % (bits // 8))
    head = fmt(3, 1, 22050, bits, struct.pack("<H", 0)), (b"fact", struct.pack("<I", len(r)))
    sound("wav_f%d.wav" % bits, r, 22050, riff(*head, (b"data", r.tobytes())))

# --- IDX, plain and gzipped with a name, two members, labels beside
os.makedirs(os.path.join(OUT, "idx"), exist_ok=True)
pixels = rng.randint(0, 256, (6, 4, 5)).astype(np.uint8)
idx = struct.pack(">BBBBIII", 0, 0, 8, 3, 6, 4, 5) + pixels.tobytes()
labels = struct.pack(">BBBBI", 0, 0, 8, 1, 6) + bytes([3, 1, 0, 2, 3, 1])
write("idx/plain-images-idx3-ubyte", idx)
write("idx/plain-labels-idx1-ubyte", labels)
def member(data, name=b""):
    head = b"\x1f\x8b\x08" + bytes([8 if name else 0]) + b"\0\0\0\0\2\3" + (name + b"\0" if name else b"")
    z = zlib.compressobj(9, 8, -15)
    return head + z.compress(data) + z.flush() + struct.pack("<II", zlib.crc32(data), len(data))
write("idx/zipped-images-idx3-ubyte.gz", member(idx[:50], b"a name") + member(idx[50:]))
write("idx/zipped-labels-idx1-ubyte.gz", member(labels))
assert gzip.decompress(open(os.path.join(OUT, "idx/zipped-images-idx3-ubyte.gz"), "rb").read()) == idx
expected.append("idx %08x" % zlib.crc32(pixels.tobytes()))

with open(os.path.join(OUT, "expected.txt"), "w") as f:
    f.write("\n".join(expected) + "\n")
print(len(expected), "files")

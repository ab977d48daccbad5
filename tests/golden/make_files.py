#!/usr/bin/env python3
"""Small image, array, sound and archive files for tests/files.c, written by other programs than ssl.h.

    /usr/bin/python3 tests/golden/make_files.py        (Debian: python3-numpy python3-pil libjpeg-turbo-progs)

Writes tests/golden/files/. expected.txt has a line per file: name height width channels crc32 of the 8-bit pixels that a
reader must give (npy: name type shape crc32 of the float32, int32 or uint8 values, little-endian; wav: name frames
channels rate crc32 of the float32 values).
PNG: every colour type and depth, plain and Adam7, all filters, with and without tRNS, from an encoder of this script
(checked against Pillow where Pillow keeps all bits), and files from Pillow itself.
"""
import gzip, io, os, struct, subprocess, tempfile, wave, zlib
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

# --- PNG with faults that libpng passes over; the pixels are libpng's
def faulty(name, depth, kind, chunks, want):
    h, w = 4, 4
    write(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, 0)) +
          b"".join(chunk(tag, data) for tag, data in chunks) + chunk(b"IEND", b""))
    expect(name, np.broadcast_to(np.array(want), (h, w, np.array(want).shape[-1])))
few = bytes(range(12))
numbers = (b"IDAT", zlib.compress(b"\0\x1b" * 4))  # 0 1 2 3 in each row
greys = b"\0\0\x40\x80\xff" * 4
colours = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
faulty("odd_plte_long.png", 2, 3, [(b"PLTE", bytes(range(256)) * 3), numbers], colours)
faulty("odd_trns_long.png", 2, 3, [(b"PLTE", few), (b"tRNS", b"\0\x80\xff\xff\xff\xff"), numbers], colours)
faulty("odd_trns_before.png", 2, 3, [(b"tRNS", b"\0\x80"), (b"PLTE", few), numbers], colours)
faulty("odd_trns_alpha.png", 8, 4, [(b"tRNS", b"\0\0"), (b"IDAT", zlib.compress((b"\0" + bytes(range(8))) * 4))], [[0, 1], [2, 3], [4, 5], [6, 7]])
faulty("odd_trns_bits.png", 8, 0, [(b"tRNS", b"\xff\0"), (b"IDAT", zlib.compress(greys))], [[0, 0], [64, 255], [128, 255], [255, 255]])
faulty("odd_index.png", 2, 3, [(b"PLTE", few[:9]), numbers], colours[:3] + [[0, 0, 0]])
faulty("odd_index_trns.png", 2, 3, [(b"PLTE", few[:9]), (b"tRNS", b"\0\7"), numbers], [[0, 1, 2, 0], [3, 4, 5, 7], [6, 7, 8, 255], [0, 0, 0, 255]])
for level in (0, 9):
    z = zlib.compress(greys, level)
    faulty("odd_rows_%d.png" % level, 8, 0, [(b"IDAT", zlib.compress(greys + b"\0abcd", level))], [[0], [64], [128], [255]])
    faulty("odd_no_adler_%d.png" % level, 8, 0, [(b"IDAT", z[:-4])], [[0], [64], [128], [255]])
    faulty("odd_behind_%d.png" % level, 8, 0, [(b"IDAT", z + b"\0")], [[0], [64], [128], [255]])
faulty("odd_plte_grey.png", 8, 0, [(b"PLTE", few[:7]), (b"IDAT", zlib.compress(greys))], [[0], [64], [128], [255]])

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

# --- JPEG: written by Pillow and by libjpeg's programs, read by Pillow, whose pixels are wanted bit for bit
jpeg_rng = np.random.RandomState(11)
def scene(h, w):
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([128 + 100 * np.sin(x / 7 + k) * np.cos(y / (9 + k)) + 40 * (k == 1) * ((x // 5 + y // 7) % 2) for k in range(3)], 2)
    return np.clip(a + 10 * jpeg_rng.randn(h, w, 3), 0, 255).astype(np.uint8)
def jpeg(name, data):
    write(name, data)
    expect(name, np.asarray(Image.open(io.BytesIO(data))))
def tool(command, data):  # a program that reads one file and writes one
    with tempfile.TemporaryDirectory() as d:
        for i, k in enumerate(command):
            if k.startswith("scans:"):
                open(os.path.join(d, "scans"), "w").write(k[6:])
                command[i] = os.path.join(d, "scans")
        open(os.path.join(d, "in"), "wb").write(data)
        subprocess.run(command + ["-outfile", os.path.join(d, "out"), os.path.join(d, "in")], check=True)
        return open(os.path.join(d, "out"), "rb").read()
def saved(a, **how):
    data = io.BytesIO()
    Image.fromarray(a).save(data, "JPEG", **how)
    return data.getvalue()
def ppm(a):
    return b"P6 %d %d 255\n" % (a.shape[1], a.shape[0]) + a.tobytes()
jpeg("pil_grey.jpg", saved(scene(19, 22)[:, :, 0], quality=75))
jpeg("pil_444_q95.jpg", saved(scene(17, 13), quality=95, subsampling=0))
jpeg("pil_422_q75.jpg", saved(scene(15, 21), quality=75, subsampling=1))
jpeg("pil_420_q5.jpg", saved(scene(25, 27), quality=5, subsampling=2))
jpeg("pil_420_q90_progressive.jpg", saved(scene(25, 27), quality=90, subsampling=2, progressive=True))
jpeg("pil_grey_progressive.jpg", saved(scene(9, 30)[:, :, 0], quality=60, progressive=True))
exif = Image.Exif()
exif[274] = 6  # turned by a quarter: left aside, as Pillow does
jpeg("pil_turned.jpg", saved(scene(6, 11)[:, :, 0], quality=80, exif=exif))
jpeg("pil_1x1.jpg", saved(scene(1, 1)))
jpeg("pil_narrow.jpg", saved(scene(20, 3), quality=80))
for name, how in (("440", ["-sample", "1x2"]), ("410", ["-sample", "4x2"]), ("441", ["-sample", "1x4"]), ("odd", ["-sample", "2x2,1x2,1x1"]),
                  ("chroma", ["-sample", "1x1,2x2,1x1"]), ("third", ["-sample", "3x1"]), ("rgb", ["-rgb"]),
                  ("restart", ["-sample", "2x1", "-restart", "1B"]), ("restart_progressive", ["-progressive", "-restart", "1"]),
                  ("separate", ["-scans", "scans:0;\n1;\n2;\n"]),
                  ("successive", ["-scans", "scans:0,1,2: 0-0, 0, 1;\n0: 1-9, 0, 2;\n2: 1-63, 0, 1;\n1: 1-63, 0, 1;\n0: 10-63, 0, 2;\n"
                                  "0: 1-63, 2, 1;\n0,1,2: 0-0, 1, 0;\n2: 1-63, 1, 0;\n1: 1-63, 1, 0;\n0: 1-63, 1, 0;\n"])):
    jpeg("cjpeg_%s.jpg" % name, tool(["cjpeg", "-quality", "70"] + how, ppm(scene(18, 35))))

# --- BMP from Pillow, and heads that Pillow does not write
for name, im in (("pil_rgb.bmp", image), ("pil_grey.bmp", image.convert("L")), ("pil_palette.bmp", image.quantize(16)), ("pil_bit.bmp", image.convert("1"))):
    data = io.BytesIO()
    im.save(data, "BMP")
    write(name, data.getvalue())
    expect(name, np.asarray(im.convert("RGB") if im.mode == "P" else im.convert("L") if im.mode == "1" else im))
def bmp(name, head, pixels, shape, extra=b""):
    size = 14 + 4 + len(head) + len(extra)
    data = struct.pack("<2sIII", b"BM", size + len(pixels), 0, size) + struct.pack("<I", len(head) + 4) + head + extra + pixels
    write(name, data)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA" if shape == 4 else "RGB"))
def info(w, h, bits, packed, masks=b"", used=0):
    return struct.pack("<iiHHIIiiII", w, h, 1, bits, packed, 0, 0, 0, used, 0) + masks
words = jpeg_rng.randint(0, 1 << 16, (5, 4)).astype("<u2").tobytes()
longs = jpeg_rng.randint(0, 1 << 32, (5, 3), dtype=np.int64).astype("<u4").tobytes()
for name, head, pixels, channels, extra in (
        ("d16.bmp", info(4, 5, 16, 0), words, 3, b""),
        ("d16_565.bmp", info(4, -5, 16, 3), words, 3, struct.pack("<III", 0xf800, 0x7e0, 0x1f)),
        ("d32.bmp", info(3, 5, 32, 0), longs, 3, b""),
        ("d32_alpha.bmp", info(3, 5, 32, 3, struct.pack("<IIII", 0xff0000, 0xff00, 0xff, 0xff000000) + b"\0" * 52), longs, 4, b""),
        ("os2.bmp", struct.pack("<HHHH", 3, 2, 1, 4), bytes([0x12, 0x30, 0, 0, 0x01, 0x20, 0, 0]), 3, bytes(range(48)))):
    expect(name, bmp(name, head, pixels, channels, extra))

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

# --- npz: one array, stored and deflated; several, of which tests/files.c and tests/weights.c read each
def npz(name, save, a):
    save(os.path.join(OUT, name), only=a)
    expected.append("%s f4 %s %08x" % (name, ",".join(map(str, a.shape)), zlib.crc32(np.ascontiguousarray(a, dtype="<f4").tobytes())))

few = (np.arange(60).reshape(5, 12) % 7).astype("<f8")
npz("npz_stored.npz", np.savez, few.astype("<f4")[:, :3])
npz("npz_deflated.npz", np.savez_compressed, few)
np.savez_compressed(os.path.join(OUT, "npz_several"), **{"x": np.arange(6, dtype=">f4").reshape(2, 3),
                    "y": np.asfortranarray(np.arange(6, dtype="<f2").reshape(2, 3)), "labels": np.array([3, -1, 4], "<i2")})

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

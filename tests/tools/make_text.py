"""Makes examples/data/text/austen.txt: three novels of Jane Austen from Debian's package r-cran-janeaustenr.

    apt-get download r-cran-janeaustenr && dpkg-deb -x r-cran-janeaustenr_*.deb austen
    /usr/bin/python3 tests/tools/make_text.py austen/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb \
        > examples/data/text/austen.txt

The package (version 1.0.0-1) keeps each novel as an R vector of lines, the novels in the order of their names. A novel
is the length of its bytes (32 bits, big-endian), then a zlib stream of R's serialisation: a header, the vector's type
and length, and for each line a type, the number of bytes and the bytes. Written are paragraphs, one a line, without the
underscores that stand for italics. The same bytes come out everywhere; nothing but Python's own library is needed.
"""
import struct
import sys
import zlib

NAMES = ["emma", "mansfieldpark", "northangerabbey", "persuasion", "prideprejudice", "sensesensibility"]
WANTED = ["prideprejudice", "emma", "persuasion"]


def vectors(data):
    """The serialised objects of a lazy-load file, unpacked."""
    at = 0
    while at < len(data):
        stream = zlib.decompressobj()
        yield stream.decompress(data[at + 4:])
        at = len(data) - len(stream.unused_data)


def strings(raw):
    """The lines in a serialised character vector (format version 3, XDR)."""
    encoding = struct.unpack(">I", raw[14:18])[0]
    at = 18 + encoding
    kind, count = struct.unpack(">II", raw[at:at + 8])
    assert raw[:2] == b"X\n" and kind & 255 == 16, "no vector of strings"
    at += 8
    for _ in range(count):
        kind, size = struct.unpack(">Ii", raw[at:at + 8])
        assert kind & 255 == 9 and size >= 0, "no string"
        yield raw[at + 8:at + 8 + size].decode("utf-8")
        at += 8 + size


def paragraphs(lines):
    words = []
    for line in lines:
        if not line.strip() and words:
            yield " ".join(words)
            words = []
        words += line.replace("_", "").split()
    if words:
        yield " ".join(words)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        novels = dict(zip(NAMES, vectors(file.read())))
    for name in WANTED:
        for paragraph in paragraphs(strings(novels[name])):
            sys.stdout.buffer.write(paragraph.encode("utf-8") + b"\n")

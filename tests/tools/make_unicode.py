#!/usr/bin/env python3
"""Makes the tables of >>tokenizers in ssl.h from Debian's package unicode-data (Unicode's character database; its notice
stands at the end of ssl.h):

    apt-get install unicode-data
    /usr/bin/python3 tests/tools/make_unicode.py [--check] [FOLDER, default /usr/share/unicode]

writes them between the lines "made by tests/tools/make_unicode.py" and "end of what was made"; --check only compares what
the file holds, unpacked, with what it would write. Unpacked the tables are: the numbers of capitals, of characters that
split and of ordered accents (32 bits each, little-endian), a byte for each character below END, and columns of 24 bits
(low bytes, then middle, then high ones), which but for the second parts are differences."""
import os
import re
import sys
import zlib

END = 0x32400  # behind it there are no letters
OTHER, LETTER, NUMBER, ACCENT, PUNCTUATION, SPACE, CONTROL, SPACE_CONTROL = range(8)
CAPITAL, SPLITS, ORDERED, CASED, IGNORABLE = 8, 16, 32, 64, 128


class Database:
    def __init__(self, folder):
        self.folder = folder
        self.category, self.small, self.parts, self.order = {}, {}, {}, {}
        first = None
        for line in open(os.path.join(folder, 'UnicodeData.txt')):
            field = line.rstrip('\n').split(';')
            code = int(field[0], 16)
            if field[1].endswith('First>'):
                first = code
                continue
            for one in range(first if field[1].endswith('Last>') else code, code + 1):
                self.category[one] = field[2]
            if field[3] != '0':
                self.order[code] = int(field[3])
            if field[5] and not field[5].startswith('<'):
                self.parts[code] = [int(x, 16) for x in field[5].split()]
            if field[13]:
                self.small[code] = int(field[13], 16)
        self.white = self.property('PropList.txt', 'White_Space')
        self.cased = self.property('DerivedCoreProperties.txt', 'Cased')
        self.ignorable = self.property('DerivedCoreProperties.txt', 'Case_Ignorable')
        self.apart = self.property('DerivedNormalizationProps.txt', 'Full_Composition_Exclusion')

    def property(self, file, name):
        found = set()
        for line in open(os.path.join(self.folder, file)):
            field = [x.strip() for x in line.split('#')[0].split(';')]
            if len(field) > 1 and field[1] == name:
                low, _, high = field[0].partition('..')
                found.update(range(int(low, 16), int(high or low, 16) + 1))
        return found

    def bits(self, code):
        category = self.category.get(code, 'Cn')
        if code in self.white:
            kind = SPACE_CONTROL if category == 'Cc' and chr(code) not in '\t\n\r' else SPACE
        elif category in ('Cc', 'Cf', 'Co', 'Cs'):
            kind = CONTROL
        else:
            kind = {'L': LETTER, 'N': NUMBER, 'P': PUNCTUATION}.get(category[0], ACCENT if category == 'Mn' else OTHER)
        return (kind | CAPITAL * (code in self.small) | ORDERED * (code in self.order) | CASED * (code in self.cased) |
                SPLITS * (code in self.parts or 0xac00 <= code < 0xd7a4) | IGNORABLE * (code in self.ignorable))


def column(numbers, steps=True):
    before, out = 0, []
    for n in numbers:
        out.append((n - before) & 0xffffff)
        before = n if steps else 0
    return b''.join(bytes(n >> shift & 255 for n in out) for shift in (0, 8, 16))


def raw_tables(data):
    capital, split, order = sorted(data.small), sorted(data.parts), sorted(data.order)
    assert max(capital + split + order) < END and max(data.order.values()) < 256
    assert all(len(p) < 3 for p in data.parts.values())
    return (b''.join(len(x).to_bytes(4, 'little') for x in (capital, split, order)) +
            bytes(data.bits(code) for code in range(END)) +
            column(capital) + column([data.small[code] - code for code in capital]) +
            column(split) + column([data.parts[code][0] for code in split]) +
            column([(data.parts[code] + [0])[1] for code in split], False) + bytes(code in data.apart for code in split) +
            column(order) + bytes(data.order[code] for code in order))


def main():
    options = [x for x in sys.argv[1:] if x.startswith('-')]
    folders = [x for x in sys.argv[1:] if not x.startswith('-')]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../ssl.h')
    raw = raw_tables(Database(folders[0] if folders else '/usr/share/unicode'))
    text = open(path, encoding='utf-8').read()
    begin = '/* made by tests/tools/make_unicode.py from Unicode 15.0: what it says, deflated, in words of four bytes */\n'
    end = '/* end of what was made */\n'
    head, rest = text.split(begin)
    inside, tail = rest.split(end)
    if '--check' in options:
        words = [int(x, 16) for x in re.findall(r'0x([0-9a-f]{8})u', inside)]
        size = int(re.search(r'PACKED (\d+)u', inside).group(1))
        there = zlib.decompress(b''.join(w.to_bytes(4, 'little') for w in words)[:size])
        print('the tables are those of the database' if there == raw else 'THE TABLES DIFFER')
        return there != raw
    packed = zlib.compress(raw, 9)
    size = len(packed)
    packed += bytes(-size % 4)
    words = ['0x%08xu' % int.from_bytes(packed[i:i + 4], 'little') for i in range(0, len(packed), 4)]
    inside = '#define SSLH_I_UNI_PACKED %du\n#define SSLH_I_UNI_RAW %du\n' % (size, len(raw))
    inside += 'static const uint32_t sslh_i_uni_packed[] = {\n'
    for i in range(0, len(words), 9):
        inside += '    ' + ', '.join(words[i:i + 9]) + (',\n' if i + 9 < len(words) else '\n};\n')
    open(path, 'w', encoding='utf-8').write(head + begin + inside + end + tail)
    return 0


if __name__ == '__main__':
    sys.exit(main())

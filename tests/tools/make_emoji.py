#!/usr/bin/env python3
"""Makes examples/data/emoji, images with captions for CLIP, from the bitmaps of Noto Color Emoji and from Unicode's names
and keywords, as Debian has them:

    apt-get install fonts-noto-color-emoji unicode-data unicode-cldr-core python3-pil
    /usr/bin/python3 tests/tools/make_emoji.py

Every emoji that is not a flag of a country and has no skin tone, on white, 32 x 32 pixels, in sheets of 40 columns.
captions.txt has a line for each: the name, a bar, and keywords with commas between them. What there is more than once
with the same name or pixels is there once. Needs Pillow with libraqm (libjpeg decides on the last bytes)."""
import os
import unicodedata
import xml.etree.ElementTree as xml
from PIL import Image, ImageDraw, ImageFont

FONT = '/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf'
LIST = '/usr/share/unicode/emoji/emoji-test.txt'
WORDS = '/usr/share/unicode/cldr/common/%s/en.xml'
SIDE, COLUMNS, SHEET = 32, 40, 400  # pixels, cells in a row, cells in a sheet


def plain(text):
    text = text.replace('\u2019', "'").replace('\u2013', '-').replace('\u201c', '').replace('\u201d', '')
    return unicodedata.normalize('NFKD', text).encode('ascii', 'ignore').decode().strip()


def annotations():
    """The keywords of each emoji; U+FE0F is left out there."""
    found = {}
    for part in ('annotations', 'annotationsDerived'):
        for a in xml.parse(WORDS % part).getroot().iter('annotation'):
            if a.get('type') is None:
                found[a.get('cp')] = [plain(w) for w in a.text.split('|')]
    return found


def listed():
    """(characters, name) of the emoji that are wanted, in Unicode's order."""
    subgroup = ''
    for line in open(LIST, encoding='utf-8'):
        if line.startswith('# subgroup:'):
            subgroup = line.split(':')[1].strip()
        if '; fully-qualified' not in line or subgroup in ('country-flag', 'subdivision-flag'):
            continue
        codes, rest = line.split(';', 1)
        text = ''.join(chr(int(c, 16)) for c in codes.split())
        if not any(0x1f3fb <= ord(ch) <= 0x1f3ff for ch in text):
            yield text, plain(rest.split('#', 1)[1].strip().split(' ', 2)[2])


def render(font, text):
    """On white and square; None for what the font draws as several glyphs, because it lacks the emoji."""
    left, top, right, bottom = font.getbbox(text)
    if right - left > 150:
        return None
    image = Image.new('RGB', (136, 136), 'white')
    ImageDraw.Draw(image).text(((136 - right - left) // 2, (136 - bottom - top) // 2), text, font=font, embedded_color=True)
    return image.resize((SIDE, SIDE), Image.LANCZOS)


def main():
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../examples/data/emoji')
    os.makedirs(out, exist_ok=True)
    font = ImageFont.truetype(FONT, 109)  # the size of its bitmaps
    words, cells, captions, seen = annotations(), [], [], set()
    for text, name in listed():
        image = render(font, text)
        if image is None or name in seen or image.tobytes() in seen:
            continue
        seen.update((name, image.tobytes()))
        keywords = [w for w in words.get(text.replace('\ufe0f', ''), []) if w and w != name]
        cells.append(image)
        captions.append(name + (' | ' + ', '.join(keywords) if keywords else ''))
    index = ['# Emoji with captions; see ../README.md', 'cell %d %d' % (SIDE, SIDE)]
    for first in range(0, len(cells), SHEET):
        part = cells[first:first + SHEET]
        sheet = Image.new('RGB', (COLUMNS * SIDE, (len(part) + COLUMNS - 1) // COLUMNS * SIDE), 'white')
        for i, cell in enumerate(part):
            sheet.paste(cell, (i % COLUMNS * SIDE, i // COLUMNS * SIDE))
        file = 'emoji_%d.jpg' % (first // SHEET)
        sheet.save(os.path.join(out, file), quality=84, subsampling=0)
        index.append('sheet %s columns %d count %d' % (file, COLUMNS, len(part)))
    for path, lines in (('index.txt', index), ('captions.txt', captions)):
        with open(os.path.join(out, path), 'w') as f:
            f.write('\n'.join(lines) + '\n')


main()

#!/usr/bin/env python3
"""Makes examples/data/colour from nine photographs of Debian's package lomiri-wallpapers-16.04 (those under CC BY 4.0 or
CC0), for colorization:

    apt-get install lomiri-wallpapers-16.04      (or: apt-get download it, and dpkg-deb -x FILE FOLDER)
    /usr/bin/python3 tests/tools/make_colour.py [FOLDER/usr/share/backgrounds]

Each is resized to 640 pixels on its longer side, cropped to multiples of 32 and saved as a JPEG with whole colours: a
sheet of cells of 32 x 32. Needs python3-pil (libjpeg decides on the last bytes)."""
import os
import sys
from PIL import Image

PHOTOGRAPHS = [
    ('mountain', 'aitzgorri_by_Aitzol_Berasategi.jpg'), ('dogs', 'friends_by_Aitzol_Berasategi.jpg'),
    ('stream', 'life_by_Aitzol_Berasategi.jpg'), ('peaks', 'picosdeeuropa_by_Aitzol_Berasategi.jpg'),
    ('fig', 'Picture_0B_by_freespace.jpg'), ('brushes', 'Picture_1A_by_freespace.jpg'),
    ('dandelion', 'seeding_by_Clements_Engelhardt.jpg'), ('sunset', 'sunset_by_Aitzol_Berasategi.jpg'),
    ('drum', 'Wine_by_Jakkub_Mede.jpg')]
SIDE, CELL = 640, 32


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else '/usr/share/backgrounds'
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../examples/data/colour')
    os.makedirs(out, exist_ok=True)
    index, labels = ['# Nine photographs as sheets of cells; see ../README.md', 'cell %d %d' % (CELL, CELL)], []
    index += ['class ' + name for name, _ in PHOTOGRAPHS]
    for number, (name, file) in enumerate(PHOTOGRAPHS):
        photo = Image.open(os.path.join(source, file)).convert('RGB')
        scale = SIDE / max(photo.size)
        photo = photo.resize([max(CELL, round(s * scale)) for s in photo.size], Image.LANCZOS)
        width, height = [s // CELL * CELL for s in photo.size]
        left, top = (photo.width - width) // 2, (photo.height - height) // 2
        photo.crop((left, top, left + width, top + height)).save(os.path.join(out, name + '.jpg'), quality=88, subsampling=0)
        cells = (width // CELL) * (height // CELL)
        index.append('sheet %s.jpg columns %d count %d' % (name, width // CELL, cells))
        labels += [str(number)] * cells
    index.append('labels labels.txt')
    for path, lines in (('index.txt', index), ('labels.txt', labels)):
        with open(os.path.join(out, path), 'w') as f:
            f.write('\n'.join(lines) + '\n')


main()

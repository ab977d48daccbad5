#!/usr/bin/env python3
"""Makes examples/data/speech: the ten digits spoken by ten voices of eSpeak NG in five manners each, 500 small WAV files.

    /usr/bin/python3 tests/tools/make_speech.py [FOLDER]        (Debian: espeak-ng python3-numpy)

A file is called DIGIT_VOICE_MANNER.wav, as in the Free Spoken Digit Dataset: 8 bits, mono, 8,000 samples a second, silence
at both ends cut off, loudest sample near full scale. A voice is an accent of English and one of eSpeak's speakers; a manner
is a speed and a pitch. With eSpeak NG 1.51 the files are the same on every machine.
"""
import io
import os
import subprocess
import sys
import wave
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "examples", "data", "speech")
DIGITS = "zero one two three four five six seven eight nine".split()
VOICES = {"anna": "en-gb+f1", "bess": "en-us+f2", "cara": "en-gb-scotland+f3", "dora": "en-us+f4", "emma": "en-gb-x-rp+f5",
          "fred": "en-gb+m1", "glen": "en-gb-scotland+m2", "hank": "en-us+m3", "ivor": "en-gb-x-gbcwmd+m4", "jack": "en-us+m7"}
MANNERS = [(165, 50), (135, 44), (195, 56), (150, 60), (180, 40)]  # words a minute, pitch 0 to 99
RATE = 8000


def speak(word, voice, speed, pitch):
    """The word as numbers in [-1, 1] and their rate."""
    out = subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word], check=True,
                         stdout=subprocess.PIPE).stdout
    # the sizes in the head are those of a stream: the samples go on to the end
    with wave.open(io.BytesIO(out)) as f:
        rate = f.getframerate()
    return np.frombuffer(out[44:len(out) - len(out) % 2], "<i2") / 32768.0, rate


def resample(x, rate):
    """To RATE by a windowed sinc that passes what is below 0.45 of it: 32 zero crossings to each side."""
    cutoff = 0.9 * RATE / rate
    n = int(len(x) * RATE / rate)
    at = np.arange(n) * (rate / RATE)
    reach = int(32 / cutoff)
    k = np.floor(at).astype(int)[:, None] + np.arange(-reach, reach + 1)[None]
    d = at[:, None] - k
    weight = cutoff * np.sinc(cutoff * d) * (0.5 + 0.5 * np.cos(np.pi * np.clip(d / (reach + 1), -1, 1)))
    return (np.where((k >= 0) & (k < len(x)), x[np.clip(k, 0, len(x) - 1)], 0) * weight).sum(1)


def trim(x):
    """Without the silence before and behind: where the mean over 10 ms is below a fiftieth of the loudest."""
    step = RATE // 100
    level = np.array([np.abs(x[i:i + step]).mean() for i in range(0, len(x), step)])
    loud = np.nonzero(level > 0.02 * level.max())[0]
    x = x[loud[0] * step:(loud[-1] + 1) * step]
    return x[:len(x) // 2 * 2]  # whole bytes in pairs: Python's writer leaves the padding out


os.makedirs(OUT, exist_ok=True)
total = 0
for name, voice in VOICES.items():
    for number, word in enumerate(DIGITS):
        for manner, (speed, pitch) in enumerate(MANNERS):
            x = trim(resample(*speak(word, voice, speed, pitch)))
            x = np.clip(np.round(x * (120 / np.abs(x).max())) + 128, 0, 255).astype(np.uint8)
            with wave.open(os.path.join(OUT, "%d_%s_%d.wav" % (number, name, manner)), "wb") as f:
                f.setparams((1, 1, RATE, 0, "NONE", ""))
                f.writeframes(x.tobytes())
            total += len(x)
print("%d files, %.2f s each on average, %d bytes of samples" % (500, total / 500 / RATE, total))

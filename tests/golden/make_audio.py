#!/usr/bin/env python3
"""Values of mel spectrograms and cepstral coefficients for tests/audio.c, in double precision:

    /usr/bin/python3 tests/golden/make_audio.py > tests/golden/audio.h        (Debian: python3-numpy)

The formulas are those that torchaudio publishes, written down once more with numpy's own Fourier transform. Where
python3-torchaudio is installed the script compares itself with it, in float64 as far as torchaudio goes there."""
import sys
import numpy as np

TORCH = True
try:
    import torch, torchaudio
except ImportError:
    TORCH = False


def sound(n, seed):
    """Noise and a chirp of saw teeth, all numbers exact in float32; tests/audio.c makes the same."""
    out = np.empty(n)
    for t in range(n):
        seed = (seed * 1664525 + 1013904223) & 0xffffffff
        out[t] = (2 * (seed >> 12) + 1 - 1048576) / 2.0 ** 24 + (t * t // 8 % 512 - 256) / 512.0
    return out


def mel_of(f, slaney):
    if not slaney:
        return 2595 * np.log10(1 + f / 700)
    return f * 3 / 200 if f < 1000 else 15 + 27 * np.log(f / 1000) / np.log(6.4)


def hertz_of(m, slaney):
    if not slaney:
        return 700 * (10 ** (m / 2595) - 1)
    return np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))


def mel(x, rate, n_fft, window, hop, bands, low, high, slaney, area, no_center):
    w = np.zeros(n_fft)
    w[(n_fft - window) // 2:][:window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    if not no_center:
        x = np.pad(x, n_fft // 2, mode="reflect")
    frames = (len(x) - n_fft) // hop + 1
    power = np.stack([np.abs(np.fft.rfft(x[f * hop:f * hop + n_fft] * w)) ** 2 for f in range(frames)])
    k = np.linspace(0, rate // 2, n_fft // 2 + 1)
    c = hertz_of(np.linspace(mel_of(low, slaney), mel_of(high, slaney), bands + 2), slaney)
    up = (k[:, None] - c[:-2]) / (c[1:-1] - c[:-2])
    down = (c[2:] - k[:, None]) / (c[2:] - c[1:-1])
    weight = np.maximum(0, np.minimum(up, down))
    if area:
        weight = weight * 2 / (c[2:] - c[:-2])
    return power @ weight


def mfcc(m, count, log_mels, top_db):
    bands = m.shape[1]
    if log_mels:
        v = np.log(m + 1e-6)
    else:
        v = 10 * np.log10(np.maximum(m, 1e-10))
        if top_db:
            v = np.maximum(v, v.max() - top_db)
    j = np.arange(count)[:, None]
    dct = np.cos(np.pi / bands * (np.arange(bands) + 0.5) * j) * np.sqrt(2 / bands)
    dct[0] /= np.sqrt(2)
    return v @ dct.T


#         T    rate  n_fft window hop bands low  high slaney area no_center  coefficients log_mels top_db
CASES = [(1000, 16000, 400, 400, 200, 128, 0, 8000, 0, 0, 0, 0, 0, 0),
         (1200, 8000, 256, 256, 128, 40, 0, 4000, 0, 0, 0, 40, 0, 80),
         (1000, 22050, 512, 512, 256, 64, 0, 11025, 1, 1, 0, 20, 1, 0),
         (900, 16000, 401, 300, 160, 23, 0, 8000, 0, 0, 0, 0, 0, 0),
         (800, 11025, 360, 360, 90, 30, 20, 4000, 1, 0, 0, 13, 0, 40),
         (701, 8000, 200, 120, 80, 20, 100, 3900, 0, 1, 1, 12, 0, 0)]

print("/* Made by tests/golden/make_audio.py: see there. */")
worst = 0
for number, (T, rate, n_fft, window, hop, bands, low, high, slaney, area, no_center, K, log_mels, top_db) in enumerate(CASES):
    x = sound(T, number + 1)
    m = mel(x, rate, n_fft, window, hop, bands, low, high, slaney, area, no_center)
    c = mfcc(m, K, log_mels, top_db) if K else np.zeros((len(m), 0))
    if TORCH:
        kw = dict(n_fft=n_fft, win_length=window, hop_length=hop, n_mels=bands, f_min=float(low), f_max=float(high),
                  center=not no_center, mel_scale="slaney" if slaney else "htk", norm="slaney" if area else None)
        t = torch.tensor(x)[None]
        m2 = torchaudio.transforms.MelSpectrogram(rate, **kw).double()(t)[0].numpy().T
        assert m2.shape == m.shape
        off = np.abs(m2 - m) / (np.abs(m) + 1e-6 * m.max())
        print("case %d: mel of torchaudio differs by %.1e" % (number, off.max()), file=sys.stderr)
        assert off.max() < 1e-3
        if K:
            f = torchaudio.transforms.MFCC(rate, n_mfcc=K, log_mels=bool(log_mels), melkwargs=kw).double()
            if not log_mels:
                f.amplitude_to_DB.top_db = top_db or None
            c2 = f(t)[0].numpy().T
            print("case %d: MFCC of torchaudio differs by %.1e" % (number, np.abs(c2 - c).max()), file=sys.stderr)
            assert np.abs(c2 - c).max() < 5e-3
    for kind, v in (("mel", m), ("mfcc", c)):
        if v.size:
            print("static const double golden_%s%d[] = {%s};" % (kind, number, ", ".join("%.10g" % a for a in v.reshape(-1))))
print("static const golden_audio golden_cases[] = {")
for number, case in enumerate(CASES):
    print("    {%s, golden_mel%d, (int)(sizeof golden_mel%d / sizeof(double)), %s}," %
          (", ".join(map(str, case)), number, number, "golden_mfcc%d" % number if case[11] else "NULL"))
print("};")

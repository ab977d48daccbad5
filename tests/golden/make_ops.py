#!/usr/bin/env python3
"""Records values and gradients of every entry of the table in tests/ops.c from PyTorch, in double precision:

    make build/tests/ops && build/tests/ops --list | python3 tests/golden/make_ops.py > tests/golden/ops.h.new

(write to a new file first: ops.h is compiled into the program that lists). Likewise tests/shapes.c, shapes.h with the name
of its array as an argument: golden_shapes. Needs python3-torch and python3-numpy."""
import sys
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def seed_of(name, kind, index):
    h = 2166136261
    for ch in (name + kind).encode():
        h = ((h ^ ch) * 16777619) & 0xffffffff
    return ((h ^ index) * 16777619) & 0xffffffff


def draw20(seed, n):
    out = np.empty(n, np.int64)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) & 0xffffffff
        out[i] = seed >> 12
    return out


def draw(seed, n):
    return (2 * draw20(seed, n) + 1 - 1048576) / 1048576.0


def make_input(token, seed):
    if token == '-':
        return None, False
    body = token.rstrip('0123456789')
    kind, n = '', 0
    if token == '0':
        body = '0'
    for k in 'pklnzq':
        if token.endswith(k):
            kind, body = k, token[:-1]
    for k in 'iu':
        if k in token:
            body, n = token.split(k)
            kind, n = k, int(n)
    if kind == '':
        body = token
    shape = () if body == '0' else tuple(int(s) for s in body.split('x'))
    count = int(np.prod(shape)) if shape else 1
    if kind in ('i', 'u'):
        return torch.tensor((draw20(seed, count) % n).reshape(shape)), False
    v = draw(seed, count)
    if kind in ('p', 'q'):
        v = 1.5 + v
    elif kind == 'k':
        v = v * 0.25
    elif kind == 'l':
        v = v * 4
    elif kind == 'z':
        v = (v + 1) * 0.5
    t = torch.tensor(v.reshape(shape))
    grad = kind in ('', 'p', 'k', 'l')
    return t.requires_grad_(grad), grad


f32 = lambda x: float(np.float32(x))


def axes(x, bits):
    bits = int(bits)
    if bits == 0x3f:
        return list(range(x.dim()))
    out = [i for i in range(x.dim()) if bits >> i & 1]
    out += [x.dim() - i for i in range(1, x.dim() + 1) if bits >> (15 + i) & 1]
    return sorted(out)


ACT = [lambda x: x, F.relu, F.gelu, lambda x: F.gelu(x, approximate='tanh'), F.silu, torch.sigmoid, torch.tanh,
       lambda x: x * torch.sigmoid(1.702 * x)]


def conv(x, w, b, p, dims, transpose):
    s, sw, pad, padw, d, dw, g, op, act = [int(v) for v in p[:9]]
    s, d, g = s or 1, d or 1, g or 1
    sw, dw = sw or s, dw or d
    padw = pad if padw == 0 else max(padw, 0)
    pad, padw = max(pad, 0), max(padw, 0)
    to, back = ([0, 3, 1, 2], [0, 2, 3, 1]) if dims == 2 else ([0, 2, 1], [0, 2, 1])
    st, pa, di = ((s, sw), (pad, padw), (d, dw)) if dims == 2 else (s, pad, d)
    xx, ww = x.permute(to), w.permute(to)
    if transpose:
        f = F.conv_transpose2d if dims == 2 else F.conv_transpose1d
        y = f(xx, ww, b, st, pa, op, g, di)
    else:
        f = F.conv2d if dims == 2 else F.conv1d
        y = f(xx, ww, b, st, pa, di, g)
    return ACT[act](y.permute(back))


def batch_norm(i, p):
    x, gamma, beta, rm, rv, res = i
    training, momentum, eps, groups, act = int(p[0]), p[1] or f32(0.1), p[2] or f32(1e-5), int(p[3]) or 1, int(p[4])
    c = x.shape[-1]
    ys, m, v = [], rm, rv
    if training:
        means, variances = [], []
        for part in x.chunk(groups, 0):
            flat = part.reshape(-1, c)
            mean, var = flat.mean(0), flat.var(0, unbiased=False)
            means.append(mean.detach())
            variances.append(flat.var(0, unbiased=True).detach())
            ys.append((part - mean) / torch.sqrt(var + eps))
        y = torch.cat(ys, 0)
        if rm is not None:
            m = (1 - momentum) * rm + momentum * torch.stack(means).mean(0)
            v = (1 - momentum) * rv + momentum * torch.stack(variances).mean(0)
    else:
        y = (x - rm) / torch.sqrt(rv + eps)
    if gamma is not None:
        y = y * gamma
    if beta is not None:
        y = y + beta
    if res is not None:
        y = y + res
    return [ACT[act](y)] + ([m, v] if rm is not None else [])


def group_norm(i, p):
    x = i[0].transpose(1, -1) if i[0].dim() == 3 else i[0].permute(0, 3, 1, 2)
    y = F.group_norm(x, int(p[0]), i[1], i[2], p[1] or f32(1e-5))
    return y.transpose(1, -1) if i[0].dim() == 3 else y.permute(0, 2, 3, 1)


def attention(q, k, v, p, key_mask=None, mask=None, bias=None):
    heads, causal = int(p[0]) or 1, int(p[1])
    n, tq, d = q.shape
    tk, h = k.shape[1], d // heads
    scale = p[2] or 1 / np.sqrt(h)
    split = lambda x: x.reshape(n, -1, heads, h).transpose(1, 2)
    s = split(q) @ split(k).transpose(2, 3) * scale
    if causal:
        s = s.masked_fill(torch.ones(tq, tk, dtype=torch.bool).triu(1), -np.inf)
    if bias is not None:
        s = s + bias
    if key_mask is not None:
        s = s.masked_fill(key_mask.bool()[:, None, None, :], -np.inf)
    if mask is not None:
        s = s.masked_fill(mask.bool(), -np.inf)
    assert (s > -np.inf).any(-1).all(), 'a row is masked whole: change the name of the entry'
    w = torch.softmax(s, -1)
    y = (w @ v.reshape(n, tk, heads, -1).transpose(1, 2)).transpose(1, 2).reshape(n, tq, -1)
    return [y] + ([w.detach()] if p[3] else [])


def self_attention(i, p):
    return attention(*i[0].chunk(3, -1), p, *i[1:])


def recurrent(i, p, lstm):
    """torch.nn.GRU or LSTM with the weights of the entry, over packed sequences when there are lengths. In reverse it is
    the second half of a bidirectional one, whose first half has weights of 0."""
    x, wi, wh, bi, bh, h0, lengths, c0 = i + [None] * (8 - len(i))
    n, t, d = x.shape[0], x.shape[1], wh.shape[1]
    weights = [w for w in (wi, wh, bi, bh) if w is not None]
    both = [torch.zeros_like(w) for w in weights] + weights if p[0] else weights
    start = lambda s: torch.cat([torch.zeros(len(both) // len(weights) - 1, n, d), (torch.zeros(n, d) if s is None else s)[None]])
    h = (start(h0), start(c0)) if lstm else start(h0)
    f = torch._VF.lstm if lstm else torch._VF.gru
    if lengths is None:
        out = f(x, h, both, bi is not None, 1, 0.0, False, bool(p[0]), True)
        y, last = out[0], out[1:]
    else:
        lengths = lengths + 1
        order = torch.argsort(lengths, descending=True, stable=True)
        back = torch.argsort(order)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x[order], lengths[order], batch_first=True)
        h = tuple(s[:, order] for s in h) if lstm else h[:, order]
        out = f(packed.data, packed.batch_sizes, h, both, bi is not None, 1, 0.0, False, bool(p[0]))
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(torch.nn.utils.rnn.PackedSequence(out[0], packed.batch_sizes), batch_first=True, total_length=t)
        y, last = y[back], [s[:, back] for s in out[1:]]
    y, last = y[:, :, -d:], [s[-1] for s in last]
    return [y, last[0], last[-1], torch.cat([last[0][:, None], y, last[-1][:, None]], 1)][int(p[1])]


def recurrent_layer(i, p):
    x, lengths, h0, c0 = i + [None] * (4 - len(i))
    lstm, layers, both = bool(p[0]), int(p[1]) or 1, bool(p[2])
    net = (torch.nn.LSTM if lstm else torch.nn.GRU)(x.shape[2], 6, layers, not p[3], True, 0, both)
    for name, w in net.named_parameters():
        w.data = torch.tensor(draw(seed_of('recurrent_layer', name, 0), w.numel()).reshape(w.shape) * 0.5)
    zeros = torch.zeros(layers * (2 if both else 1), x.shape[0], 6)
    start = zeros if h0 is None else h0
    if lstm:
        start = (start, zeros if c0 is None else c0)
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths + 1, batch_first=True, enforce_sorted=False)
    y, last = net(x, start)
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=i[0].shape[1])
    return [y] + (list(last) if lstm else [last])


def nt_xent(i, p):
    z = F.normalize(torch.cat([i[0], i[1]]), dim=1)
    n = i[0].shape[0]
    s = z @ z.T / p[0]
    s = s.masked_fill(torch.eye(2 * n, dtype=torch.bool), -np.inf)
    return F.cross_entropy(s, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


def info_nce(i, p):
    q, k, neg = i
    if neg is None:
        return F.cross_entropy(q @ k.T / p[0], torch.arange(q.shape[0]))
    others = torch.einsum('nd,nkd->nk', q, neg) if neg.dim() == 3 else q @ neg.T
    logits = torch.cat([(q * k).sum(1, keepdim=True), others], 1) / p[0]
    return F.cross_entropy(logits, torch.zeros(q.shape[0], dtype=torch.long))


def supcon_loss(i, p):
    u, same = F.normalize(i[0], dim=1), i[1][:, None] == i[1]
    itself = torch.eye(len(u), dtype=torch.bool)
    s = (u @ u.T / p[0]).masked_fill(itself, -np.inf)
    log_p = s - torch.logsumexp(s, 1, keepdim=True)
    return -torch.stack([log_p[k][same[k] & ~itself[k]].mean() for k in range(len(u)) if same[k].sum() > 1]).mean()


def pair_products(i):
    """Cosines times e^scale, and which pairs have the caption of which."""
    n, same = len(i[0]), i[-1]
    right = torch.eye(n) if same is None else (same[:, None] == same).to(i[0].dtype)
    return F.normalize(i[0], dim=1) @ F.normalize(i[1], dim=1).T * i[2].exp(), right


def clip_loss(i, p):
    x, right = pair_products(i)
    share = right / right.sum(1, keepdim=True)
    return -((share * torch.log_softmax(x, 1)).sum(1) + (share * torch.log_softmax(x.T, 1)).sum(1)).mean() / 2


def siglip_loss(i, p):
    x, right = pair_products(i)
    return -F.logsigmoid((2 * right - 1) * (x + i[3])).sum() / len(x)


def sinkhorn(i, p):
    """As SwAV's code: the sums of prototypes, then those of samples; a shift of all scores changes nothing."""
    eps = p[1] or f32(0.05)
    s = i[0].detach()
    q = torch.exp((s - s.max()) / eps).T
    q = q / q.sum()
    for _ in range(int(p[0]) or 3):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def accuracy(i, p):
    top = i[0].detach().topk(int(p[0]), -1).indices
    return (top == i[1][..., None]).any(-1).double().mean()


def off_diagonal(x):
    return x - torch.diag(torch.diag(x))


def barlow_loss(i, p):
    a, b = [(z - z.mean(0)) / torch.sqrt(z.var(0, unbiased=False) + 1e-5) for z in i]
    c = a.T @ b / len(a)
    return ((1 - torch.diag(c)) ** 2).sum() + p[0] * (off_diagonal(c) ** 2).sum()


def vicreg_loss(i, p):
    v = sum(F.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean() / 2 for z in i)
    c = sum((off_diagonal(torch.cov(z.T)) ** 2).sum() / z.shape[1] for z in i)
    return p[0] * F.mse_loss(i[0], i[1]) + p[1] * v + p[2] * c


def ce_ex(i, p):
    k = i[0].shape[-1]
    return F.cross_entropy(i[0].reshape(-1, k), i[1].reshape(-1), label_smoothing=p[0], ignore_index=int(p[1]))


def pool_ex(kind, dims):
    def f(i, p):
        kh, kw, sh, sw, ph, pw, ceil, exclude = [int(v) for v in p[:8]]
        kw = kw or kh
        sh, sw = sh or kh, sw or sh or kw
        pw = max(pw, 0) if pw else ph
        k, s, q = ((kh, kw), (sh, sw), (ph, pw)) if dims == 2 else (kw, sw, pw)
        x = pool(i[0]) if dims == 2 else i[0].transpose(1, 2)
        if kind == 'max':
            y = (F.max_pool2d if dims == 2 else F.max_pool1d)(x, k, s, q, ceil_mode=bool(ceil))
        else:
            y = (F.avg_pool2d if dims == 2 else F.avg_pool1d)(x, k, s, q, ceil_mode=bool(ceil), count_include_pad=not exclude)
        return unpool(y) if dims == 2 else y.transpose(1, 2)
    return f


def interpolate(i, p):
    mode = ['bilinear', 'nearest', 'bicubic'][int(p[2])]
    kw = {} if mode == 'nearest' else {'align_corners': bool(p[4]), 'antialias': bool(p[3])}
    return unpool(F.interpolate(pool(i[0]), size=(int(p[0]), int(p[1])), mode=mode, **kw))


def pad_ex(i, p):
    x, axis, mode = i[0], int(p[0]) % i[0].dim(), int(p[3])
    if mode == 0:
        return pad(i, [p[0], p[1], p[2], p[4]])
    at = np.pad(np.arange(x.shape[axis]), (int(p[1]), int(p[2])), mode=['', 'reflect', 'edge'][mode])
    return x.index_select(axis, torch.tensor(at))


def prod(i, p):
    x = i[0]
    for a in reversed(axes(x, p[0])):
        x = x.prod(a, keepdim=bool(p[1]))
    return x


def topk(i, p):
    v, at = torch.topk(i[0], int(p[0]), int(p[1]))
    return [v, at] if p[2] else v


def spread(x, index, axis):
    """An index of one dimension as one of x's shape but for the axis."""
    if index.dim() == x.dim():
        return index
    shape = [1] * x.dim()
    shape[axis % x.dim()] = -1
    sizes = list(x.shape)
    sizes[axis % x.dim()] = index.shape[0]
    return index.reshape(shape).expand(sizes)


def scatter(i, p):
    """Entry by entry, so that the last one counts where two meet."""
    x, index, source = i
    a = int(p[0]) % x.dim()
    index = spread(x, index, a)
    y = x
    for j in range(index.shape[a]):
        y = y.scatter(a, index.narrow(a, j, 1), source.narrow(a, j, 1))
    return y


def ce_full(i, p):
    x, y, w = i + [None] * (3 - len(i))
    how = ['mean', 'sum', 'none'][int(p[2])]
    labels = not y.is_floating_point()
    extra = {'ignore_index': int(p[1]), 'weight': w, 'label_smoothing': p[0]} if labels else {}
    loss = F.cross_entropy(rows(x), y.reshape(-1) if labels else rows(y), reduction=how, **extra)
    return loss.reshape(x.shape[:-1]) if how == 'none' else loss


def resize(mode):
    def f(i, p):
        kw = {} if mode == 'nearest' else {'align_corners': False}
        return F.interpolate(i[0].permute(0, 3, 1, 2), size=(int(p[0]), int(p[1])), mode=mode, **kw).permute(0, 2, 3, 1)
    return f


def pad(i, p):
    x, axis = i[0], int(p[0]) % i[0].dim()
    spec = [0, 0] * (x.dim() - 1 - axis) + [int(p[1]), int(p[2])]
    return F.pad(x, spec, value=p[3])


def amax(i, p):
    x = i[0]
    a = axes(x, p[0])
    return x.amax(a, keepdim=bool(p[1]))


def gather(i, p):
    x, idx = i
    return torch.stack([x[n][idx[n]] for n in range(x.shape[0])])


def crop(i, p):
    x, at = i
    return torch.stack([torch.stack([x[n, t:t + int(p[0]), l:l + int(p[1])] for t, l in at[n].tolist()]) for n in range(x.shape[0])])


def unfold(i, p):
    x = i[0].unfold(1, int(p[0]), int(p[2])).unfold(2, int(p[1]), int(p[3]))  # N, rows, columns, C, height, width
    return x.permute(0, 1, 2, 4, 5, 3).reshape(x.shape[0], -1, int(p[0]), int(p[1]), x.shape[3])


def standardize(i, p):
    a = axes(i[0], p[0])
    return (i[0] - i[0].mean(a, keepdim=True)) / torch.sqrt(torch.var(i[0], a, correction=0, keepdim=True) + (p[1] or f32(1e-5)))


def patchify(x, k):
    n, h, w, c = x.shape
    return x.reshape(n, h // k, k, w // k, k, c).permute(0, 1, 3, 2, 4, 5).reshape(n, -1, k * k * c)


def unpatchify(x, k, h, w):
    n = x.shape[0]
    return x.reshape(n, h // k, w // k, k, k, -1).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, -1)


sizes = lambda p: [int(v) for v in p[1:1 + int(p[0])]]
pool = lambda x: x.permute(0, 3, 1, 2)
unpool = lambda x: x.permute(0, 2, 3, 1)
rows = lambda x: x.reshape(-1, x.shape[-1])
RGB_TO_XYZ = torch.tensor([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = torch.tensor([0.95047, 1.0, 1.08883])


def rgb_to_lab(i, p):  # skimage.color.rgb2lab
    x = i[0] * 0.5 + 0.5
    v = torch.where(x > 0.04045, ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, x / 12.92)
    t = v @ RGB_TO_XYZ.T / WHITE
    f = torch.where(t > 0.008856, t.clamp(min=0.008856) ** (1 / 3), 7.787 * t + 16 / 116)
    return torch.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def lab_to_rgb(i, p):  # skimage.color.lab2rgb, not clipped
    lab = i[0] * 60 + 40
    y = (lab[..., 0] + 16) / 116
    f = torch.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    t = torch.where(f > 0.2068966, f ** 3, (f - 16 / 116) / 7.787)
    v = (t * WHITE) @ torch.linalg.inv(RGB_TO_XYZ).T
    return torch.where(v > 0.0031308, 1.055 * v.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * v)


OPS = {
    'add': lambda i, p: i[0] + i[1], 'sub': lambda i, p: i[0] - i[1], 'mul': lambda i, p: i[0] * i[1], 'div': lambda i, p: i[0] / i[1],
    'minimum': lambda i, p: torch.minimum(i[0], i[1]), 'maximum': lambda i, p: torch.maximum(i[0], i[1]),
    'where': lambda i, p: torch.where(i[0] != 0, i[1], i[2]), 'greater': lambda i, p: (i[0] > i[1]).double().detach(),
    'scale': lambda i, p: i[0] * p[0], 'shift': lambda i, p: i[0] + p[0], 'neg': lambda i, p: -i[0], 'exp': lambda i, p: i[0].exp(),
    'log': lambda i, p: i[0].log(), 'sqrt': lambda i, p: i[0].sqrt(), 'square': lambda i, p: i[0] ** 2, 'abs': lambda i, p: i[0].abs(),
    'pow': lambda i, p: i[0] ** p[0], 'clamp': lambda i, p: i[0].clamp(p[0], p[1]), 'relu': lambda i, p: F.relu(i[0]),
    'leaky_relu': lambda i, p: F.leaky_relu(i[0], p[0]), 'elu': lambda i, p: F.elu(i[0], p[0]), 'gelu': lambda i, p: F.gelu(i[0]),
    'gelu_tanh': lambda i, p: ACT[3](i[0]), 'silu': lambda i, p: F.silu(i[0]), 'sigmoid': lambda i, p: torch.sigmoid(i[0]),
    'tanh': lambda i, p: torch.tanh(i[0]), 'softplus': lambda i, p: -F.logsigmoid(-i[0]), 'activate': lambda i, p: ACT[int(p[0])](i[0]) * 1,
    'sum': lambda i, p: i[0].sum(axes(i[0], p[0]), keepdim=bool(p[1])), 'mean': lambda i, p: i[0].mean(axes(i[0], p[0]), keepdim=bool(p[1])),
    'variance': lambda i, p: torch.var(i[0], axes(i[0], p[0]), correction=int(p[2]), keepdim=bool(p[1])), 'max': amax,
    'logsumexp': lambda i, p: torch.logsumexp(i[0], axes(i[0], p[0]), keepdim=bool(p[1])), 'argmax': lambda i, p: i[0].argmax(int(p[0])),
    'softmax': lambda i, p: torch.softmax(i[0], int(p[0])), 'log_softmax': lambda i, p: torch.log_softmax(i[0], int(p[0])),
    'matmul': lambda i, p: i[0] @ i[1],
    'matmul_ex': lambda i, p: (i[0].transpose(-1, -2) if p[0] else i[0]) @ (i[1].transpose(-1, -2) if p[1] else i[1]),
    'linear': lambda i, p: F.linear(i[0], i[1], i[2]), 'linear_ex': lambda i, p: ACT[int(p[0])](F.linear(i[0], i[1], i[2])),
    'conv2d': lambda i, p: conv(*i, p, 2, False), 'conv1d': lambda i, p: conv(*i, p, 1, False),
    'conv2d_transpose': lambda i, p: conv(*i, p, 2, True), 'conv1d_transpose': lambda i, p: conv(*i, p, 1, True),
    'max_pool2d': lambda i, p: unpool(F.max_pool2d(pool(i[0]), int(p[0]), int(p[1]), int(p[2]))),
    'avg_pool2d': lambda i, p: unpool(F.avg_pool2d(pool(i[0]), int(p[0]), int(p[1]), int(p[2]))),
    'global_avg_pool': lambda i, p: i[0].mean(list(range(1, i[0].dim() - 1))), 'global_max_pool': lambda i, p: i[0].amax(list(range(1, i[0].dim() - 1))),
    'resize_nearest': resize('nearest'), 'resize_bilinear': resize('bilinear'), 'batch_norm': batch_norm,
    'layer_norm': lambda i, p: F.layer_norm(i[0], i[0].shape[-1:], i[1], i[2], p[0] or f32(1e-5)), 'group_norm': group_norm,
    'rms_norm': lambda i, p: i[0] / torch.sqrt((i[0] ** 2).mean(-1, keepdim=True) + (p[0] or 2.0 ** -23)) * (1 if i[1] is None else i[1]),
    'l2_normalize': lambda i, p: F.normalize(i[0], dim=-1, eps=p[0] or f32(1e-12)),
    'reshape': lambda i, p: i[0].reshape(sizes(p)), 'broadcast': lambda i, p: i[0].expand(sizes(p)),
    'permute': lambda i, p: i[0].permute([int(v) for v in p[:i[0].dim()]]), 'transpose': lambda i, p: i[0].transpose(int(p[0]), int(p[1])),
    'concat': lambda i, p: torch.cat(i, int(p[0])), 'pad': pad, 'gather': gather, 'crop': crop, 'unfold': unfold, 'standardize': standardize,
    'slice': lambda i, p: i[0].narrow(int(p[0]) % i[0].dim(), int(p[1]), int(p[2]) - int(p[1])), 'embedding': lambda i, p: i[0][i[1]],
    'to_real': lambda i, p: i[0].double() * p[0], 'attention': lambda i, p: attention(*i[:3], p, *i[3:]), 'self_attention': self_attention,
    'gru': lambda i, p: recurrent(i, p, False), 'gru_ex': lambda i, p: recurrent(i, p, False), 'lstm': lambda i, p: recurrent(i, p, True),
    'recurrent_layer': recurrent_layer,
    'cross_entropy': lambda i, p: F.cross_entropy(rows(i[0]), i[1].reshape(-1)), 'cross_entropy_ex': ce_ex, 'cross_entropy_full': ce_full,
    'linear_cross_entropy': lambda i, p: F.cross_entropy(rows(F.linear(i[0], i[1], i[2])), i[3].reshape(-1), ignore_index=int(p[0])),
    'cross_entropy_soft': lambda i, p: F.cross_entropy(rows(i[0]), rows(torch.softmax(i[1], -1))),
    'bce_with_logits': lambda i, p: F.binary_cross_entropy_with_logits(i[0], i[1]), 'mse': lambda i, p: F.mse_loss(i[0], i[1]),
    'l1': lambda i, p: F.l1_loss(i[0], i[1]), 'huber': lambda i, p: F.huber_loss(i[0], i[1], delta=p[0]),
    'kl_div': lambda i, p: F.kl_div(torch.log_softmax(i[0], -1), i[1], reduction='batchmean'), 'nt_xent': nt_xent, 'info_nce': info_nce, 'supcon_loss': supcon_loss, 'clip_loss': clip_loss, 'siglip_loss': siglip_loss, 'sinkhorn': sinkhorn, 'accuracy': accuracy,
    'negative_cosine': lambda i, p: -F.cosine_similarity(i[0], i[1], dim=1).mean(), 'barlow_loss': barlow_loss, 'vicreg_loss': vicreg_loss,
    'gaussian_kl': lambda i, p: (-0.5 * (1 + i[1] - i[0] ** 2 - i[1].exp())).sum(1).mean(),
    'sin': lambda i, p: i[0].sin(), 'cos': lambda i, p: i[0].cos(), 'min': lambda i, p: i[0].amin(axes(i[0], p[0]), keepdim=bool(p[1])),
    'prod': prod, 'argmin': lambda i, p: i[0].argmin(int(p[0])), 'cumsum': lambda i, p: i[0].cumsum(int(p[0])), 'topk': topk,
    'max_pool2d_ex': pool_ex('max', 2), 'avg_pool2d_ex': pool_ex('avg', 2), 'max_pool1d': pool_ex('max', 1), 'avg_pool1d': pool_ex('avg', 1),
    'interpolate': interpolate, 'pad_ex': pad_ex,
    'slice_ex': lambda i, p: i[0].index_select(int(p[0]), torch.arange(int(p[1]), int(p[2]), int(p[3]))),
    'gather_along': lambda i, p: i[0].gather(int(p[0]), spread(i[0], i[1], int(p[0]))), 'scatter': scatter,
    'scatter_add': lambda i, p: i[0].scatter_add(int(p[0]), spread(i[0], i[1], int(p[0])), i[2]),
    'one_hot': lambda i, p: F.one_hot(i[0], int(p[0])).double(),
    'rgb_to_lab': rgb_to_lab, 'lab_to_rgb': lab_to_rgb,
    'patchify': lambda i, p: patchify(i[0], int(p[0])), 'unpatchify': lambda i, p: unpatchify(i[0], int(p[0]), int(p[1]), int(p[2])),
}


def adversarial_loss(i, p):
    s, fake = torch.sigmoid, i[0]
    if p[1]:
        return [0, -s(fake).log().mean(), (1 - s(fake)).log().mean(), -fake.mean(), -fake.mean()][int(p[0])]
    game = -s(i[1]).log().mean() - (1 - s(fake)).log().mean()
    hinge = F.relu(1 - i[1]).mean() + F.relu(1 + fake).mean()
    return [0, game, game, hinge, fake.mean() - i[1].mean()][int(p[0])]


OPS['adversarial_loss'] = adversarial_loss


def record(name, label, t):
    v = t.detach().double().reshape(-1).numpy()
    w = draw(seed_of(name, label, 0), len(v))
    samples = [v[len(v) * j // 4] for j in range(4)]
    num = lambda x: ('%.13g' % x)
    print('    {"%s", "%s", %d, %s, %s, {%s}},' % (name, label, len(v), num(float(np.abs(w * v).sum())), num(float((w * v).sum())),
                                                  ', '.join(num(float(s)) for s in samples)))


print('/* Written by tests/golden/make_ops.py with PyTorch %s in double precision: do not edit. */' % torch.__version__.split('+')[0])
print('typedef struct golden_op { const char *name, *array; int count; double size, sum, value[4]; } golden_op;')
print('static const golden_op %s[] = {' % (sys.argv[1] if len(sys.argv) > 1 else 'golden_ops'))
for line in sys.stdin:
    name, fn, inputs, flags, p = line.rstrip('\n').split('|')
    if int(flags) & 2:
        continue
    p = [float(v) for v in p.split(',')]
    made = [make_input(t, seed_of(name, 'in', k)) for k, t in enumerate(inputs.split())]
    i = [m[0] for m in made]
    out = OPS[fn](i, p)
    out = out if isinstance(out, list) else [out]
    y = out[0]
    record(name, 'out0', y)
    for k, e in enumerate(out[1:]):
        record(name, 'extra%d' % k, e)
    if y.requires_grad:
        w = torch.tensor(draw(seed_of(name, 'w', 0), y.numel()).reshape(tuple(y.shape)))
        (y * w).sum().backward()
        for k, m in enumerate(made):
            if m[1]:
                record(name, 'grad%d' % k, m[0].grad)
print('};')

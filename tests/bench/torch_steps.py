"""PyTorch's side of tests/bench/bench.c: training steps, losses, memory-bound operations and torchvision's augmentation.

Usage: python3 torch_steps.py THREADS [plain]
reads lines "NAME N" on standard input, runs N repetitions, answers "wall-seconds CPU-seconds peak-resident-kB", or "skipped"
for a name it does not know. A model is built and warmed up at its first line. plain: without channels-last for the
convolutional nets (bench.c also leaves out the tuned environment). Data are random and stay the same; models, batches,
losses and optimisers are those of the steps in bench.c.
"""
import os
import resource
import sys
import time

threads = int(sys.argv[1])
plain = 'plain' in sys.argv[2:]
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(threads)
torch.manual_seed(0)


# --- models ---------------------------------------------------------------------------------------------------------
class Block(nn.Module):  # basic residual block
    def __init__(s, ci, co, stride):
        super().__init__()
        s.c1, s.b1 = nn.Conv2d(ci, co, 3, stride, 1, bias=False), nn.BatchNorm2d(co)
        s.c2, s.b2 = nn.Conv2d(co, co, 3, 1, 1, bias=False), nn.BatchNorm2d(co)
        s.short = nn.Sequential(nn.Conv2d(ci, co, 1, stride, bias=False), nn.BatchNorm2d(co)) if stride != 1 or ci != co else None

    def forward(s, x):
        y = s.b2(s.c2(F.relu(s.b1(s.c1(x)), inplace=True)))
        return F.relu(y + (x if s.short is None else s.short(x)), inplace=True)


class ResNet18(nn.Module):  # 3x3 stem without stride, 32x32x3 -> 512
    def __init__(s):
        super().__init__()
        layers, ci = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)], 64
        for co, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [Block(ci, co, stride), Block(co, co, 1)]
            ci = co
        s.f = nn.Sequential(*layers)

    def forward(s, x):
        return s.f(x).mean((2, 3))


class SmallConv(nn.Module):  # four blocks of 3x3 stride 2, batch norm, ReLU; 32x32x3 -> 256
    def __init__(s, ci=3):
        super().__init__()
        layers = []
        for co in (32, 64, 128, 256):
            layers += [nn.Conv2d(ci, co, 3, 2, 1, bias=False), nn.BatchNorm2d(co), nn.ReLU(inplace=True)]
            ci = co
        s.f = nn.Sequential(*layers)

    def forward(s, x):
        return s.f(x).mean((2, 3))


def attention(q, k, v, mask=None):  # mask: -inf at what is not attended to, else 0
    w = (q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5
    return (w if mask is None else w + mask).softmax(-1) @ v


class TransformerBlock(nn.Module):
    def __init__(s, d, heads, mask=None, gelu='none', eps=1e-5):
        super().__init__()
        s.heads, s.mask, s.gelu = heads, mask, gelu
        s.n1, s.qkv, s.o = nn.LayerNorm(d, eps), nn.Linear(d, 3 * d), nn.Linear(d, d)
        s.n2, s.f1, s.f2 = nn.LayerNorm(d, eps), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def attend(s, x):
        n, t, d = x.shape
        q, k, v = s.qkv(x).view(n, t, 3, s.heads, d // s.heads).permute(2, 0, 3, 1, 4)
        return s.o(attention(q, k, v, s.mask).transpose(1, 2).reshape(n, t, d))

    def mlp(s, x):
        return s.f2(F.gelu(s.f1(x), approximate=s.gelu))

    def forward(s, x):
        x = x + s.attend(s.n1(x))
        return x + s.mlp(s.n2(x))


class NormAfter(TransformerBlock):  # BERT's
    def forward(s, x):
        x = s.n1(x + s.attend(x))
        return s.n2(x + s.mlp(x))


class GPT(nn.Module):  # GPT-2 on windows of 64 characters
    def __init__(s, vocabulary=65, length=64, d=128, depth=4, heads=4):
        super().__init__()
        s.table, s.place, s.norm = nn.Embedding(vocabulary, d), nn.Parameter(torch.randn(length, d) * .02), nn.LayerNorm(d)
        mask = torch.full((length, length), float('-inf')).triu(1)
        s.blocks = nn.Sequential(*[TransformerBlock(d, heads, mask, 'tanh') for _ in range(depth)])
        nn.init.normal_(s.table.weight, std=.02)

    def forward(s, x, y):
        h = s.norm(s.blocks(s.table(x) + s.place))
        return F.cross_entropy(F.linear(h, s.table.weight).view(-1, s.table.num_embeddings), y.view(-1), ignore_index=-1)


class BERT(nn.Module):  # 32 texts of 64 words, 9 of them hidden
    def __init__(s, vocabulary=8000, length=64, d=128, depth=4, heads=4):
        super().__init__()
        s.table, s.place, s.part = nn.Embedding(vocabulary, d), nn.Parameter(torch.randn(length, d) * .02), nn.Embedding(2, d)
        s.norm, s.dense, s.last = nn.LayerNorm(d, 1e-12), nn.Linear(d, d), nn.LayerNorm(d, 1e-12)
        s.bias, padding = nn.Parameter(torch.zeros(vocabulary)), torch.zeros(32, 1, 1, length)
        s.blocks = nn.Sequential(*[NormAfter(d, heads, padding, eps=1e-12) for _ in range(depth)])
        for table in (s.table, s.part):
            nn.init.normal_(table.weight, std=.02)

    def forward(s, x, part, places, y):
        h = s.blocks(s.norm(s.table(x) + s.place + s.part(part)))
        u = s.last(F.gelu(s.dense(h.view(-1, h.shape[2])[places])))
        return F.cross_entropy(F.linear(u, s.table.weight, s.bias), y, ignore_index=-1)


class Colorization(nn.Module):  # lightness -> 261 bins of colour for each cell of 4x4 pixels
    def __init__(s, hidden=128):
        super().__init__()
        s.f = SmallConv(1).f
        s.c1, s.b1 = nn.Conv2d(256, hidden, 3, 1, 1, bias=False), nn.BatchNorm2d(hidden)
        s.c2, s.b2 = nn.Conv2d(hidden, hidden, 3, 1, 1, bias=False), nn.BatchNorm2d(hidden)
        s.out, s.weight = nn.Linear(hidden, 261), torch.ones(261)
        grid = torch.cartesian_prod(torch.arange(-90., 101, 10), torch.arange(-110., 91, 10))
        s.bins = grid[grid.norm(dim=1).argsort()[:261]]

    def forward(s, lab):
        y = F.avg_pool2d(lab[:, 1:], 4).permute(0, 2, 3, 1).reshape(-1, 2)
        distance, near = torch.cdist(y, s.bins).topk(5, largest=False)
        soft = (distance ** 2 / -50).softmax(1) * s.weight[near[:, :1]]
        x = F.relu(s.b1(s.c1(s.f((lab[:, :1] - 50) / 25))), inplace=True)
        x = F.interpolate(x, size=(8, 8), mode='bilinear', align_corners=False)
        x = F.relu(s.b2(s.c2(x)), inplace=True).permute(0, 2, 3, 1).reshape(-1, s.out.in_features)
        return -(s.out(x).log_softmax(1).gather(1, near) * soft).sum() / len(x)


class MAE(nn.Module):  # ViT-tiny on 64 patches of 4x4x3, 16 of them visible; narrow decoder on all
    def __init__(s, d=192, depth=12, dd=96, decoder_depth=4, heads=3):
        super().__init__()
        s.embed, s.cls = nn.Linear(48, d), nn.Parameter(torch.zeros(1, 1, d))
        s.pos = nn.Parameter(torch.randn(1, 65, d) * .02)
        s.encoder, s.norm = nn.Sequential(*[TransformerBlock(d, heads) for _ in range(depth)]), nn.LayerNorm(d)
        s.narrow, s.token = nn.Linear(d, dd), nn.Parameter(torch.zeros(1, 1, dd))
        s.dpos = nn.Parameter(torch.randn(1, 65, dd) * .02)
        s.decoder, s.dnorm = nn.Sequential(*[TransformerBlock(dd, heads) for _ in range(decoder_depth)]), nn.LayerNorm(dd)
        s.out = nn.Linear(dd, 48)

    def forward(s, x):
        n = x.shape[0]
        p = x.view(n, 3, 8, 4, 8, 4).permute(0, 2, 4, 3, 5, 1).reshape(n, 64, 48)
        order = torch.rand(n, 64).argsort(1)
        back, visible = order.argsort(1), order[:, :16]
        y = (s.embed(p) + s.pos[:, 1:]).gather(1, visible[..., None].expand(-1, -1, s.pos.shape[2]))
        y = torch.cat([(s.cls + s.pos[:, :1]).expand(n, -1, -1), y], 1)
        y = s.narrow(s.norm(s.encoder(y)))
        z = torch.cat([y[:, 1:], s.token.expand(n, 48, -1)], 1).gather(1, back[..., None].expand(-1, -1, y.shape[2]))
        z = s.out(s.dnorm(s.decoder(torch.cat([y[:, :1], z], 1) + s.dpos)))[:, 1:]
        target = (p - p.mean(-1, keepdim=True)) / (p.var(-1, keepdim=True) + 1e-6).sqrt()
        hidden = torch.ones(n, 64).scatter_(1, visible, 0)
        return (((z - target) ** 2).mean(-1) * hidden).sum() / hidden.sum()


class VAE(nn.Module):
    def __init__(s):
        super().__init__()
        s.e, s.mu, s.lv = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        s.d, s.o = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(s, x):
        h = F.relu(s.e(x))
        mu, lv = s.mu(h), s.lv(h)
        y = s.o(F.relu(s.d(mu + torch.randn_like(mu) * (0.5 * lv).exp())))
        kl = -0.5 * (1 + lv - mu ** 2 - lv.exp()).sum()
        return (F.binary_cross_entropy_with_logits(y, x, reduction='sum') + kl) / x.shape[0]


class CPC(nn.Module):  # 20480 samples -> 128 frames of 128 -> GRU -> 12 linear predictors, InfoNCE over the batch
    def __init__(s, width=128, ahead=12):
        super().__init__()
        layers, ci = [], 1
        for kernel, stride, pad in ((10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1)):
            layers += [nn.Conv1d(ci, width, kernel, stride, pad, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
            ci = width
        s.encoder, s.gru = nn.Sequential(*layers), nn.GRU(width, width, batch_first=True)
        s.w, s.ahead = nn.ModuleList([nn.Linear(width, width) for _ in range(ahead)]), ahead

    def forward(s, x):
        z = s.encoder(x).transpose(1, 2)
        t = int(torch.randint(40, z.shape[1] - s.ahead, (1,)))
        c = s.gru(z[:, :t + 1])[0][:, t]
        own = torch.arange(x.shape[0])
        return sum(F.cross_entropy(z[:, t + 1 + k] @ s.w[k](c).t(), own) for k in range(s.ahead)) / s.ahead


class MoCo(nn.Module):  # v2: queue of 4096, split batch norm in 8 groups, the key encoder's batch in another order
    def __init__(s):
        super().__init__()
        s.q, s.k = [nn.Sequential(SmallConv(), head(256, 256, 128)) for _ in range(2)]
        s.k.load_state_dict(s.q.state_dict())
        for m in list(s.q.modules()) + list(s.k.modules()):
            if isinstance(m, nn.BatchNorm2d):
                m.forward = lambda x, m=m: s.split(m, x)
        for p in s.k.parameters():
            p.requires_grad_(False)
        s.queue, s.place, s.order = F.normalize(torch.randn(4096, 128), dim=1), 0, torch.randperm(128)
        s.back = s.order.argsort()

    @staticmethod
    def split(m, x, groups=8):  # as the authors' notebook: groups become channels, here by a view that costs nothing
        n, c, h, w = x.shape
        return F.batch_norm(x.view(n // groups, groups * c, h, w), m.running_mean.repeat(groups), m.running_var.repeat(groups),
                            m.weight.repeat(groups), m.bias.repeat(groups), True, .1, 1e-5).view(n, c, h, w) \
            if x.is_contiguous() else MoCo.split_last(m, x, groups)

    @staticmethod
    def split_last(m, x, groups):  # channels last: a call for each group
        return torch.cat([F.batch_norm(g, m.running_mean, m.running_var, m.weight, m.bias, True, .1, 1e-5) for g in x.chunk(groups)])

    def forward(s, x, y):
        with torch.no_grad():
            k = F.normalize(s.k(y[s.order])[s.back], dim=1)
        q = F.normalize(s.q(x), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ s.queue.t()], 1) / .2
        s.keys = k
        return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))

    @torch.no_grad()
    def after(s):
        s.queue[s.place:s.place + 128] = s.keys
        s.place = (s.place + 128) % 4096
        k, q = list(s.k.parameters()), [p.detach() for p in s.q.parameters()]
        torch._foreach_mul_(k, .99)
        torch._foreach_add_(k, q, alpha=.01)


class Jigsaw(nn.Module):  # 128 puzzles of nine tiles of 8x8
    def __init__(s):
        super().__init__()
        s.f = SmallConv()
        s.h = nn.Sequential(nn.Linear(2304, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(inplace=True), nn.Linear(512, 100))

    def forward(s, x):
        return s.h(s.f(x).view(128, 2304))


class CPCMethod(nn.Module):  # layer norm, every place predicts 12 ahead, 128 negatives for all
    def __init__(s, d=128, ahead=12):
        super().__init__()
        s.conv, s.norm, ci = nn.ModuleList(), nn.ModuleList([nn.LayerNorm(d) for _ in range(5)]), 1
        for kernel, stride, pad in ((10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1)):
            s.conv.append(nn.Conv1d(ci, d, kernel, stride, pad))
            ci = d
        s.gru, s.w, s.ahead = nn.GRU(d, d, batch_first=True), nn.Linear(d, ahead * d, bias=False), ahead

    def forward(s, x):
        for conv, norm in zip(s.conv, s.norm):
            x = F.relu(norm(conv(x).transpose(1, 2))).transpose(1, 2)
        z = x.transpose(1, 2)
        n, t, d = z.shape
        y, place, loss = s.w(s.gru(z)[0]).view(n, t, s.ahead, d), torch.randint(n * t, (128,)), 0
        wrong, own = z.reshape(n * t, d)[place], torch.arange(n * t).view(n, t)
        for k in range(1, s.ahead + 1):
            q = y[:, :t - k, k - 1]
            scores = (q.reshape(-1, d) @ wrong.t()).view(n, t - k, 128).masked_fill(own[:, k:, None] == place, -1e30)
            scores = torch.cat([(q * z[:, k:]).sum(2, keepdim=True), scores], 2).view(-1, 129)
            loss = loss + F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))
        return loss / s.ahead


def head(d, hidden, out):
    return nn.Sequential(nn.Linear(d, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out))


def nt_xent(z, temperature=0.5):  # rows i and i + n/2 are one image
    z = F.normalize(z, dim=1)
    n = z.shape[0]
    logits = (z @ z.t() / temperature).masked_fill(torch.eye(n, dtype=torch.bool), float('-inf'))
    return F.cross_entropy(logits, torch.arange(n).roll(n // 2))


# --- steps: a function without arguments ------------------------------------------------------------------------------
def trained(model, loss, optimizer, clip=0):
    def step():
        optimizer.zero_grad()
        loss(model).backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    return step


def last(model, *x):  # channels last, unless plain
    if plain:
        return (model,) + x
    return (model.to(memory_format=torch.channels_last),) + tuple(t.contiguous(memory_format=torch.channels_last) for t in x)


def simclr(encoder, width, batch):
    m, x = last(nn.Sequential(encoder, head(width, width, 128)), torch.randn(2 * batch, 3, 32, 32))
    return trained(m, lambda m: nt_xent(m(x)), torch.optim.SGD(m.parameters(), lr=.03, momentum=.9, weight_decay=1e-4))


def rotnet():
    m, = last(nn.Sequential(SmallConv(), nn.Linear(256, 4)))
    x, y = torch.randn(128, 3, 32, 32), torch.arange(4).repeat_interleave(128)

    def loss(m):
        return F.cross_entropy(m(last(m, torch.cat([x] + [x.rot90(k, (2, 3)) for k in (1, 2, 3)]))[1]), y)
    return trained(m, loss, torch.optim.SGD(m.parameters(), lr=.1, momentum=.9, weight_decay=5e-4))


def moco():
    m, x, y = last(MoCo(), torch.randn(128, 3, 32, 32), torch.randn(128, 3, 32, 32))
    step = trained(m, lambda m: m(x, y), torch.optim.SGD(m.q.parameters(), lr=.03, momentum=.9, weight_decay=1e-4))

    def whole():
        step()
        m.after()
    return whole


def jigsaw():
    m, x = last(Jigsaw(), torch.randn(1152, 3, 8, 8))
    y = torch.arange(128) % 100
    return trained(m, lambda m: F.cross_entropy(m(x), y), torch.optim.SGD(m.parameters(), lr=.01, momentum=.9, weight_decay=5e-4))


def cpc_method():
    m, x = CPCMethod(), torch.randn(8, 1, 20480)
    return trained(m, lambda m: m(x), torch.optim.Adam(m.parameters(), lr=2e-4))


def mae():
    m, x = MAE(), torch.randn(64, 3, 32, 32)
    return trained(m, lambda m: m(x), torch.optim.AdamW(m.parameters(), lr=1.5e-4, betas=(.9, .95), weight_decay=.05))


def vae():
    m, x = VAE(), torch.rand(128, 784)
    return trained(m, lambda m: m(x), torch.optim.Adam(m.parameters(), lr=1e-3))


def cpc():
    m, x = CPC(), torch.randn(16, 1, 20480)
    return trained(m, lambda m: m(x), torch.optim.Adam(m.parameters(), lr=2e-4))


def colorization():
    m, = last(Colorization())
    x = torch.rand(128, 3, 32, 32) * torch.tensor([100., 60, 60]).view(3, 1, 1) - torch.tensor([0., 30, 30]).view(3, 1, 1)
    return trained(m, lambda m: m(x), torch.optim.AdamW(m.parameters(), lr=3e-3, weight_decay=1e-3))


def gpt():
    m, x, y = GPT(), torch.randint(65, (12, 64)), torch.randint(65, (12, 64))
    return trained(m, lambda m: m(x, y), torch.optim.AdamW(m.parameters(), lr=1e-3, betas=(.9, .99), weight_decay=.1), 1)


def bert():
    m, x, part, y = BERT(), torch.randint(8000, (32, 64)), torch.zeros(32, 64, dtype=torch.long), torch.randint(8000, (288,))
    places = torch.arange(32).repeat_interleave(9) * 64 + 1 + 7 * torch.arange(9).repeat(32)
    return trained(m, lambda m: m(x, part, places, y), torch.optim.AdamW(m.parameters(), lr=1e-3, weight_decay=.01), 1)


def mlp():
    m, x, y = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10)), torch.rand(100, 784), torch.randint(10, (100,))
    return trained(m, lambda m: F.cross_entropy(m(x), y), torch.optim.AdamW(m.parameters(), lr=1e-3))


def words(rows):  # without an update
    x, w, y = torch.randn(rows, 128).requires_grad_(), torch.randn(16000, 128).requires_grad_(), torch.randint(16000, (rows,))
    return lambda: torch.autograd.grad(F.cross_entropy(F.linear(x, w), y), (x, w))


steps = {
    'step/simclr_small': lambda: simclr(SmallConv(), 256, 128),
    'step/simclr_resnet18': lambda: simclr(ResNet18(), 512, 64),
    'step/moco_small': moco, 'step/jigsaw_small': jigsaw, 'step/cpc_method': cpc_method,
    'step/colorization': colorization, 'step/gpt_small': gpt, 'step/bert_small': bert,
    'loss/linear_cross_entropy/512x128x16000': lambda: words(512),
    'loss/linear_cross_entropy/2048x128x16000': lambda: words(2048),
    'step/rotnet_small': rotnet, 'step/mae_vit_tiny': mae, 'step/vae_mlp': vae, 'step/cpc_audio': cpc, 'step/mlp_784_500_10': mlp,
}


# --- memory-bound operations ------------------------------------------------------------------------------------------
def passes(f, x, *more):
    """forward and backward of y = f(x, ..) as two functions"""
    x = x.requires_grad_()
    y = f(x, *more)
    inputs, dy = [t for t in (x,) + more if t.requires_grad], torch.randn_like(y)

    def forward():
        with torch.no_grad():
            f(x, *more)

    def backward():
        torch.autograd.grad(y, inputs, dy, retain_graph=True)
    return forward, backward


def batch_norm(n, side, c, residual):
    m = nn.BatchNorm2d(c)
    x, r = torch.randn(n, c, side, side), torch.randn(n, c, side, side).requires_grad_()
    m, x, r = last(m, x, r)
    m.train()
    if residual:
        return passes(lambda x, r, *w: F.relu(m(x) + r), x, r.detach().requires_grad_(), *m.parameters())
    return passes(lambda x, *w: F.relu(m(x)), x, *m.parameters())


def layer_norm(n, t, d):
    m = nn.LayerNorm(d)
    return passes(lambda x, *w: m(x), torch.randn(n, t, d), *m.parameters())


def attend(n, t, d, heads):
    def f(x):
        q, k, v = x.view(n, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        return attention(q, k, v).transpose(1, 2).reshape(n, t, d)
    return passes(f, torch.randn(n, t, 3 * d))


def update(kind, n):
    p = nn.Parameter(torch.randn(n) * .1)
    p.grad = torch.randn(n) * .01
    o = {'sgd': lambda: torch.optim.SGD([p], lr=.01, momentum=.9, weight_decay=1e-4),
         'adamw': lambda: torch.optim.AdamW([p], lr=1e-3, weight_decay=.05)}[kind]()
    return o.step


def average(n):
    a, b = torch.randn(n), torch.randn(n)
    return lambda: a.lerp_(b, .01)


pairs = {  # NAME + _fwd, _bwd
    'memory/batch_norm_relu': lambda: batch_norm(256, 32, 64, False),
    'memory/batch_norm_add_relu': lambda: batch_norm(256, 32, 64, True),
    'memory/batch_norm_relu_cached': lambda: batch_norm(16, 16, 64, False),
    'memory/layer_norm': lambda: layer_norm(1024, 65, 192),
    'memory/gelu': lambda: passes(F.gelu, torch.randn(256, 65, 768)),
    'memory/softmax': lambda: passes(lambda x: x.softmax(-1), torch.randn(16384, 1000)),
    'memory/attention_65': lambda: attend(64, 65, 192, 3),
    'memory/attention_197': lambda: attend(16, 197, 192, 3),
}
singles = {
    'memory/sgd': lambda: update('sgd', 10485760), 'memory/adamw': lambda: update('adamw', 10485760),
    'memory/ema': lambda: average(10485760),
}


# --- torchvision: the SimCLR recipe, the faster of PIL images and tensors ----------------------------------------------
def augment(size, height, width, blur):
    import warnings
    warnings.filterwarnings('ignore')
    import numpy as np
    import torchvision.transforms as T
    from PIL import Image
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([np.sin(x / 9. + c) * np.cos(y / 7.) * 90 + 128 for c in range(3)], 2)
    noise = np.random.default_rng(0)
    pil = [Image.fromarray((base + noise.integers(-20, 20, base.shape)).clip(0, 255).astype(np.uint8)) for _ in range(8)]
    recipe = [T.RandomResizedCrop(size, scale=(.2, 1.)), T.RandomHorizontalFlip(), T.RandomApply([T.ColorJitter(.4, .4, .4, .1)], .8),
              T.RandomGrayscale(.2), T.RandomApply([T.GaussianBlur(blur, (.1, 2.))], .5)]
    norm = T.Normalize([.5] * 3, [.25] * 3)
    ways = [(T.Compose(recipe + [T.ToTensor(), norm]), pil)]
    if size >= min(height, width):  # nothing shrinks: tensors need no antialiasing
        real = [T.ToTensor()(p) for p in pil]
        ways += [(T.Compose(recipe + [norm]), real), (T.Compose(recipe + [T.ConvertImageDtype(torch.float), norm]), [(t * 255).byte() for t in real])]

    def run(f, images):
        for image in images:
            f(image)

    def cost(way):
        run(*way)
        t = time.process_time()
        for _ in range(3):
            run(*way)
        return time.process_time() - t
    best = min(ways, key=cost)
    return lambda: run(*best)  # 8 views


views = {'augment/simclr_32': lambda: augment(32, 32, 32, 3), 'augment/simclr_224': lambda: augment(224, 375, 500, 23)}


def in_processes(f, n):  # views are made by as many processes as there are threads, as a DataLoader does
    pids = []
    for _ in range(threads):
        pid = os.fork()
        if pid == 0:
            for _ in range(n):
                f()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


made = {}


def peak_memory():  # kB, of this program alone
    try:
        with open('/proc/self/status') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('VmHWM'))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def build(name):
    if name in steps:
        made[name] = steps[name]()
    elif name in singles:
        made[name] = singles[name]()
    elif name in views:
        torch.set_num_threads(1)  # OpenMP's threads would not survive the fork in in_processes
        made[name] = views[name]()
    elif name[:-4] in pairs:
        made[name[:-4] + '_fwd'], made[name[:-4] + '_bwd'] = pairs[name[:-4]]()
    else:
        return False
    made[name]()
    made[name]()
    return True


for line in sys.stdin:
    name, count = line.split()
    try:
        known = name in made or build(name)
    except ImportError:
        known = False
    if not known:
        print('skipped', flush=True)
        continue
    f, n, cpu, wall = made[name], int(count), time.process_time(), time.perf_counter()
    if name in views and threads > 1:
        in_processes(f, n)
    else:
        for _ in range(n):
            f()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f'{wall:.9f} {cpu:.9f} {peak_memory()}', flush=True)

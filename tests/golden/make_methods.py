#!/usr/bin/env python3
"""Records two whole training steps of each method from PyTorch in double precision:

    build/tests/methods --list | python3 tests/golden/make_methods.py > tests/golden/methods.h.new

The list gives the names and shapes of all tensors; their values, the inputs and (for the VAE) the noise of Philox are made here
again from the same rules."""
import sys
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def seed_of(kind, name):
    h = 2166136261
    for ch in (kind + name).encode():
        h = ((h ^ ch) * 16777619) & 0xffffffff
    return (h * 16777619) & 0xffffffff


def draw20(seed, n):
    out = np.empty(n, np.int64)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) & 0xffffffff
        out[i] = seed >> 12
    return out


draw = lambda seed, n: (2 * draw20(seed, n) + 1 - 1048576) / 1048576.0


def philox(seed, stream, block):
    x = [block & 0xffffffff, block >> 32, stream & 0xffffffff, stream >> 32]
    k = [seed & 0xffffffff, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(q >> 32) ^ x[1] ^ k[0], q & 0xffffffff, (p >> 32) ^ x[3] ^ k[1], p & 0xffffffff]
        k = [(k[0] + 0x9E3779B9) & 0xffffffff, (k[1] + 0xBB67AE85) & 0xffffffff]
    return x


def normal(seed, stream, i):
    x = philox(seed, stream, i >> 1)
    a, b = x[(i & 1) * 2], x[(i & 1) * 2 + 1]
    u, v = ((a >> 8) + 1) / 16777216.0, (b >> 8) / 16777216.0
    return np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)


f32 = lambda x: float(np.float32(x))


def initial(name, is_param, shape):
    if not is_param and not name.endswith('pos_embed') and name not in ('queue', 'bin_weight', 'spectral_u'):
        v = np.ones(shape) if name.endswith('running_var') else np.zeros(shape)
        return torch.tensor(v)
    n = int(np.prod(shape))
    x = draw(seed_of('param ', name), n)
    fan = 16 if len(shape) < 2 or shape[0] == 1 else n // shape[0]
    root = 1
    while root * root < fan:
        root += 1
    v = 1 + x * 0.25 if len(shape) == 1 and name.endswith('weight') else np.float32(x) / np.float32(root)
    return torch.tensor(np.asarray(v, np.float64).reshape(shape))


SPLIT = 1  # groups of split batch norm


def bn(P, name, x, relu):
    c = x.shape[-1]
    flat = x.reshape(SPLIT, -1, c)  # neighbouring samples form a group
    mean, var = flat.mean(1, keepdim=True), flat.var(1, unbiased=False, keepdim=True)
    y = ((flat - mean) / torch.sqrt(var + f32(1e-5))).reshape(x.shape)
    if name + '.weight' in P:
        y = y * P[name + '.weight']
    if name + '.bias' in P:
        y = y + P[name + '.bias']
    m = f32(0.1)
    with torch.no_grad():
        P[name + '.running_mean'].mul_(1 - m).add_(m * mean.mean((0, 1)))
        P[name + '.running_var'].mul_(1 - m).add_(m * flat.var(1, unbiased=True).mean(0))
        P[name + '.num_batches_tracked'] += 1
    return F.relu(y) if relu else y


def linear(P, name, x):
    return F.linear(x, P[name + '.weight'], P.get(name + '.bias'))


def convmap(P, prefix, x):
    i = 1
    while prefix + 'conv%d.weight' % i in P:
        w = P[prefix + 'conv%d.weight' % i].permute(0, 3, 1, 2)
        x = F.conv2d(x.permute(0, 3, 1, 2), w, None, 2, 1).permute(0, 2, 3, 1)
        x = bn(P, prefix + 'bn%d' % i, x, True)
        i += 1
    return x


def convnet(P, prefix, x, pooled=True):
    x = convmap(P, prefix, x)
    return x.mean((1, 2)) if pooled else x


def mlp(P, prefix, x):
    i = 1
    while prefix + 'fc%d.weight' % i in P:
        last = prefix + 'fc%d.weight' % (i + 1) not in P
        x = linear(P, prefix + 'fc%d' % i, x)
        if prefix + 'bn%d.running_mean' % i in P:
            x = bn(P, prefix + 'bn%d' % i, x, not last)
        elif not last:
            x = F.relu(x)
        i += 1
    return x


def block(P, p, x, heads):
    n, t, d = x.shape
    y = F.layer_norm(x, (d,), P[p + '.norm1.weight'], P[p + '.norm1.bias'], f32(1e-6))
    q, k, v = [a.reshape(n, t, heads, d // heads).transpose(1, 2) for a in linear(P, p + '.attn.qkv', y).chunk(3, -1)]
    w = torch.softmax(q @ k.transpose(2, 3) / np.sqrt(d // heads), -1)
    x = x + linear(P, p + '.attn.proj', (w @ v).transpose(1, 2).reshape(n, t, d))
    y = F.layer_norm(x, (d,), P[p + '.norm2.weight'], P[p + '.norm2.bias'], f32(1e-6))
    return x + linear(P, p + '.mlp.fc2', F.gelu(linear(P, p + '.mlp.fc1', y)))


def image_input(case, what, shape):
    v = (draw(seed_of('input ', case + ' ' + what), int(np.prod(shape))) + 1) * 0.5
    return torch.tensor(v.reshape(shape))


def patches(x, k):
    n, h, w, c = x.shape
    return x.reshape(n, h // k, k, w // k, k, c).permute(0, 1, 3, 2, 4, 5).reshape(n, -1, k * k * c)


def simclr(case, P, step, noise):
    x = image_input(case, 'views', (8, 8, 8, 3))
    z = F.normalize(mlp(P, 'head.', convnet(P, 'encoder.', x)), dim=1)
    plain = case == 'simclr_plain'
    s = z @ z.T / (f32(0.2) if plain else 0.5)
    n = 4
    pair = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    drop = torch.eye(2 * n, dtype=torch.bool)
    pos = s[torch.arange(2 * n), pair]
    if plain:  # decoupled: no positive in the denominator
        drop = drop.clone()
        drop[torch.arange(2 * n), pair] = True
    return (torch.logsumexp(s.masked_fill(drop, -np.inf), 1) - pos).mean()


def rotation(case, P, step, noise):
    x = image_input(case, 'images', (8, 8, 8, 3))
    label = torch.tensor(draw20(seed_of('labels ', case), 8) % 4)
    return F.cross_entropy(mlp(P, 'classifier.', convnet(P, 'encoder.', x)), label)


def jigsaw(case, P, step, noise):
    tiles = 4 if case == 'jigsaw_4' else 9
    x = image_input(case, 'tiles', (6 * tiles, 6, 6, 3))
    label = torch.tensor(draw20(seed_of('labels ', case), 6) % (5 if tiles == 4 else 20))
    return F.cross_entropy(mlp(P, 'head.', convnet(P, 'encoder.', x).reshape(6, -1)), label)


def context(case, P, step, noise):
    x = image_input(case, 'patches', (27, 6, 6, 3))
    f = convnet(P, 'encoder.', x).reshape(3, 9, -1)
    around = [0, 1, 2, 3, 5, 6, 7, 8]
    rows, label = [], []
    for n in range(3):
        for y, i in enumerate(around):
            rows.append(torch.cat([f[n, 4], f[n, i]]))
            label.append(y)
        if case != 'context_one':  # the same pairs in the other order
            for y, i in enumerate(around):
                rows.append(torch.cat([f[n, i], f[n, 4]]))
                label.append(7 - y)
    return F.cross_entropy(mlp(P, 'head.', torch.stack(rows)), torch.tensor(label))


NUMBERS = []  # names and values of the further numbers of a step


def inpainting(case, P, step, noise, phase=1):
    side = 16 if case == 'inpainting_middle' else 8
    x = image_input(case, 'images', (4, side, side, 3))
    mask = torch.tensor((draw20(seed_of('mask ', case), 4 * side * side) % 3 == 0) * 1.0).reshape(4, side, side, 1)
    overlap, a = {'inpainting': (1, 0.0), 'inpainting_middle': (2, 0.25), 'inpainting_blocks': (0, f32(0.9))}[case]
    t = 2 * x - 1
    turn = lambda z: z.permute(0, 3, 1, 2)
    back = lambda z: z.permute(0, 2, 3, 1)

    def paint():
        u = (x - torch.tensor([0.25, 0.5, 0.625])) / torch.tensor([0.25, 0.375, 0.125]) * (1 - mask)
        h = convmap(P, 'encoder.', u)
        d = 'decoder.'
        if d + 'channelwise' in P:
            n, k, _, m = h.shape
            h = torch.einsum('cij,njc->nic', P[d + 'channelwise'], h.reshape(n, k * k, m)).reshape(n, k, k, m)
            h = bn(P, d + 'mix_bn', h @ P[d + 'mix.weight'].reshape(m, m).T, True)
        for i in (1, 2):
            w = P[d + 'deconv%d.weight' % i].permute(0, 3, 1, 2)
            h = back(F.conv_transpose2d(turn(h), w, None, 2, 1))
            if i == 1:
                h = bn(P, d + 'bn1', h, True)
        return torch.tanh(h)

    def judge(z):
        z = z[:, 4:12, 4:12] if case == 'inpainting_middle' else z * mask
        for i in (1, 2, 3):
            w = P['discriminator.conv%d.weight' % i].permute(0, 3, 1, 2)
            z = back(F.conv2d(turn(z), w, None, 2, 1))
            if i > 1:
                z = bn(P, 'discriminator.bn%d' % i, z, False)
            z = F.leaky_relu(z, f32(0.2))
        return z.mean((1, 2)) @ P['discriminator.fc.weight'].T

    if phase == 0:
        with torch.no_grad():
            y = paint()
        loss = F.softplus(-judge(t)).mean() + F.softplus(judge(y)).mean()
        NUMBERS.append(('D loss', loss))
        return loss
    y = paint()
    reach = back(F.max_pool2d(turn(mask), 2 * overlap + 1, 1, overlap))
    error = (y - t) ** 2
    weight = 10 * (reach - mask) + mask
    loss = (weight * error).sum() / (3 * reach.sum())
    NUMBERS.append(('PSNR', -10 * torch.log10((mask * error / 4).sum() / (3 * mask.sum()))))
    if a:
        fooled = F.softplus(-judge(y)).mean()
        NUMBERS.append(('G loss', fooled))
        loss = (1 - a) * loss + a * fooled
    return loss


def next_frame(case, P, step, noise):
    k, edges = (3, True) if case == 'next_frame_edges' else (2, False)
    x = image_input(case, 'frames', (3 * (k + 1), 8, 8, 3))
    turn = lambda z: z.permute(0, 3, 1, 2)
    back = lambda z: z.permute(0, 2, 3, 1)
    seen = x.reshape(3, k + 1, 8, 8, 3)[:, :k].reshape(3 * k, 8, 8, 3)
    u = (seen - torch.tensor([0.25, 0.5, 0.625])) / torch.tensor([0.25, 0.375, 0.125])
    h = convmap(P, 'encoder.', u)
    h = torch.cat(list(h.reshape(3, k, *h.shape[1:]).unbind(1)), -1)
    d = 'decoder.'
    h = bn(P, d + 'mix_bn', back(F.conv2d(turn(h), turn(P[d + 'mix.weight']), None, 1, 1)), True)
    for i in (1, 2):
        h = back(F.conv_transpose2d(turn(h), turn(P[d + 'deconv%d.weight' % i]), None, 2, 1))
        if i == 1:
            h = bn(P, d + 'bn1', h, True)
    y = torch.tanh(h)
    x = x.reshape(3, k + 1, 8, 8, 3)
    last, t = 2 * x[:, k - 1] - 1, 2 * x[:, k] - 1
    if edges:
        y = y + last
    loss = F.l1_loss(y, t) if edges else F.mse_loss(y, t)
    if edges:
        for axis in (1, 2):
            loss = loss + 0.5 * (y.diff(dim=axis).abs() - t.diff(dim=axis).abs()).abs().mean()
    NUMBERS.append(('PSNR', -10 * torch.log10(F.mse_loss(y, t) / 4)))
    NUMBERS.append(('copy', -10 * torch.log10(F.mse_loss(last, t) / 4)))
    return loss


def frame_order(case, P, step, noise):
    task = {'frame_order': 0, 'frame_order_arrow': 1, 'frame_order_sort': 2}[case]
    n = 3 if task else 5
    x = image_input(case, 'frames', (3 * n, 8, 8, 3))
    if task == 1:  # the map of 2 x 2 places as it is
        f = convmap(P, 'encoder.', x).reshape(3, n, -1)
    else:
        f = convnet(P, 'encoder.', x).reshape(3, n, -1)
    rows, label = [], []
    for clip in range(3):
        a, b, c, d, e = f[clip] if task == 0 else (None, *f[clip], None)
        if task == 0:
            wrong = [(d, a, b), (b, e, d)] if clip % 2 else [(b, a, d), (d, e, b)]
            tuples = [((b, c, d), 1), ((d, c, b), 1), (wrong[0], 0), (wrong[1], 0)]
        elif task == 1:
            tuples = [((b, c, d), 1), ((d, c, b), 0)]
        else:
            tuples = [((c, b, d), 0), ((c, d, b), 0), ((b, c, d), 1), ((d, c, b), 1), ((b, d, c), 2), ((d, b, c), 2)]
        for t, y in tuples:
            rows.append(torch.cat(t))
            label.append(y)
    return F.cross_entropy(mlp(P, 'head.', torch.stack(rows)), torch.tensor(label))


def lab_of(x):  # skimage.color.rgb2lab
    m = torch.tensor([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    v = torch.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92) @ m.T / torch.tensor([0.95047, 1.0, 1.08883])
    f = torch.where(v > 0.008856, v ** (1 / 3), 7.787 * v + 16 / 116)
    return torch.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def colour_bins():  # every tenth number of (a,b) that a colour is rounded to: of the surface of the cube
    g = torch.arange(256) / 255
    x, y = [v.reshape(-1) for v in torch.meshgrid(g, g, indexing='ij')]
    found = []
    for end in (0.0, 1.0):
        e = torch.full_like(x, end)
        for face in ((e, x, y), (x, e, y), (x, y, e)):
            found.append(torch.round(lab_of(torch.stack(face, -1))[:, 1:] / 10))
    return 10 * torch.unique(torch.cat(found), dim=0)


def colorization(case, P, step, noise):
    lab = lab_of(image_input(case, 'images', (4, 8, 8, 3)))
    small, both = case == 'colorization_l', case == 'colorization_both'
    cell = 4 if case == 'colorization' else 2
    x = (lab - torch.tensor([50.0, 0, 0])) / torch.tensor([25.0, 15, 15])
    y = F.avg_pool2d(lab.permute(0, 3, 1, 2), cell).permute(0, 2, 3, 1)
    ways = [(True, 'l.', 'head_ab'), (False, 'ab.', 'head_l')] if both else [(not small, '', 'head')]
    loss = 0
    for from_l, e, head in ways:
        bins = colour_bins() if from_l else torch.arange(0, 101, 5.0)[:, None]
        target = y[..., 1:] if from_l else y[..., :1]
        sigma, near = (8.0, 3) if small else (5.0, 5)
        sigma = sigma if from_l else sigma / 2
        d = ((target[..., None, :] - bins) ** 2).sum(-1)
        order = d.argsort(dim=-1, stable=True)[..., :near]
        z = torch.zeros_like(d).scatter(-1, order, torch.softmax(d.gather(-1, order) / (-2 * sigma ** 2), -1))
        weight = P['bin_weight'][order[..., 0]] if case == 'colorization' else torch.ones(order.shape[:-1])
        if from_l:  # images without colour
            weight = weight * (target.abs().amax((1, 2, 3), keepdim=True) > 5)[..., 0]
        seen = x * torch.tensor([1.0, 0, 0] if from_l else [0.0, 1, 1])
        f = convnet(P, 'encoder.' + e, seen, False)
        conv = lambda n, v: F.conv2d(v.permute(0, 3, 1, 2), P['%s.%s.weight' % (head, n)].permute(0, 3, 1, 2), None, 1, 1).permute(0, 2, 3, 1)
        f = bn(P, head + '.bn1', conv('conv1', f), True)
        f = F.interpolate(f.permute(0, 3, 1, 2), size=target.shape[1:3], mode='bilinear').permute(0, 2, 3, 1)
        f = bn(P, head + '.bn2', conv('conv2', f), True)
        loss = loss - (weight * (z * torch.log_softmax(linear(P, head + '.out', f), -1)).sum(-1)).mean()
    return loss


def autoencoder(case, P, step, noise):
    conv = case.endswith(('_conv', '_both'))
    shape = (6, 8, 4, 3) if conv else (6, 5, 4, 1)
    x = image_input(case, 'images', shape)
    h = image_input(case, 'noisy' if case == 'autoencoder_noisy' else 'images', shape)
    tied = case.endswith(('_tied', '_both'))
    layers = 3 if case == 'autoencoder' else 1 if case == 'autoencoder_tied' else 2
    for i in (1, 2) if conv else ():
        w = P['encoder.conv%d.weight' % i].permute(0, 3, 1, 2)
        h = F.relu(F.conv2d(h.permute(0, 3, 1, 2), w, P['encoder.conv%d.bias' % i], 2, 1)).permute(0, 2, 3, 1)
    h = h.reshape(6, -1)
    for i in range(1, layers + 1):
        h = linear(P, 'encoder.fc%d' % i, h)
        if i < layers:
            h = F.relu(h)
    if case in ('autoencoder_noisy', 'autoencoder_tied', 'autoencoder_both'):
        h = torch.sigmoid(h)
    y = h
    for i in range(layers, 0, -1):
        w = P['encoder.fc%d.weight' % i].t() if tied else P['decoder.fc%d.weight' % i]
        y = F.linear(y, w, P['decoder.fc%d.bias' % i])
        if i > 1 or conv:
            y = F.relu(y)
    if conv:
        y = y.reshape(6, 2, 1, 8)
    for i in (2, 1) if conv else ():
        w = P[('encoder' if tied else 'decoder') + '.conv%d.weight' % i].permute(0, 3, 1, 2)
        y = F.conv_transpose2d(y.permute(0, 3, 1, 2), w, P['decoder.conv%d.bias' % i], 2, 1).permute(0, 2, 3, 1)
        if i > 1:
            y = F.relu(y)
    x, y = x.reshape(6, -1), y.reshape(6, -1)
    if case in ('autoencoder_noisy', 'autoencoder_tied'):
        r = F.binary_cross_entropy_with_logits(y, x, reduction='none').sum(1)
    else:
        r = 0.5 * (((y if case == 'autoencoder_conv' else torch.sigmoid(y)) - x) ** 2).sum(1)
    loss = r.mean()
    if case == 'autoencoder_noisy':
        rho, mean = torch.tensor(f32(0.2)), h.mean(0)
        loss = loss + 3 * (rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()).sum()
    if case == 'autoencoder_tied':  # the Jacobian by autograd, one image at a time
        f = lambda v: torch.sigmoid(linear(P, 'encoder.fc1', v))
        jacobian = [torch.autograd.functional.jacobian(f, v, create_graph=True) for v in x]
        loss = loss + 0.5 * torch.stack([(j ** 2).sum() for j in jacobian]).mean()
    return loss


# hidden layers, tanh, beta, codes, deviation (None: Bernoulli), convolutions
VAE = {'vae': (1, False, 1.0, 1, None, 0), 'vae_gaussian': (1, True, 2.0, 1, 1.0, 0), 'vae_sigma': (1, False, 1.0, 1, 0.5, 0),
       'vae_iwae': (2, True, 1.0, 5, None, 0), 'vae_iwae_sigma': (1, False, 0.5, 3, 2.0, 0),
       'vae_conv': (1, False, 1.0, 1, None, 2), 'vae_iwae_conv': (1, False, 1.0, 2, 0.25, 1)}


def vae(case, P, step, noise):
    layers, tanh, beta, k, sigma, convs = VAE[case]
    x = image_input(case, 'images', (6, 8, 4, 3) if convs else (6, 5, 4, 1))
    act = torch.tanh if tanh else F.relu
    h = x.permute(0, 3, 1, 2)
    for i in range(convs):
        h = act(F.conv2d(h, P['encoder.conv%d.weight' % (i + 1)].permute(0, 3, 1, 2), P['encoder.conv%d.bias' % (i + 1)], 2, 1))
    shape = h.shape
    h = h.permute(0, 2, 3, 1).reshape(6, -1)
    for i in range(layers):
        h = act(linear(P, 'encoder.fc1' + ('_%d' % (i + 1) if i else ''), h))
    mu, logvar = linear(P, 'encoder.fc21', h), linear(P, 'encoder.fc22', h)
    eps = noise((6, k, mu.shape[1]))
    z = mu[:, None] + torch.exp(0.5 * logvar)[:, None] * eps
    y = z.reshape(6 * k, -1)
    for i in range(layers):
        y = act(linear(P, 'decoder.fc3' + ('_%d' % (i + 1) if i else ''), y))
    y = linear(P, 'decoder.fc4', y)
    if convs:
        y = act(y).reshape(6 * k, shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)
    for i in range(convs, 0, -1):
        y = F.conv_transpose2d(y, P['decoder.conv%d.weight' % i].permute(0, 3, 1, 2), P['decoder.conv%d.bias' % i], 2, 1)
        if i > 1:
            y = act(y)
    if convs:
        y = y.permute(0, 2, 3, 1)
    y, x = y.reshape(6, k, -1), x.reshape(6, 1, -1)
    if sigma is None:
        log_p = torch.distributions.Bernoulli(logits=y, validate_args=False).log_prob(x).sum(2)
    else:
        s = P['decoder.log_sigma'].exp() if 'decoder.log_sigma' in P else torch.tensor(sigma)
        log_p = torch.distributions.Normal(y, s).log_prob(x.expand_as(y)).sum(2)
    q, prior = torch.distributions.Normal(mu, torch.exp(0.5 * logvar)), torch.distributions.Normal(0.0, 1.0)
    if k == 1:
        return (beta * torch.distributions.kl_divergence(q, prior).sum(1) - log_p[:, 0]).mean()
    log_q = torch.distributions.Normal(mu[:, None], torch.exp(0.5 * logvar)[:, None]).log_prob(z).sum(2)
    log_w = log_p + beta * (prior.log_prob(z).sum(2) - log_q)
    return -(torch.logsumexp(log_w, 1) - np.log(k)).mean()


def tokens(P, e, x, keep=None, inner=None):
    """The transformer on patches of 2x2, class token first; keep: the patches that it sees; inner receives what the
    blocks give."""
    w = P[e + 'patch_embed.proj.weight'].permute(0, 3, 1, 2)
    t = F.conv2d(x.permute(0, 3, 1, 2), w, P[e + 'patch_embed.proj.bias'], 2).flatten(2).transpose(1, 2)
    pos = P[e + 'pos_embed']
    t = t + pos[:, 1:]
    if keep is not None:
        t = torch.stack([t[n][keep[n]] for n in range(len(keep))])
    t = torch.cat([(P[e + 'cls_token'] + pos[:, :1]).expand(len(x), 1, 12), t], 1)
    for i in range(2):
        t = block(P, e + 'blocks.%d' % i, t, 3)
        if inner is not None:
            inner.append(t)
    return F.layer_norm(t, (12,), P[e + 'norm.weight'], P[e + 'norm.bias'], f32(1e-6))


def moco_features(case, P, e, x):
    return tokens(P, e, x)[:, 0] if case == 'moco_3_vit' else convnet(P, e, x)


def moco(case, P, step, noise):
    global SPLIT
    x = [image_input(case, 'view%d' % i, (4, 8, 8, 3)) for i in range(2)]
    version = 3 if case.startswith('moco_3') else 1 if case == 'moco_1' else 2
    order = torch.tensor([2, 0, 3, 1]) if version == 2 else torch.arange(4)
    SPLIT = 2 if version == 2 else 1

    def key(v):
        with torch.no_grad():
            k = mlp(P, 'key_head.', moco_features(case, P, 'key_encoder.', v[order]))
            back = torch.empty_like(k)
            back[order] = k
            return F.normalize(back, dim=1)

    def query(v):
        q = mlp(P, 'head.', moco_features(case, P, 'encoder.', v))
        return F.normalize(mlp(P, 'predictor.', q) if version == 3 else q, dim=1)

    def ask(q, k, t):
        logits = q @ k.T if version == 3 else torch.cat([(q * k).sum(1, keepdim=True), q @ P['queue'].T], 1)
        target = torch.arange(4) if version == 3 else torch.zeros(4, dtype=torch.long)
        return F.cross_entropy(logits / t, target)

    t = {1: f32(0.07), 2: f32(0.2), 3: f32(0.2) if case == 'moco_3_vit' else 1.0}[version]
    both = version != 2
    keys = [key(x[1])] + ([key(x[0])] if both else [])
    loss = ask(query(x[0]), keys[0], t)
    if both:
        loss = loss + ask(query(x[1]), keys[1], t)
    SPLIT = 1
    if version == 3:
        return 2 * t * loss

    def enqueue():
        k = torch.cat(keys)
        at = int(P['queue_place'])
        P['queue'][at:at + len(k)] = k
        P['queue_place'].fill_((at + len(k)) % len(P['queue']))
    AFTER.append(enqueue)
    return loss


AFTER = []  # what a method does when the update is done


def average(P):
    m = 0.75
    with torch.no_grad():
        for name in P:
            if name.startswith(('key_', 'target_')) and P[name].requires_grad:
                P[name].mul_(m).add_((1 - m) * P[name.split('_', 1)[1]])


def off_diagonal(x):
    return x - torch.diag(torch.diag(x))


def two_views(case, P, encoder, head):
    return [mlp(P, head, convnet(P, encoder, image_input(case, 'view%d' % i, (4, 8, 8, 3)))) for i in range(2)]


def apart(p, z):
    return (2 - 2 * F.cosine_similarity(p, z, dim=1)).mean()  # a row of zeros (no unit clear of 0) has cosine 0


def supcon(case, P, step, noise):
    x = torch.cat([image_input(case, 'view%d' % i, (4, 8, 8, 3)) for i in range(2)])
    u = F.normalize(mlp(P, 'head.', convnet(P, 'encoder.', x)), dim=1)
    label = torch.tensor([0, 1, 0, 2] * 2)
    itself = torch.eye(8, dtype=torch.bool)
    s = (u @ u.T / (f32(0.1) if case == 'supcon' else 0.5)).masked_fill(itself, -np.inf)
    log_p = s - torch.logsumexp(s, 1, keepdim=True)
    positive = (label[:, None] == label) & ~itself
    return -torch.stack([log_p[i][positive[i]].mean() for i in range(8)]).mean()


def fixmatch(case, P, step, noise):
    sizes = {'labelled': 3, 'weak': 5, 'strong': 5}
    x = torch.cat([image_input(case, name, (n, 8, 8, 3)) for name, n in sizes.items()])
    z = F.linear(convnet(P, 'encoder.', x), P['head.fc1.weight'], P['head.fc1.bias'])
    sure, guess = F.softmax(z[3:8].detach(), 1).max(1)
    right = F.cross_entropy(z[:3], torch.tensor([0, 4, 2]))
    return right + 0.5 * ((sure >= f32(0.3)) * F.cross_entropy(z[8:], guess, reduction='none')).mean()


def nnclr(case, P, step, noise):
    z, q, n = [], [], []
    for i in range(2):
        z.append(mlp(P, 'head.', convnet(P, 'encoder.', image_input(case, 'view%d' % i, (4, 8, 8, 3)))))
        q.append(F.normalize(mlp(P, 'predictor.', z[i]), dim=1))
        u = F.normalize(z[i], dim=1).detach()
        n.append(P['queue'][(u @ P['queue'].T).argmax(1)] if case == 'nnclr' else u)
        if i == 0:
            rows = u
    t = f32(0.1) if case == 'nnclr' else 0.5

    def enqueue():
        at = int(P['queue_place'])
        P['queue'][at:at + 4] = rows
        P['queue_place'].fill_((at + 4) % 16)
    AFTER.append(enqueue)
    return sum(F.cross_entropy(n[i] @ q[1 - i].T / t, torch.arange(4)) for i in range(2)) / 2


def byol(case, P, step, noise):
    z = two_views(case, P, 'encoder.', 'head.')
    target = z
    if case == 'byol':
        with torch.no_grad():
            target = two_views(case, P, 'target_encoder.', 'target_head.')
    return apart(mlp(P, 'predictor.', z[0]), target[1]) + apart(mlp(P, 'predictor.', z[1]), target[0])


def simsiam(case, P, step, noise):
    z, q = [], []
    for i in range(2):
        z.append(mlp(P, 'head.', convnet(P, 'encoder.', image_input(case, 'view%d' % i, (4, 8, 8, 3)))))
        q.append(mlp(P, 'predictor.', z[i]))
    t = [a if case == 'simsiam_3' else a.detach() for a in z]
    return -(F.cosine_similarity(q[0], t[1], dim=1).mean() + F.cosine_similarity(q[1], t[0], dim=1).mean()) / 2


def barlow(case, P, step, noise):
    a, b = [(z - z.mean(0)) / torch.sqrt(z.var(0, unbiased=False) + f32(1e-5)) for z in two_views(case, P, 'encoder.', 'head.')]
    c = a.T @ b / len(a)
    return f32(0.024) * (((1 - torch.diag(c)) ** 2).sum() + f32(0.1) * (off_diagonal(c) ** 2).sum())


def vicreg(case, P, step, noise):
    z = two_views(case, P, 'encoder.', 'head.')
    weight = (2, 3, 4) if case == 'vicreg_weights' else (25, 25, 1)
    v = sum(F.relu(1 - torch.sqrt(x.var(0) + f32(1e-4))).mean() / 2 for x in z)
    c = sum((off_diagonal(torch.cov(x.T)) ** 2).sum() / x.shape[1] for x in z)
    return weight[0] * F.mse_loss(z[0], z[1]) + weight[1] * v + weight[2] * c


def multi_crop(case, P, encoder, sizes):
    return torch.cat([convnet(P, encoder, image_input(case, n, (8, k, k, 3))) for n, k in sizes])


def swav(case, P, step, noise):
    plain = case == 'swav'
    C = 'prototypes.fc1.weight'
    with torch.no_grad():
        P[C].copy_(F.normalize(P[C], dim=1))
    z = F.normalize(mlp(P, 'head.', multi_crop(case, P, 'encoder.', [('large', 8)] + [('small', 4)] * plain)), dim=1)
    s = z @ (P[C] if plain else P[C].detach()).T  # the other case: prototypes at rest
    t, eps, rounds = (f32(0.1), f32(0.05), 3) if plain else (f32(0.2), f32(0.1), 5)
    crops, loss = len(s) // 4, 0
    full = not plain and step == 1
    for i in range(2):
        with torch.no_grad():
            rows = s[4 * i:4 * i + 4]
            if full:
                rows = torch.cat([P['queue'][:, 7 * i:7 * i + 7] @ P[C].T, rows])
            q = torch.exp(rows / eps)
            for _ in range(rounds):
                q = q / q.sum(0)
                q = q / q.sum(1, keepdim=True)
            q = q[-4:]
        for v in range(crops):
            if v != i:
                loss = loss - (q * torch.log_softmax(s[4 * v:4 * v + 4] / t, 1)).sum(1).mean() / (2 * (crops - 1))
    if not plain:
        both = torch.cat([z[:4], z[4:8]], 1).detach()

        def enqueue():
            P['queue'].copy_(both)
            P['queue_filled'].fill_(4)
        AFTER.append(enqueue)
    return loss


def gelu_head(P, prefix, last, x):
    for i in (1, 2, 3):
        x = linear(P, prefix + 'fc%d' % i, x)
        x = F.gelu(x) if i < 3 else x
    W = F.normalize(P[last + 'fc1.weight'], dim=1)
    return F.normalize(x, dim=1) @ (W.detach() if CASE == 'dino_rest' else W).T


CASE = ''


def dino(case, P, step, noise):
    global CASE
    CASE, plain = case, case == 'dino'
    t, cold, a = (f32(0.1), f32(0.04), f32(0.9)) if plain else (f32(0.2), f32(0.1), 0.5)
    sizes = [('large', 8)] + [('small', 4)] * plain
    h = gelu_head(P, 'head.', 'last.', multi_crop(case, P, 'encoder.', sizes))
    with torch.no_grad():
        teacher = gelu_head(P, 'target_head.', 'target_last.', multi_crop(case, P, 'target_encoder.', sizes[:1]))
        q = torch.softmax((teacher - P['centre']) / cold, 1)
    crops = len(h) // 4
    loss = sum(-(q[4 * i:4 * i + 4] * torch.log_softmax(h[4 * v:4 * v + 4] / t, 1)).sum(1).mean()
               for i in range(2) for v in range(crops) if v != i) / (2 * (crops - 1))
    entropy = -(q * torch.log(q)).sum(1).mean()
    NUMBERS.append(('entropy', entropy))
    NUMBERS.append(('KL', loss - entropy))
    AFTER.append(lambda: P['centre'].mul_(a).add_((1 - a) * teacher.mean(0)))
    return loss


def text_net(P, p, clip, x, heads=2):
    names = (('token_embedding.weight', 'positional_embedding', 'transformer.resblocks.%d.', 'attn.in_proj_', 'attn.out_proj.', 'ln_final')
             if clip else ('wte.weight', 'wpe.weight', 'h.%d.', 'attn.c_attn.', 'attn.c_proj.', 'ln_f'))
    table, position, b, qkv, proj, last = names
    D = P[p + table].shape[1]
    norm = lambda n, x: F.layer_norm(x, (D,), P[n + '.weight'], P[n + '.bias'], f32(1e-5))
    n, t = x.shape
    x = P[p + table][x] + P[p + position][:t]
    for i in range(2):
        q = p + b % i
        parts = [a.reshape(n, t, heads, -1).transpose(1, 2) for a in F.linear(norm(q + 'ln_1', x), P[q + qkv + 'weight'], P[q + qkv + 'bias']).chunk(3, -1)]
        s = parts[0] @ parts[1].transpose(2, 3) / np.sqrt(D // heads)
        w = torch.softmax(s.masked_fill(torch.ones(t, t).triu(1).bool(), -1e300), -1)
        x = x + F.linear((w @ parts[2]).transpose(1, 2).reshape(n, t, D), P[q + proj + 'weight'], P[q + proj + 'bias'])
        y = linear(P, q + 'mlp.c_fc', norm(q + 'ln_2', x))
        x = x + linear(P, q + 'mlp.c_proj', y * torch.sigmoid(1.702 * y) if clip else F.gelu(y, approximate='tanh'))
    return norm(p + last, x), P[p + table]


def gpt(case, P, step, noise):
    x = torch.tensor((draw20(seed_of('tokens ', case), 21) % 11).reshape(3, 7))
    targets = x[:, 1:].clone()
    targets[1, 4:] = -1
    h, table = text_net(P, 'encoder.', case == 'gpt_clip', x[:, :6])
    loss = F.cross_entropy((h @ table.T).reshape(-1, 11), targets.reshape(-1), ignore_index=-1)
    NUMBERS.append(('perplexity', loss.exp()))
    return loss


def clip(case, P, step, noise):
    x = torch.tensor((draw20(seed_of('tokens ', case), 35) % 11).reshape(5, 7))
    same = torch.tensor([0, 1, 2, 0, 4])
    u = F.normalize(convnet(P, 'encoder.', image_input(case, 'images', (5, 8, 8, 3))) @ P['head.visual.proj'].T, dim=1)
    h = text_net(P, 'text.', True, x, heads=1)[0].reshape(35, 8)[[6, 10, 20, 24, 33]]
    v = F.normalize(h @ P['head.text_projection'].T, dim=1)
    s = u @ v.T * P['head.logit_scale'].exp()
    right = (same[:, None] == same).double()
    NUMBERS.append(('temperature', (-P['head.logit_scale']).exp()))
    def bound():  # after the update
        with torch.no_grad():
            P['head.logit_scale'].clamp_(0, np.log(100))
    AFTER.append(bound)
    if case == 'clip_sigmoid':
        return -F.logsigmoid((2 * right - 1) * (s + P['head.logit_bias'])).sum() / 5
    share = right / right.sum(1, keepdim=True)
    return -((share * torch.log_softmax(s, 1)).sum(1) + (share * torch.log_softmax(s.T, 1)).sum(1)).mean() / 2


def post_norm(P, n, x, eps):
    return F.layer_norm(x, (x.shape[-1],), P[n + '.weight'], P[n + '.bias'], f32(eps))


def bert_embedded(P, x, segments):
    e = 'encoder.embeddings.'
    y = P[e + 'word_embeddings.weight'][x] + P[e + 'position_embeddings.weight'][:x.shape[1]] + P[e + 'token_type_embeddings.weight'][segments]
    return post_norm(P, e + 'LayerNorm', y, 1e-12)


def attend(P, names, x, y, hidden, heads):
    """Queries of x, keys and values of y; hidden: True where a key is not seen."""
    q, k, v = [linear(P, n, a).reshape(a.shape[0], a.shape[1], heads, -1).transpose(1, 2) for n, a in zip(names, (x, y, y))]
    w = torch.softmax((q @ k.transpose(2, 3) / np.sqrt(q.shape[3])).masked_fill(hidden, -1e300), -1)
    return (w @ v).transpose(1, 2).reshape(x.shape)


def bert_blocks(P, p, x, padding, heads):
    for i in range(2):
        b = p + 'encoder.layer.%d.' % i
        y = attend(P, [b + 'attention.self.' + n for n in ('query', 'key', 'value')], x, x, padding[:, None, None], heads)
        x = post_norm(P, b + 'attention.output.LayerNorm', x + linear(P, b + 'attention.output.dense', y), 1e-12)
        x = post_norm(P, b + 'output.LayerNorm', x + linear(P, b + 'output.dense', F.gelu(linear(P, b + 'intermediate.dense', x))), 1e-12)
    return x


def bert(case, P, step, noise):
    s = draw20(seed_of('tokens ', case), 27) % 110
    x, targets = torch.tensor(s[:21].reshape(3, 7)), torch.tensor(s[21:])
    targets[5] = -1
    segments = (torch.arange(7) > 3).long().expand(3, 7) * int(case == 'bert_next')
    padding = torch.zeros(3, 7).bool()
    padding[1, 5:] = True
    table = P['encoder.embeddings.word_embeddings.weight']
    norm = lambda n, x: post_norm(P, n, x, 1e-12)
    x = bert_blocks(P, 'encoder.', bert_embedded(P, x, segments), padding, 2)
    places = [1, 4, 8, 11, 15, 18]
    u = norm('cls.predictions.transform.LayerNorm', F.gelu(linear(P, 'cls.predictions.transform.dense', x.reshape(21, 8)[places])))
    loss = F.cross_entropy(F.linear(u, table, P['cls.predictions.bias']), targets, ignore_index=-1)
    NUMBERS.append(('perplexity', loss.exp()))
    if case == 'bert_next':
        pooled = torch.tanh(linear(P, 'encoder.pooler.dense', x[:, 0]))
        loss = loss + F.cross_entropy(linear(P, 'cls.seq_relationship', pooled), torch.tensor([1, 0, 1]))
    return loss


def text_task(case, P, step, noise):
    s = draw20(seed_of('tokens ', case), 69)
    x, pairs = torch.tensor(s[:21].reshape(3, 7) % 110), s[21:33].reshape(6, 2)
    padding = torch.zeros(3, 7).bool()
    padding[1, 5:] = True
    zero = torch.zeros(3, 7).long()
    table = P['encoder.embeddings.word_embeddings.weight']
    if case == 'electra':
        places, seen = [1, 4, 8, 11, 15, 18], [i for i in range(21) if i not in (12, 13)]
        targets, chances = torch.tensor(pairs[:, 0] % 110), torch.tensor(pairs[:, 1] / 1048576.0)
        x.reshape(-1)[places] = 103
        u = bert_blocks(P, 'generator.', linear(P, 'generator.embeddings_project', bert_embedded(P, x, zero)), padding, 1)
        u = F.gelu(linear(P, 'generator.predictions.dense', u.reshape(21, 4)[places]))
        scores = F.linear(post_norm(P, 'generator.predictions.LayerNorm', u, 1e-12), table, P['generator.lm_head.bias'])
        guess = F.cross_entropy(scores, targets)
        drawn = (torch.softmax(scores.detach(), 1).cumsum(1) > chances[:, None]).double().argmax(1)
        z, y = x.clone(), torch.zeros(21)
        z.reshape(-1)[places] = drawn
        y[places] = (drawn != targets).double()
        h = bert_blocks(P, 'encoder.', bert_embedded(P, z, zero), padding, 2).reshape(21, 8)[seen]
        d = linear(P, 'discriminator_predictions.dense_prediction', F.gelu(linear(P, 'discriminator_predictions.dense', h)))[:, 0]
        y = y[seen]
        NUMBERS.append(('found', ((d > 0) & (y > 0)).sum() / y.sum()))
        NUMBERS.append(('false alarms', ((d > 0) & (y == 0)).sum() / (y == 0).sum()))
        NUMBERS.append(('perplexity', guess.exp()))
        return guess + 50 * F.binary_cross_entropy_with_logits(d, y)
    h = bert_blocks(P, 'encoder.', bert_embedded(P, x, zero), padding, 2)
    if case == 'sentence_order':
        logits = linear(P, 'head.place', h.reshape(21, 8)[[3, 6, 9, 11, 14, 20]])
        answers = torch.tensor([1, 0, 0, 1, -1, -1])
        right = (logits.argmax(1) == answers)[:4].double()
        NUMBERS.append(('accuracy', right.mean()))
        NUMBERS.append(('in order', (right[::2] * right[1::2]).mean()))
        return F.cross_entropy(logits, answers, ignore_index=-1)
    inputs, targets = torch.tensor(s[33:51].reshape(3, 6) % 110), torch.tensor(np.concatenate((s[51:61], [-1, -1], s[61:67])))
    targets = torch.where(targets < 0, targets, targets % 110)
    y = post_norm(P, 'decoder.layernorm_embedding', table[inputs] + P['decoder.embed_positions.weight'][:6], 1e-5)
    b = 'decoder.layers.0.'
    for name, keys, hidden in (('self_attn', y, torch.ones(6, 6).triu(1).bool()), ('encoder_attn', h, padding[:, None, None])):
        keys = y if name == 'self_attn' else keys
        a = attend(P, [b + name + '.%s_proj' % n for n in 'qkv'], y, keys, hidden, 2)
        y = post_norm(P, b + name + '_layer_norm', y + linear(P, b + name + '.out_proj', a), 1e-5)
    y = post_norm(P, b + 'final_layer_norm', y + linear(P, b + 'fc2', F.gelu(linear(P, b + 'fc1', y))), 1e-5)
    loss = F.cross_entropy((y @ table.T).reshape(18, 110), targets, ignore_index=-1)
    NUMBERS.append(('perplexity', loss.exp()))
    return loss


def items_net(P, tokens, positions, hidden):
    """SASRec's transformer: hidden (N,T,T), True where a query does not see a key."""
    p, (n, t) = 'encoder.', tokens.shape
    norm = lambda name, x: F.layer_norm(x, (8,), P[p + name + '.weight'], P[p + name + '.bias'], f32(1e-8))
    x = P[p + 'item_embeddings.weight'][tokens] * f32(np.sqrt(np.float32(8))) + P[p + 'position_embeddings.weight'][positions]
    for i in range(2):
        b = 'blocks.%d.' % i
        y = norm(b + 'attention.norm', x)
        q, k, v = [linear(P, p + b + 'attention.' + name, a).reshape(n, t, 2, 4).transpose(1, 2)
                   for name, a in (('query', y), ('key', x), ('value', x))]
        w = torch.softmax((q @ k.transpose(2, 3) / 2).masked_fill(hidden[:, None], -1e300), -1)
        y = norm(b + 'forward.norm', y + (w @ v).transpose(1, 2).reshape(n, t, 8))
        x = y + linear(P, p + b + 'forward.fc2', F.relu(linear(P, p + b + 'forward.fc1', y)))
    return norm('norm', x).reshape(n * t, 8)


def sasrec(case, P, step, noise):
    s = draw20(seed_of('tokens ', case), 60) % 11
    length = torch.tensor([6, 3, 5])[:, None]
    t = torch.arange(6)[None]
    there = t < length
    positions = torch.where(there, 12 - length + t, 11)
    h = items_net(P, torch.tensor(s[:18].reshape(3, 6)), positions, torch.ones(6, 6).triu(1).bool().expand(3, 6, 6))[there.reshape(-1)]
    items, table = torch.tensor(s[18:].reshape(14, 3)), P['encoder.item_embeddings.weight']
    if case == 'sasrec_all':
        r = (table[items] * h[:, None]).sum(2)
        loss = F.cross_entropy(h @ table.T, items[:, 0])
    else:
        r = (table[items] * h[:, None]).sum(2)
        loss = -(F.logsigmoid(r[:, 0]) + F.logsigmoid(-r[:, 1:]).sum(1)).mean()
    first, other = r[:, :1], r[:, 1:]
    NUMBERS.append(('AUC', ((first > other).double() + (first == other).double() / 2).mean()))
    return loss


def bert4rec(case, P, step, noise):
    x = torch.tensor((draw20(seed_of('tokens ', case), 21) % 10).reshape(3, 7))
    length = torch.tensor([7, 4, 6])[:, None]
    t = torch.arange(7)[None]
    padding = t >= length
    positions = torch.where(padding, 11, 12 - length + t)
    places = [1, 3, 8, 10, 15, 17]
    answers = x.reshape(-1)[places].clone()
    x.reshape(-1)[places] = 10
    h = items_net(P, x, positions, padding[:, None].expand(3, 7, 7))[places]
    u = F.gelu(linear(P, 'head.dense', h))
    loss = F.cross_entropy(F.linear(u, P['encoder.item_embeddings.weight'][:10], P['head.bias']), answers)
    NUMBERS.append(('perplexity', loss.exp()))
    return loss


def cpc(case, P, step, noise):
    N, K, J = 3, 3, 7
    x = image_input(case, 'sound', (N, 1, 48))
    e = 'encoder.local.'
    for i, (stride, pad) in enumerate(((3, 2), (2, 1)), 1):
        x = F.conv1d(x, P[e + 'conv%d.weight' % i].permute(0, 2, 1), P[e + 'conv%d.bias' % i], stride, pad)
        norm = e + 'norm%d' % i
        if case == 'cpc':
            x = F.layer_norm(x.transpose(1, 2), (8,), P[norm + '.weight'], P[norm + '.bias'], f32(1e-5)).transpose(1, 2)
        elif case == 'cpc_same':
            x = F.group_norm(x, 2, P[norm + '.weight'], P[norm + '.bias'], f32(1e-5))
        x = F.relu(x)
    z = x.transpose(1, 2)
    T, D = z.shape[1:]
    g = 'encoder.context.'
    h, c = torch.zeros(N, 6), []
    for t in range(T):
        a = F.linear(z[:, t], P[g + 'weight_ih_l0'], P[g + 'bias_ih_l0']).chunk(3, 1)
        b = F.linear(h, P[g + 'weight_hh_l0'], P[g + 'bias_hh_l0']).chunk(3, 1)
        r, u = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
        h = (1 - u) * torch.tanh(a[2] + r * b[2]) + u * h
        c.append(h)
    predicted = linear(P, 'predictor.fc1', torch.stack(c, 1)).reshape(N, T, K, D)
    rows = N if case == 'cpc_same' else 1
    draws = (draw20(seed_of('draws ', case), J * rows) << 11).reshape(rows, J)
    loss = 0
    for k in range(1, K + 1):
        for n in range(N):
            for t in range(T - k):
                q, s = predicted[n, t, k - 1], []
                for j in range(J):
                    m, at = (n, int(draws[n, j]) * T >> 31) if rows > 1 else divmod(int(draws[0, j]) * N * T >> 31, T)
                    if (m, at) != (n, t + k) and not (case == 'cpc_other' and m == n):
                        s.append(q @ z[m, at])
                s = torch.stack([q @ z[n, t + k]] + s)
                loss = loss + (torch.logsumexp(s, 0) - s[0]) / (K * N * (T - k))
    return loss


def cpc2(case, P, step, noise):
    """3 images of 4 x 4 patches, of which rows at distances of 2 and 3 are predicted."""
    N, G, E, J, steps = 3, 4, 5, 9, 2
    x = image_input(case, 'patches', (N * G * G, 6, 6, 3))
    for i in (1, 2):
        w = P['encoder.conv%d.weight' % i].permute(0, 3, 1, 2)
        bias = P['encoder.conv%d.bias' % i] if case == 'cpc2_other' else None
        x = F.conv2d(x.permute(0, 3, 1, 2), w, bias, 2, 1)
        if case != 'cpc2_other':
            norm = 'encoder.norm%d' % i
            groups = 2 if case == 'cpc2_same' else 1
            x = F.group_norm(x, groups, P[norm + '.weight'], P[norm + '.bias'], f32(1e-5))
        x = F.relu(x).permute(0, 2, 3, 1)
    z = x.mean((1, 2)).reshape(N, G, G, -1)
    target = z @ P['target.fc1.weight'].T
    rows = N if case == 'cpc2_same' else 1
    draws = (draw20(seed_of('draws ', case), J * rows) << 11).reshape(rows, J)
    names = ['down', 'up', 'right', 'left'][:1 if case == 'cpc2_all' else 2 if case == 'cpc2_same' else 4]
    loss = 0
    for d in names:
        turn = lambda a: {'down': a, 'up': a.flip(1), 'right': a.transpose(1, 2), 'left': a.transpose(1, 2).flip(1)}[d]
        c, u = turn(z).permute(0, 3, 1, 2), turn(target)
        b = 1
        while d + '.block%d.conv1.weight' % b in P:
            conv = lambda h, i, pad=0: F.conv2d(h, P[d + '.block%d.conv%d.weight' % (b, i)].permute(0, 3, 1, 2),
                                                P[d + '.block%d.conv%d.bias' % (b, i)], 1, pad)
            h = conv(F.relu(conv(c, 1)), 2, (0, 1))
            h = F.relu(conv(F.pad(h, (0, 0, 1, 0)), 3))
            c = c + conv(h, 4)
            b += 1
        y = F.relu(c).permute(0, 2, 3, 1) @ P[d + '.predict.weight'].T
        y = f32(0.5) * y.reshape(N, G, G, steps, E)
        all_places = u.reshape(N * G * G, E)
        for k in range(steps):
            M = (G - 2 - k) * G
            for n in range(N):
                for at in range(M):
                    i, j = divmod(at, G)
                    q, own = y[n, i, j, k], (n * G + i + 2 + k) * G + j
                    if case == 'cpc2_all':
                        others = [p for p in range(N * G * G) if p != own]
                    elif case == 'cpc2_same':
                        others = [n * G * G + (int(v) * G * G >> 31) for v in draws[n]]
                    else:
                        others = [int(v) * N * G * G >> 31 for v in draws[0]]
                    keep = lambda p: p != own and not (case == 'cpc2_other' and p // (G * G) == n)
                    s = torch.stack([q @ all_places[p] for p in others if keep(p)] + [q @ all_places[own]])
                    loss = loss + (torch.logsumexp(s, 0) - s[-1]) / (len(names) * steps * N * M)
    return loss


def gan(case, P, step, noise, phase=1):
    side = 16 if case == 'gan_minimax' else 8
    t = 2 * image_input(case, 'images', (6, side, side, 3)) - 1
    z = 4 * image_input(case, 'noise', (6, 5)) - 2
    turn = lambda x: x.permute(0, 3, 1, 2)
    back = lambda x: x.permute(0, 2, 3, 1)
    judges = [n for n, p in P.items() if p.requires_grad and n.startswith(('encoder.', 'head.'))]
    spectral = case in ('gan_hinge', 'gan_wasserstein')
    Q = dict(P)  # the parameters as they are used
    at = [0, 0]
    with torch.no_grad():
        for n in judges:
            if case == 'gan_clip':
                P[n].clamp_(-0.125, 0.125)
            if spectral and n.endswith('weight') and P[n].dim() > 1:
                W = P[n].reshape(P[n].shape[0], -1)
                o, k = W.shape
                u, v = P['spectral_u'][at[0]:at[0] + o], P['spectral_v'][at[1]:at[1] + k]
                v.copy_(F.normalize(W.T @ u, dim=0))
                u.copy_(F.normalize(W @ v, dim=0))
                P[n] /= u @ W @ v
                at = [at[0] + o, at[1] + k]
    at = [0, 0]
    for n in judges:  # divided by a norm that is 1, for the gradient's sake
        if spectral and n.endswith('weight') and P[n].dim() > 1:
            W = P[n].reshape(P[n].shape[0], -1)
            o, k = W.shape
            u, v = P['spectral_u'][at[0]:at[0] + o].clone(), P['spectral_v'][at[1]:at[1] + k].clone()
            Q[n] = P[n] / (u @ W @ v)
            at = [at[0] + o, at[1] + k]

    def generate(g):
        if g + 'fc1.weight' in P:
            h = F.relu(linear(P, g + 'fc2', F.relu(linear(P, g + 'fc1', z))))
            return torch.tanh(linear(P, g + 'fc3', h)).reshape(6, side, side, 3)
        h = bn(P, g + 'bn0', linear(P, g + 'fc', z).reshape(6, 4, 4, -1), True)
        i = 1
        while g + 'deconv%d.weight' % i in P:
            w = P[g + 'deconv%d.weight' % i].permute(0, 3, 1, 2)
            h = back(F.conv_transpose2d(turn(h), w, None, 2, 1))
            if g + 'deconv%d.weight' % (i + 1) in P:
                h = bn(P, g + 'bn%d' % i, h, True)
            i += 1
        return torch.tanh(h)

    def judge(x, made_up):
        kept = {n: P[n].clone() for n in P if n.startswith('encoder.') and 'running' in n}
        if case in ('gan', 'gan_clip'):
            h = convnet(Q, 'encoder.', x)
        elif case == 'gan_wasserstein':
            h = F.relu(linear(Q, 'encoder.fc2', F.relu(linear(Q, 'encoder.fc1', x.reshape(6, -1)))))
        else:
            h = x
            for i in (1, 2):
                w = Q['encoder.conv%d.weight' % i].permute(0, 3, 1, 2)
                h = back(F.conv2d(turn(h), w, Q.get('encoder.conv%d.bias' % i), 2, 1))
                if 'encoder.bn%d.weight' % i in P:
                    h = bn(Q, 'encoder.bn%d' % i, h, False)
                h = F.leaky_relu(h, f32(0.2))
            h = h.reshape(6, -1)
        if made_up:
            with torch.no_grad():
                for n in kept:
                    P[n].copy_(kept[n])
        return h @ Q['head.fc.weight'].T + Q['head.fc.bias']

    pays = {'gan': lambda f: F.softplus(-f).mean(), 'gan_minimax': lambda f: torch.log(1 - torch.sigmoid(f)).mean()}
    pays = pays.get(case, lambda f: -f.mean())
    if phase:
        loss = pays(judge(generate('generator.'), True))
        NUMBERS.append(('G loss', loss))
        AFTER.append(lambda: gan_average(case, P, step))
        return loss
    with torch.no_grad():
        y = generate('generator.')
    real, fake = judge(t, False), judge(y, True)
    loss = {'gan': F.softplus(-real).mean() + F.softplus(fake).mean(),
            'gan_minimax': -torch.log(torch.sigmoid(real)).mean() - torch.log(1 - torch.sigmoid(fake)).mean(),
            'gan_hinge': F.relu(1 - real).mean() + F.relu(1 + fake).mean()}.get(case, fake.mean() - real.mean())
    NUMBERS.append(('D loss', loss))
    if case in ('gan', 'gan_minimax', 'gan_hinge'):
        NUMBERS.append(('accuracy', ((real > 0).double().mean() + (fake < 0).double().mean()) / 2))
    return loss


@torch.no_grad()
def gan_average(case, P, step):
    a = {'gan_hinge': f32(0.15), 'gan_wasserstein': 0.0}.get(case, 0.75)
    a = min(a, (1 + step) / (10 + step))
    for n in P:
        if n.startswith('average.') and 'num_batches' not in n:
            P[n].mul_(a).add_(P[n.replace('average.', 'generator.')], alpha=1 - a)


def mae(case, P, step, noise):
    x = image_input(case, 'images', (3, 8, 8, 3))
    order = torch.tensor([[(5 * p + 3 * n) % 16 for p in range(16)] for n in range(3)])
    keep, restore = order[:, :4], order.argsort(1)
    hidden = torch.zeros(3, 16).scatter(1, order[:, 4:], 1.0)
    t = tokens(P, 'encoder.', x, keep)
    d = 'decoder.'
    y = linear(P, d + 'decoder_embed', t)
    full = torch.cat([y[:, 1:], P[d + 'mask_token'].expand(3, 12, 8)], 1)
    full = torch.stack([full[n][restore[n]] for n in range(3)])
    y = torch.cat([y[:, :1], full], 1) + P[d + 'decoder_pos_embed']
    y = block(P, d + 'decoder_blocks.0', y, 2)
    y = F.layer_norm(y, (8,), P[d + 'decoder_norm.weight'], P[d + 'decoder_norm.bias'], f32(1e-6))
    y = linear(P, d + 'decoder_pred', y)[:, 1:]
    target = patches(x, 2)
    if case != 'mae_pixels':
        target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + f32(1e-6)).sqrt()
    return (((y - target) ** 2).mean(-1) * hidden).sum() / hidden.sum()


def jepa(case, P, step, noise):
    x = image_input(case, 'images', (3, 8, 8, 3))
    order = torch.tensor([[(5 * p + 3 * n) % 16 for p in range(11)] for n in range(3)])
    context, targets = order[:, :5], order[:, 5:]
    pick = lambda a, at: torch.stack([a[n][at[n]] for n in range(3)])
    with torch.no_grad():
        inner = []
        last = tokens(P, 'target_encoder.', x, inner=inner)
        inner = [last] if case == 'jepa' else inner
        t = sum(F.layer_norm(pick(a[:, 1:], targets), (12,), eps=f32(1e-5)) for a in inner) / len(inner)
    d = 'predictor.predictor_'
    y = linear(P, d + 'embed', tokens(P, 'encoder.', x, context))
    place = P[d + 'pos_embed'].expand(3, 17, 8)[:, 1:]
    y = torch.cat([y[:, :1], y[:, 1:] + pick(place, context)], 1)
    mask = P['predictor.mask_token'] + pick(place, targets)
    out = []
    for b in range(2):
        z = torch.cat([y, mask[:, 3 * b:3 * b + 3]], 1)
        for i in range(2 if case == 'jepa' else 1):
            z = block(P, d + 'blocks.%d' % i, z, 2)
        z = F.layer_norm(z, (8,), P[d + 'norm.weight'], P[d + 'norm.bias'], f32(1e-6))
        out.append(linear(P, d + 'proj', z)[:, -3:])
    y = torch.cat(out, 1)
    variance = t.reshape(-1, 12).var(0, unbiased=False)
    NUMBERS.append(('explained', 1 - F.mse_loss(y, t) / variance.mean()))
    NUMBERS.append(('deviation', variance.sqrt().mean()))
    return F.smooth_l1_loss(y, t)


class Lars(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g['params']:
                d = p.grad
                if d is None:
                    continue
                if p.dim() > 1:
                    d = d + g['decay'] * p
                    pn, gn = p.norm(), d.norm()
                    if pn > 0 and gn > 0:
                        d = d * (f32(0.001) * pn / gn)
                mu = self.state[p].setdefault('mu', torch.zeros_like(p))
                mu.mul_(f32(0.9)).add_(d)
                p.add_(mu, alpha=-g['lr'])


def optimizer(case, P, names, lr):
    ps = [P[n] for n in names]
    decay = [p.dim() > 1 and n not in ('encoder.cls_token', 'encoder.pos_embed') for n, p in zip(names, ps)]
    groups = lambda wd: [{'params': [p], 'weight_decay': wd if d else 0.0} for p, d in zip(ps, decay)]
    if case.startswith('simclr'):
        return Lars(ps, dict(lr=lr, decay=f32(1e-4)))
    if case == 'swav_queue':
        ps = [P[n] for n in names if not n.startswith('prototypes')]
    if case.startswith('simsiam'):
        return torch.optim.SGD(groups(f32(5e-4)), lr=lr, momentum=f32(0.9))
    if case == 'moco_3' or case.startswith(('byol', 'barlow', 'vicreg', 'nnclr', 'swav')):
        return Lars(ps, dict(lr=lr, decay=f32(1e-6)))
    if case == 'moco_3_vit':  # the patch projection rests
        moving = [(p, d) for n, p, d in zip(names, ps, decay) if 'patch_embed.proj' not in n]
        return torch.optim.AdamW([{'params': [p], 'weight_decay': f32(0.1) if d else 0.0} for p, d in moving], lr=lr,
                                 betas=(f32(0.9), f32(0.999)), eps=1.0)
    if case.startswith(('moco', 'supcon')):
        return torch.optim.SGD(groups(f32(1e-4)), lr=lr, momentum=f32(0.9))
    if case in ('rotation', 'fixmatch'):
        return torch.optim.SGD(groups(f32(5e-4)), lr=lr, momentum=f32(0.9), nesterov=True)
    if case.startswith('jigsaw'):
        return torch.optim.SGD(groups(f32(5e-4)), lr=lr, momentum=f32(0.9))
    if case.startswith('context'):
        return torch.optim.SGD(groups(f32(1e-4)), lr=lr, momentum=f32(0.9))
    if case.startswith('inpainting'):  # the discriminator has a tenth of the rate
        judges = [n.startswith('discriminator.') for n in names]
        adam = lambda which, rate: torch.optim.Adam([p for p, j in zip(ps, judges) if j == which], lr=rate,
                                                    betas=(0.5, f32(0.999)), eps=f32(1e-3))
        return [adam(True, lr * f32(0.1)), adam(False, lr)] if any(judges) else [adam(False, lr)]
    if case.startswith('next_frame'):
        return torch.optim.Adam(ps, lr=lr, betas=(0.5, f32(0.999)), eps=f32(1e-3))
    if case.startswith('frame_order'):
        return torch.optim.Adam(groups(f32(1e-4)), lr=lr, betas=(f32(0.9), f32(0.999)), eps=f32(1e-3))
    if case.startswith('gan'):  # the average moves by none
        adam = lambda g: torch.optim.Adam([p for n, p in zip(names, ps) if n.startswith(g)], lr=lr,
                                          betas=(0.5, f32(0.999)), eps=f32(1e-3))
        return [adam(('encoder.', 'head.')), adam('generator.')]
    if case.startswith('sasrec'):
        return torch.optim.Adam(ps, lr=lr, betas=(f32(0.9), f32(0.98)), eps=f32(1e-3))
    if case.startswith('clip'):
        return torch.optim.AdamW(groups(f32(0.2)), lr=lr, betas=(f32(0.9), f32(0.98)), eps=f32(1e-3))
    if case.startswith(('gpt', 'bert', 'electra', 'bart', 'sentence')):
        return torch.optim.AdamW(groups(f32(0.01)), lr=lr, betas=(f32(0.9), f32(0.999)), eps=f32(1e-3))
    if case.startswith('colorization'):
        return torch.optim.AdamW(groups(f32(1e-3)), lr=lr, betas=(f32(0.9), f32(0.999)), eps=f32(1e-3))
    if case.startswith(('autoencoder', 'vae', 'cpc')):
        return torch.optim.Adam(ps, lr=lr, betas=(f32(0.9), f32(0.999)), eps=f32(1e-3))
    if case.startswith('dino'):
        moving = [g for g, n in zip(groups(f32(0.04)), names) if case == 'dino' or not n.startswith('last.')]
        return torch.optim.AdamW(moving, lr=lr, betas=(f32(0.9), f32(0.999)), eps=f32(1e-3))
    if case.startswith('jepa'):
        return torch.optim.AdamW(groups(f32(0.04)), lr=lr, betas=(f32(0.9), f32(0.999)), eps=f32(1e-3))
    return torch.optim.AdamW(groups(f32(0.05)), lr=lr, betas=(f32(0.9), f32(0.95)), eps=f32(1e-3))


LOSS = {'simclr': simclr, 'simclr_plain': simclr, 'rotation': rotation, 'jigsaw': jigsaw, 'jigsaw_4': jigsaw,
        'context': context, 'context_one': context, 'inpainting': inpainting, 'inpainting_middle': inpainting,
        'inpainting_blocks': inpainting, 'next_frame': next_frame, 'next_frame_edges': next_frame,
        'frame_order': frame_order, 'frame_order_arrow': frame_order, 'frame_order_sort': frame_order,
        'autoencoder': autoencoder, 'autoencoder_noisy': autoencoder,
        'autoencoder_tied': autoencoder, 'autoencoder_conv': autoencoder, 'autoencoder_both': autoencoder, **{name: vae for name in VAE},
        'mae': mae, 'mae_pixels': mae,
        'gan': gan, 'gan_minimax': gan, 'gan_hinge': gan, 'gan_wasserstein': gan, 'gan_clip': gan,
        'jepa': jepa, 'jepa_blocks': jepa,
        'cpc': cpc, 'cpc_same': cpc, 'cpc_other': cpc, 'cpc2': cpc2, 'cpc2_same': cpc2,
        'cpc2_other': cpc2, 'cpc2_all': cpc2, 'moco': moco, 'moco_1': moco, 'moco_3': moco, 'moco_3_vit': moco,
        'supcon': supcon, 'supcon_3': supcon, 'fixmatch': fixmatch, 'nnclr': nnclr, 'nnclr_plain': nnclr,
        'byol': byol, 'byol_collapse': byol, 'simsiam': simsiam, 'simsiam_3': simsiam, 'simsiam_plain': simsiam,
        'swav': swav, 'swav_queue': swav, 'dino': dino, 'dino_rest': dino,
        'clip': clip, 'clip_sigmoid': clip, 'gpt': gpt, 'gpt_clip': gpt, 'bert': bert, 'bert_next': bert, 'sasrec': sasrec, 'sasrec_all': sasrec, 'bert4rec': bert4rec,
        'electra': text_task, 'bart': text_task, 'sentence_order': text_task,
        'barlow': barlow, 'vicreg': vicreg, 'vicreg_weights': vicreg, 'colorization': colorization,
        'colorization_l': colorization, 'colorization_both': colorization}


def finish(case, lr, streams, tensors):
    P, names, before = {}, [], {}
    for name, is_param, shape in tensors:
        P[name] = initial(name, is_param, shape)
        before[name] = P[name].clone()
        if is_param:
            P[name].requires_grad_()
            names.append(name)
    opt = optimizer(case, P, names, lr)
    for step in range(2):
        noise = lambda shape: torch.tensor([normal(11, streams[step] + 1, i) for i in range(int(np.prod(shape)))]).reshape(tuple(shape))
        total = 0
        phases = opt if isinstance(opt, list) else [opt]
        for phase, o in enumerate(phases):
            for n in names:
                P[n].grad = None
            args = (phase,) if len(phases) > 1 else ()
            loss = LOSS[case](case, P, step, noise, *args)
            loss.backward()
            if case.startswith(('gpt', 'bert', 'electra', 'bart', 'sentence')):
                torch.nn.utils.clip_grad_norm_([P[n] for n in names if P[n].grad is not None], 5.0 if case == 'bert4rec' else 1.0)
            if case.startswith('dino'):
                torch.nn.utils.clip_grad_norm_([P[n] for n in names if P[n].grad is not None], 3.0)
            o.step()
            total += float(loss)
        while AFTER:
            AFTER.pop()()
        if case.startswith(('moco', 'byol', 'dino', 'jepa')):
            average(P)
        print('    {"%s", "loss%d", 0, %.12g},' % (case, step + 1, total))
        while NUMBERS:
            name, value = NUMBERS.pop(0)
            print('    {"%s", "step%d %s", 0, %.12g},' % (case, step + 1, name, float(value)))
    for name, is_param, shape in tensors:
        d = (P[name].detach() - before[name]).double().reshape(-1)
        w = torch.tensor(draw(seed_of('weight ', name), d.numel()))
        print('    {"%s", "%s", %.12g, %.12g},' % (case, name, float((w * d).abs().sum()), float((w * d).sum())))


print('/* Written by tests/golden/make_methods.py with PyTorch %s in double precision: do not edit. */' % torch.__version__.split('+')[0])
print('typedef struct golden_method { const char *method, *name; double size, sum; } golden_method;')
print('static const golden_method golden_methods[] = {')
case = None
for line in sys.stdin:
    part = line.rstrip('\n').split('|')
    if part[0] == 'case':
        if case:
            finish(*case)
        case = (part[1], f32(float(part[2])), [int(part[3]), int(part[4])], [])
    elif part[0] == 'tensor':
        case[3].append((part[1], part[2] == '1', tuple(int(s) for s in part[3].split(',')) if part[3] else ()))
finish(*case)
print('};')

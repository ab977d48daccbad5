"""Golden values of tests/inside.c and tests/robust.c, from PyTorch: prints inside.h.

    /usr/bin/python3 tests/golden/make_inside.py > new && mv new tests/golden/inside.h

A net of one convolution (2 -> 4 channels, 3 x 3, padded), ReLU, the mean over the places and a linear layer of 3
classes, on 2 images of 5 x 4 x 2. Images and maps are stored with the channels last, convolutions as (O,Kh,Kw,I)."""
import torch

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
conv = torch.nn.Conv2d(2, 4, 3, padding=1)
head = torch.nn.Linear(4, 3)
x = torch.rand(2, 2, 5, 4)
labels = torch.tensor([2, 0])


def score(images, keep=None):
    a = torch.relu(conv(images))
    if keep is not None:
        a.retain_grad()
        keep.append(a)
    return head(a.mean((2, 3)))


def slope(images):
    leaf = images.detach().clone().requires_grad_(True)
    score(leaf).gather(1, labels[:, None]).sum().backward()
    return leaf.grad


def put(name, t):
    v = t.detach().reshape(-1).tolist()
    lines = ["    " + ", ".join("%.9gf" % q if "." in "%.9g" % q or "e" in "%.9g" % q else "%.1ff" % q
                                 for q in v[i:i + 6]) for i in range(0, len(v), 6)]
    print("static const float inside_%s[%d] = {\n%s};" % (name, len(v), ",\n".join(lines)))


def last(t):
    return t.permute(0, 2, 3, 1)


print("/* By tests/golden/make_inside.py. */")
put("conv", last(conv.weight))
put("conv_bias", conv.bias)
put("head", head.weight)
put("head_bias", head.bias)
put("x", last(x))
put("scores", score(x))
put("saliency", last(slope(x)))
steps = 8
path = sum(slope(x * (j + 0.5) / steps) for j in range(steps)) / steps
put("integrated", last(path * x))
kept = []
score(x, kept).gather(1, labels[:, None]).sum().backward()
a = kept[0]
weight = a.grad.mean((2, 3), keepdim=True)
put("grad_cam", last(torch.relu((weight * a).sum(1, keepdim=True))))
# linear CKA of the pixels (40 values) and the scores of 12 images
many = torch.rand(12, 2, 5, 4)
put("many", last(many))
p = many.reshape(12, -1)
q = score(many)
p = p - p.mean(0)
q = q - q.mean(0)
put("cka", torch.linalg.norm(q.T @ p) ** 2 / (torch.linalg.norm(p.T @ p) * torch.linalg.norm(q.T @ q)))


def loss_slope(images):
    leaf = images.detach().clone().requires_grad_(True)
    torch.nn.functional.cross_entropy(score(leaf), labels, reduction="sum").backward()
    return leaf.grad


eps = 0.1
put("fgsm", last((x + eps * loss_slope(x).sign()).clamp(0, 1)))
y = x.clone()
for _ in range(6):
    y = y + eps / 4 * loss_slope(y).sign()
    y = torch.min(torch.max(y, x - eps), x + eps).clamp(0, 1)
put("pgd", last(y))
y = x.clone()
for _ in range(6):
    g = loss_slope(y)
    y = y + 0.5 / 4 * g / g.reshape(2, -1).norm(dim=1)[:, None, None, None]
    d = y - x
    d = d * (0.5 / d.reshape(2, -1).norm(dim=1)).clamp(max=1)[:, None, None, None]
    y = (x + d).clamp(0, 1)
put("pgd_l2", last(y))

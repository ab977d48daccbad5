"""Weights go to PyTorch and come back: torchvision's ResNet-18, ResNet-50 and ConvNeXt and a ViT with timm's names
load our files strictly and compute the same, and ours load theirs. Run from the top of the repository with a Python that has torch and torchvision:

    make tools && python3 tests/golden/check_weights.py build/tools/weights_tool

The last line is "N passed, N failed"."""
import json, os, struct, subprocess, sys, tempfile, zlib
import numpy as np, torch, torchvision
from torch import nn

DTYPES = {"F32": np.float32, "I64": np.int64, "I32": np.int32, "U8": np.uint8}

def load(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head, data, out = json.loads(raw[8:8 + n]), raw[8 + n:], {}
    meta = head.pop("__metadata__", {})
    for name, t in head.items():
        a, b = t["data_offsets"]
        assert meta.get("crc32." + name, "%08x" % zlib.crc32(data[a:b])) == "%08x" % zlib.crc32(data[a:b]), name
        out[name] = torch.from_numpy(np.frombuffer(data[a:b], DTYPES[t["dtype"]]).reshape(t["shape"]).copy())
    if "sslh.crc32" in meta:                  # of the whole file, its own digits as zeros
        at = raw.index(b'"sslh.crc32":"') + 14
        assert meta["sslh.crc32"] == "%08x" % zlib.crc32(raw[:at] + b"00000000" + raw[at + 8:])
    assert (8 + n) % 8 == 0 and max(t["data_offsets"][1] for t in head.values()) == len(data)
    return out, meta

def save(path, tensors):
    head, data = {}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy()
        dtype = {np.dtype(v): k for k, v in DTYPES.items()}[raw.dtype]
        head[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [len(data), len(data) + raw.nbytes]}
        data += raw.tobytes()
    text = json.dumps(head).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)

class Block(nn.Module):                       # timm's names, its arithmetic written out
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.attn.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5).softmax(-1)
        x = x + self.attn.proj((a @ v).transpose(1, 2).reshape(n, t, d))
        return x + self.mlp.fc2(nn.functional.gelu(self.mlp.fc1(self.norm2(x))))

class ViT(nn.Module):
    def __init__(self, image=16, patch=4, d=24, depth=3, heads=3):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, d))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + (image // patch) ** 2, d))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, d, patch, patch)
        self.blocks = nn.Sequential(*[Block(d, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(d, eps=1e-6)
    def forward(self, x):
        x = self.patch_embed.proj(x)
        position, d, grid = self.pos_embed, x.shape[1], int((self.pos_embed.shape[1] - 1) ** 0.5)
        if x.shape[2:] != (grid, grid):       # as DINO's interpolate_pos_encoding
            p = position[:, 1:].reshape(1, grid, grid, d).permute(0, 3, 1, 2)
            p = nn.functional.interpolate(p, size=x.shape[2:], mode="bicubic")
            position = torch.cat([position[:, :1], p.flatten(2).transpose(1, 2)], 1)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + position
        return self.norm(self.blocks(x))

def sincos(d, grid):                          # models_mae.py
    def one(d, pos):
        w = 1.0 / 10000 ** (np.arange(d // 2, dtype=np.float64) / (d / 2.0))
        out = np.einsum("m,d->md", pos.reshape(-1), w)
        return np.concatenate([np.sin(out), np.cos(out)], 1)
    g = np.stack(np.meshgrid(np.arange(grid, dtype=np.float32), np.arange(grid, dtype=np.float32)))
    return np.concatenate([np.zeros([1, d]), np.concatenate([one(d // 2, g[0]), one(d // 2, g[1])], 1)])

def torch_net(name):
    if name.startswith("vit"):
        return ViT()
    if name == "convnext":
        net = torchvision.models.convnext_tiny()
        net.classifier[2] = nn.Identity()
        for p in net.parameters():            # 1e-6 would hide what a block computes
            if p.dim() == 3: nn.init.normal_(p, 0.3, 0.1)
        return net
    net = torchvision.models.resnet50() if name == "resnet50" else torchvision.models.resnet18()
    net.fc = nn.Identity()
    if name == "resnet18small":               # the stem for small images (SimCLR's CIFAR version)
        net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return net

results = []
def check(what, ok, detail=""):
    results.append(bool(ok))
    print(("ok   " if ok else "FAIL ") + what, detail)

def compare(what, net, x, y):
    with torch.no_grad():
        z = net.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    error = np.abs(z - y).max() / np.abs(z).max()
    check(what, z.shape == y.shape and error < 2e-5, "largest difference / largest value %.2g" % error)

tool = os.path.abspath(sys.argv[1])
torch.manual_seed(0)
with tempfile.TemporaryDirectory() as d:
    p = lambda name: os.path.join(d, name)
    for name in ["resnet18", "resnet18small", "resnet50", "convnext", "vit", "vitfixed", "vitany"]:
        run = lambda how, w: subprocess.run([tool, how, name, p(w), p("x.npy"), p("y.npy")], check=True, capture_output=True, text=True).stdout
        run("export", "a.safetensors")
        weights, meta = load(p("a.safetensors"))
        check(name + ": format pt, architecture, checksums", meta["format"] == "pt" and "sslh.arch" in meta and "sslh.crc32" in meta)
        net = torch_net(name)
        keys = net.load_state_dict(weights, strict=True)
        check(name + ": strict load in PyTorch", not keys.missing_keys and not keys.unexpected_keys)
        compare(name + ": the same output in PyTorch", net, np.load(p("x.npy")), np.load(p("y.npy")))
        if name == "vitfixed":
            e = np.abs(weights["pos_embed"][0].numpy() - sincos(24, 4)).max()
            check(name + ": sine-cosine positions of MAE", e < 1e-6, "%.2g" % e)
        other = torch_net(name)
        if name == "resnet18":
            other.fc = nn.Linear(512, 1000)   # torchvision's own file: 122 tensors
            other.train()(torch.randn(4, 3, 64, 64))
        save(p("b.safetensors"), other.state_dict())
        report = run("import", "b.safetensors")
        count = len(other.state_dict()) - (2 if name == "resnet18" else 0)
        check(name + ": loads PyTorch's file", "matched %d\nmissing 0\n" % count in report, report.replace("\n", "; "))
        if name == "resnet18":
            other.fc = nn.Identity()
        compare(name + ": the same output here", other, np.load(p("x.npy")), np.load(p("y.npy")))
print("%d passed, %d failed" % (sum(results), len(results) - sum(results)))
sys.exit(not all(results))

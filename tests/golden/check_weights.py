"""Weights go to PyTorch and come back: torchvision's ResNet-18, ResNet-50 and ConvNeXt, a ViT with timm's names and
transformers of text with the names of GPT-2, BERT (Hugging Face) and CLIP (OpenAI) load our files strictly and compute
the same, and ours load theirs, from safetensors and from what torch.save writes; so do both encoders of CLIP together,
whose files may have Hugging Face's names. NumPy reads our .npz

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

def attend(q, k, v, heads, causal, padding):
    n, t, d = q.shape
    split = lambda x: x.reshape(n, t, heads, d // heads).transpose(1, 2)
    s = split(q) @ split(k).transpose(-1, -2) / (d // heads) ** 0.5
    hidden = padding[:, None, None, :]
    if causal:
        hidden = hidden | torch.ones(t, t).triu(1).bool()
    return (s.masked_fill(hidden, -1e30).softmax(-1) @ split(v)).transpose(1, 2).reshape(n, t, d)

class Conv1D(nn.Module):                      # GPT-2's: the weight is (in,out)
    def __init__(self, out, inner):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(inner, out) * 0.2), nn.Parameter(torch.randn(out) * 0.1)
    def forward(self, x):
        return x @ self.weight + self.bias

def named(**parts):                           # a module of modules
    m = nn.Module()
    for k, v in parts.items():
        setattr(m, k, v)
    return m

class GPT2(nn.Module):
    def __init__(self, V=50, T=12, d=24, depth=3):
        super().__init__()
        self.wte, self.wpe, self.ln_f = nn.Embedding(V, d), nn.Embedding(T, d), nn.LayerNorm(d)
        self.h = nn.ModuleList(named(
            ln_1=nn.LayerNorm(d), attn=named(c_attn=Conv1D(3 * d, d), c_proj=Conv1D(d, d)), ln_2=nn.LayerNorm(d),
            mlp=named(c_fc=Conv1D(4 * d, d), c_proj=Conv1D(d, 4 * d))) for _ in range(depth))
    def forward(self, x, padding, segments):
        x = self.wte(x) + self.wpe.weight[:x.shape[1]]
        for b in self.h:
            x = x + b.attn.c_proj(attend(*b.attn.c_attn(b.ln_1(x)).chunk(3, -1), 3, True, padding))
            x = x + b.mlp.c_proj(nn.functional.gelu(b.mlp.c_fc(b.ln_2(x)), approximate="tanh"))
        return self.ln_f(x)

class CLIPText(nn.Module):
    def __init__(self, V=50, T=12, d=24, depth=3):
        super().__init__()
        self.token_embedding, self.positional_embedding = nn.Embedding(V, d), nn.Parameter(torch.randn(T, d))
        self.transformer = named(resblocks=nn.ModuleList(named(
            attn=nn.MultiheadAttention(d, 3, batch_first=True), ln_1=nn.LayerNorm(d), ln_2=nn.LayerNorm(d),
            mlp=named(c_fc=nn.Linear(d, 4 * d), c_proj=nn.Linear(4 * d, d))) for _ in range(depth)))
        self.ln_final = nn.LayerNorm(d)
    def forward(self, x, padding, segments):
        x = self.token_embedding(x) + self.positional_embedding[:x.shape[1]]
        causal = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
        for b in self.transformer.resblocks:
            y = b.ln_1(x)
            x = x + b.attn(y, y, y, attn_mask=causal, key_padding_mask=padding, need_weights=False)[0]
            y = b.mlp.c_fc(b.ln_2(x))
            x = x + b.mlp.c_proj(y * torch.sigmoid(1.702 * y))
        return self.ln_final(x)

class Visual(nn.Module):                      # OpenAI's VisionTransformer
    def __init__(self, image=16, patch=4, d=24, depth=3, out=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, d, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(d))
        self.positional_embedding = nn.Parameter(torch.randn(1 + (image // patch) ** 2, d))
        self.ln_pre, self.ln_post = nn.LayerNorm(d), nn.LayerNorm(d)
        self.transformer = CLIPText(d=d, depth=depth).transformer
        self.proj = nn.Parameter(torch.randn(d, out))
    def forward(self, x):
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        x = self.ln_pre(x)
        for b in self.transformer.resblocks:
            y = b.ln_1(x)
            x = x + b.attn(y, y, y, need_weights=False)[0]
            y = b.mlp.c_fc(b.ln_2(x))
            x = x + b.mlp.c_proj(y * torch.sigmoid(1.702 * y))
        return self.ln_post(x[:, 0]) @ self.proj

class CLIP(CLIPText):                         # embeddings of 2 images and of 2 texts of 9 and 6 tokens with their ends
    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.text_projection = nn.Parameter(torch.randn(24, 10))
        self.logit_scale = nn.Parameter(torch.tensor(2.5))
    def forward(self, x, tokens):
        padding = torch.zeros(2, tokens.shape[1]).bool()
        t = CLIPText.forward(self, tokens, padding, None)[torch.arange(2), tokens.argmax(1)] @ self.text_projection
        unit = lambda v: v / v.norm(dim=1, keepdim=True)
        return torch.cat([unit(self.visual(x)), unit(t)])

class HFAttention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = [nn.Linear(d, d) for _ in range(4)]
    def forward(self, x, causal):
        padding = torch.zeros(x.shape[:2]).bool()
        return self.out_proj(attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), 3, causal, padding))

def hf_encoder(d, depth):
    return named(layers=nn.ModuleList(named(
        self_attn=HFAttention(d), layer_norm1=nn.LayerNorm(d), layer_norm2=nn.LayerNorm(d),
        mlp=named(fc1=nn.Linear(d, 4 * d), fc2=nn.Linear(4 * d, d))) for _ in range(depth)))

def hf_run(encoder, x, causal):
    for b in encoder.layers:
        x = x + b.self_attn(b.layer_norm1(x), causal)
        y = b.mlp.fc1(b.layer_norm2(x))
        x = x + b.mlp.fc2(y * torch.sigmoid(1.702 * y))
    return x

class HFCLIP(nn.Module):                      # Hugging Face's CLIPModel
    def __init__(self, V=50, T=12, d=24, depth=3, out=10):
        super().__init__()
        self.text_model = named(
            embeddings=named(token_embedding=nn.Embedding(V, d), position_embedding=nn.Embedding(T, d)),
            encoder=hf_encoder(d, depth), final_layer_norm=nn.LayerNorm(d))
        e = named(patch_embedding=nn.Conv2d(3, d, 4, 4, bias=False), position_embedding=nn.Embedding(17, d))
        e.class_embedding = nn.Parameter(torch.randn(d))
        self.vision_model = named(embeddings=e, pre_layrnorm=nn.LayerNorm(d), encoder=hf_encoder(d, depth),
                                  post_layernorm=nn.LayerNorm(d))
        self.visual_projection, self.text_projection = nn.Linear(d, out, bias=False), nn.Linear(d, out, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.5))
    def forward(self, x, tokens):
        e, t = self.vision_model.embeddings, self.text_model.embeddings
        x = e.patch_embedding(x).flatten(2).transpose(1, 2)
        x = torch.cat([e.class_embedding.expand(len(x), 1, -1), x], 1) + e.position_embedding.weight
        x = hf_run(self.vision_model.encoder, self.vision_model.pre_layrnorm(x), False)
        x = self.visual_projection(self.vision_model.post_layernorm(x[:, 0]))
        y = t.token_embedding(tokens) + t.position_embedding.weight[:tokens.shape[1]]
        y = self.text_model.final_layer_norm(hf_run(self.text_model.encoder, y, True))
        y = self.text_projection(y[torch.arange(2), tokens.argmax(1)])
        return torch.cat([x / x.norm(dim=1, keepdim=True), y / y.norm(dim=1, keepdim=True)])

class BERT(nn.Module):
    def __init__(self, V=50, T=12, d=24, depth=3):
        super().__init__()
        norm = lambda: nn.LayerNorm(d, eps=1e-12)
        self.embeddings = named(word_embeddings=nn.Embedding(V, d), position_embeddings=nn.Embedding(T, d),
                                token_type_embeddings=nn.Embedding(2, d), LayerNorm=norm())
        self.encoder = named(layer=nn.ModuleList(named(
            attention=named(self=named(query=nn.Linear(d, d), key=nn.Linear(d, d), value=nn.Linear(d, d)),
                            output=named(dense=nn.Linear(d, d), LayerNorm=norm())),
            intermediate=named(dense=nn.Linear(d, 4 * d)),
            output=named(dense=nn.Linear(4 * d, d), LayerNorm=norm())) for _ in range(depth)))
        self.pooler = named(dense=nn.Linear(d, d))
    def forward(self, x, padding, segments):
        e = self.embeddings
        x = e.word_embeddings(x) + e.token_type_embeddings(segments) + e.position_embeddings.weight[:x.shape[1]]
        x = e.LayerNorm(x)
        for b in self.encoder.layer:
            a = getattr(b.attention, "self")
            y = attend(a.query(x), a.key(x), a.value(x), 3, False, padding)
            x = b.attention.output.LayerNorm(b.attention.output.dense(y) + x)
            x = b.output.LayerNorm(b.output.dense(nn.functional.gelu(b.intermediate.dense(x))) + x)
        return x

BOTH = {"clip_both": CLIP, "clip_hf": HFCLIP}
TEXT = {"gpt2": GPT2, "bert": BERT, "clip": CLIPText}
def shake(net):                               # norms and biases that a mistake would show
    for p in net.parameters():
        nn.init.normal_(p, 1.0 if p.dim() == 1 else 0.0, 0.2)
    return net

def sincos(d, grid):                          # models_mae.py
    def one(d, pos):
        w = 1.0 / 10000 ** (np.arange(d // 2, dtype=np.float64) / (d / 2.0))
        out = np.einsum("m,d->md", pos.reshape(-1), w)
        return np.concatenate([np.sin(out), np.cos(out)], 1)
    g = np.stack(np.meshgrid(np.arange(grid, dtype=np.float32), np.arange(grid, dtype=np.float32)))
    return np.concatenate([np.zeros([1, d]), np.concatenate([one(d // 2, g[0]), one(d // 2, g[1])], 1)])

def torch_net(name):
    if name in TEXT or name in BOTH:
        return shake({**TEXT, **BOTH}[name]())
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
    padding, segments = torch.zeros(2, 9).bool(), (torch.arange(9) > 3).long().expand(2, 9)
    padding[1, 6:] = True
    with torch.no_grad():
        if isinstance(net, (CLIP, HFCLIP)):
            tokens = torch.zeros(2, 11).long()
            for n, length in ((0, 9), (1, 6)):
                tokens[n, 1:1 + length] = (torch.arange(length) + n * 9) * 17 % 48
                tokens[n, 0], tokens[n, 1 + length] = 48, 49
            z = net.eval()(torch.from_numpy(x).permute(0, 3, 1, 2), tokens).numpy()
        elif x.ndim == 2:                     # tokens; what stands in the place of padding means nothing
            z, y = net.eval()(torch.from_numpy(x).long(), padding, segments).numpy(), y.copy()
            z[1, 6:] = y[1, 6:] = 0
        else: z = net.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    error = np.abs(z - y).max() / np.abs(z).max()
    check(what, z.shape == y.shape and error < 2e-5, "largest difference / largest value %.2g" % error)

tool = os.path.abspath(sys.argv[1])
torch.manual_seed(0)
with tempfile.TemporaryDirectory() as d:
    p = lambda name: os.path.join(d, name)
    for name in ["resnet18", "resnet18small", "resnet50", "convnext", "vit", "vitfixed", "vitany", *TEXT, *BOTH]:
        run = lambda how, w: subprocess.run([tool, how, name, p(w), p("x.npy"), p("y.npy")], check=True,
                                            capture_output=True, text=True).stdout
        run("export", "a.safetensors")
        weights, meta = load(p("a.safetensors"))
        arch = name in BOTH or "sslh.arch" in meta
        check(name + ": format pt, architecture, checksums", meta["format"] == "pt" and arch and "sslh.crc32" in meta)
        if name != "clip_hf":                 # we write OpenAI's names only
            net = torch_net(name)
            keys = net.load_state_dict(weights, strict=True)
            check(name + ": strict load in PyTorch", not keys.missing_keys and not keys.unexpected_keys)
            compare(name + ": the same output in PyTorch", net, np.load(p("x.npy")), np.load(p("y.npy")))
        if name not in BOTH:
            arrays = np.load(p("a.safetensors.npz"))
            check(name + ": the same in .npz", set(arrays) == set(weights) and
                  all(a.dtype == weights[k].numpy().dtype and np.array_equal(a, weights[k].numpy())
                      for k, a in arrays.items()))
        if name == "vitfixed":
            e = np.abs(weights["pos_embed"][0].numpy() - sincos(24, 4)).max()
            check(name + ": sine-cosine positions of MAE", e < 1e-6, "%.2g" % e)
        other = torch_net(name)
        if name == "resnet18":
            other.fc = nn.Linear(512, 1000)   # torchvision's own file: 122 tensors
            other.train()(torch.randn(4, 3, 64, 64))
        state = other.state_dict()
        if name == "gpt2":                    # masks that old files hold
            state["h.0.attn.bias"] = torch.ones(1, 1, 12, 12).byte()
        if name == "bert":                    # and old names
            state = {k.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): v
                     for k, v in state.items()}
            state["embeddings.position_ids"] = torch.arange(12)[None]
        if name == "clip_hf":
            state["text_model.embeddings.position_ids"] = torch.arange(12)[None]
        save(p("b.safetensors"), state)
        report = run("import", "b.safetensors")
        if name not in BOTH:                  # sslh_clip_load insists on all tensors, and reports nothing
            count = len(other.state_dict()) - (2 if name == "resnet18" else 0)
            check(name + ": loads PyTorch's file", "matched %d\nmissing 0\n" % count in report,
                  report.replace("\n", "; "))
        first = np.load(p("y.npy"))
        torch.save(state, p("b.pth"))
        torch.save({"epoch": 7, "state_dict": state}, p("c.pth"), _use_new_zipfile_serialization=False)
        for file in ("b.pth", "c.pth"):
            check(name + ": the same from " + file, run("import", file) == report and
                  np.array_equal(first, np.load(p("y.npy"))))
        if name == "resnet18":
            other.fc = nn.Identity()
        compare(name + ": the same output here", other, np.load(p("x.npy")), np.load(p("y.npy")))
print("%d passed, %d failed" % (sum(results), len(results) - sum(results)))
sys.exit(not all(results))

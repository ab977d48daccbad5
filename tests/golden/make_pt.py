"""Files of weights as torch.save writes them, for tests/weights.c and tests/fuzz_files.c: tests/golden/pt/*.pt. Run
from the top of the repository with a Python that has torch:

    python3 tests/golden/make_pt.py

Value number i (row by row) of tensor number k is (7 i + 5 k) mod 31 - 9, which every type holds."""
import argparse, collections, os
import numpy as np, torch

FOLDER = "tests/golden/pt/"

def tensor(k, *shape, dtype=torch.float32):
    n = int(np.prod(shape))
    return ((torch.arange(n) * 7 + 5 * k) % 31 - 9).reshape(shape).to(dtype)

def weights():
    names = [("c.weight", (3, 2, 3, 3)), ("c.bias", (3,)), ("b.weight", (3,)), ("b.bias", (3,)),
             ("b.running_mean", (3,)), ("b.running_var", (3,)), ("f.weight", (5, 4)), ("f.bias", (5,))]
    d = collections.OrderedDict((name, tensor(k, *shape)) for k, (name, shape) in enumerate(names))
    d["b.num_batches_tracked"] = torch.tensor(8)
    return d

def save(name, x, **how):
    torch.save(x, FOLDER + name, **how)
    print(name, os.path.getsize(FOLDER + name))

save("plain.pt", weights())
save("old.pt", weights(), _use_new_zipfile_serialization=False)
save("protocol4.pt", weights(), pickle_protocol=4)
# a whole run: the weights beside settings, an optimiser and numbers
model = torch.nn.Linear(2, 2)
adam = torch.optim.Adam(model.parameters())
model(torch.ones(1, 2)).sum().backward()
adam.step()
save("run.pt", {"epoch": 3, "arch": "small", "best_acc1": torch.tensor(0.5), "best": np.float64(0.25),
                "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.999), big=2 ** 70, names=["a", "b"], nothing=None),
                "state_dict": weights(), "optimizer": adam.state_dict(), "teacher": {"w": tensor(1, 2, 3)}})
# views: other strides, an offset, one storage for several, one element for many; and a parameter
base = tensor(0, 6, 4)
save("views.pt", {"transposed": base.t(), "rows": base[2:4], "every_other": base[::2, 1::2], "again": base,
                  "repeated": tensor(1, 3, 1).expand(3, 4), "scalar": base[1, 1], "empty": torch.zeros(0, 3),
                  "parameter": torch.nn.Parameter(tensor(2, 2, 2)),
                  "tied": {"deep": {"er": base}}})
save("types.pt", {str(t).split(".")[1]: tensor(3, 2, 3, dtype=t) for t in
                  (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int16, torch.int32,
                   torch.int64)} | {"uint8": tensor(3, 2, 3).abs().to(torch.uint8), "bool": tensor(3, 2, 3) > 0})
# what Python would run when it reads this file; here it is refused by its name
class Trap:
    def __reduce__(self):
        return os.system, ("echo this must not run",)
save("trap.pt", {"w": tensor(0, 2), "x": Trap()})

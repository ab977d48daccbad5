"""Nets that sslh_export_onnx writes are valid ONNX and compute what sslh_forward computes, for 1 and for 5 samples. Run
from the top of the repository:

    make tools && python3 tests/golden/check_onnx.py build/tools/onnx_tool [NODE_MODULES]

Validity by the package onnx (Debian: python3-onnx), values by the package onnxruntime or by npm's onnxruntime-node in
the folder NODE_MODULES; what is missing is skipped by name. The last line is "N passed, N failed"."""
import json, os, subprocess, sys, tempfile
import numpy as np

def optional(name):
    try:
        return __import__(name)
    except ImportError:
        return None

onnx, ort = optional("onnx"), optional("onnxruntime")
tool, modules = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SSLH_NODE_MODULES", "")
node = None
if not ort and os.path.isdir(os.path.join(modules, "onnxruntime-node")):
    node = subprocess.Popen(["node", os.path.join(os.path.dirname(__file__), "check_onnx.mjs"), modules],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
if not onnx:
    print("skipped onnx.checker: the Python package onnx is not installed")
if not ort and not node:
    print("note: values need onnxruntime, or SSLH_NODE_MODULES, a folder with onnxruntime-node")

def run(model, x, tokens):
    if ort:
        session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        return session.run(None, {"input": x.astype(np.int64) if tokens else x})[0]
    node.stdin.write(json.dumps({"model": model, "dims": x.shape, "data": x.ravel().tolist(), "tokens": tokens}) + "\n")
    node.stdin.flush()
    out = json.loads(node.stdout.readline())
    return np.array(out["data"], np.float32).reshape(out["dims"])

passed = failed = 0
worst = 0.0
names = subprocess.run([tool, "names"], check=True, capture_output=True, text=True).stdout.split()
with tempfile.TemporaryDirectory() as folder:
    model, x_file, y_file = (os.path.join(folder, f) for f in ("net.onnx", "x.npy", "y.npy"))
    for name in names:
        why = []
        for samples in (1, 5):
            done = subprocess.run([tool, name, str(samples), model, x_file, y_file], capture_output=True, text=True)
            if done.returncode:
                why.append(done.stderr.strip())
                break
            x, y = np.load(x_file), np.load(y_file)
            tokens = name in ("gpt2", "bert", "clip", "sasrec")
            try:
                if onnx and samples == 1:
                    graph = onnx.load(model)
                    onnx.checker.check_model(graph, full_check=True)
                    sizes = [d.dim_param or d.dim_value for d in graph.graph.output[0].type.tensor_type.shape.dim]
                    if sizes != ["batch"] + list(y.shape[1:]):
                        why.append("output %s instead of %s" % (sizes, y.shape))
                if ort or node:
                    out = run(model, x, tokens)
                    error = float(np.abs(out - y).max() / max(1, np.abs(y).max())) if out.shape == y.shape else np.inf
                    worst = max(worst, error)
                    if not error <= 1e-5:
                        why.append("%d samples: largest difference %.2g, shapes %s %s" %
                                   (samples, error, out.shape, y.shape))
            except Exception as problem:                       # a graph that is refused
                why.append(str(problem)[:600])
                break
        passed, failed = passed + (not why), failed + bool(why)
        if why:
            print("FAILED %s: %s" % (name, "; ".join(why)))
if ort or node:
    print("note: largest difference from ONNX Runtime, relative to the largest value: %.2g" % worst)
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)

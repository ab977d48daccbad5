// Runs an ONNX graph by npm's onnxruntime-node, for tests/golden/check_onnx.py:
//
//     node check_onnx.mjs NODE_MODULES
//
// reads lines of JSON, {model, dims, data, tokens}, and writes {dims, data} for each.
import path from 'path';
import readline from 'readline';
import { createRequire } from 'module';

const ort = createRequire(path.resolve(process.argv[2], 'x.js'))('onnxruntime-node');
for await (const line of readline.createInterface({ input: process.stdin })) {
    const { model, dims, data, tokens } = JSON.parse(line);
    const session = await ort.InferenceSession.create(model);
    const input = tokens ? new ort.Tensor('int64', BigInt64Array.from(data, (v) => BigInt(v)), dims)
                         : new ort.Tensor('float32', Float32Array.from(data), dims);
    const { output } = await session.run({ input });
    process.stdout.write(JSON.stringify({ dims: output.dims, data: Array.from(output.data) }) + '\n');
}

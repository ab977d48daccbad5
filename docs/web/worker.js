// Trains in the background, so that the page stays alive: web.c, compiled to WebAssembly, in pieces of half a second,
// between which the page's messages are read.
import {Files} from "./files.js";

const files = new Files();
let program, loading, running = false, finished = true, method = "";

async function load() {
    const names = (await (await fetch("data/files.txt")).text()).trim().split("\n");
    await Promise.all(names.map(async name => {
        const answer = await fetch("data/" + name);
        if (!answer.ok) throw new Error(`data/${name}: ${answer.status} ${answer.statusText}`);
        files.put("data/" + name, new Uint8Array(await answer.arrayBuffer()));
    }));
    const module = await WebAssembly.compileStreaming(fetch("web.wasm"));
    program = (await WebAssembly.instantiate(module, files.imports())).exports;
    files.memory = program.memory;
    program._initialize();
}

// Loads once, whatever messages come in meanwhile; after a failure the next start tries again.
function loaded() {
    loading ??= load().catch(error => {
        loading = undefined;
        throw error;
    });
    return loading;
}

const text = () => new Uint8Array(program.memory.buffer, program.web_text(), 4096);
function write(s) {
    const bytes = new TextEncoder().encode(s);
    if (bytes.length > 4000) throw new Error("the settings are too long");
    text().fill(0).set(bytes);
}
function check(result) {
    if (result < 0) throw new Error(new TextDecoder().decode(text().slice(0, text().indexOf(0))));
    return result;
}

function pictures() {
    check(program.web_draw());
    for (const name of method === "vae" ? ["rebuilt", "samples", "map"] : ["filters", "map"])
        postMessage({say: "picture", name, bytes: files.get(`out/${name}.png`)});
}
function judge() {
    postMessage({say: "judged", step: program.web_done(), share: check(program.web_judge())});
    pictures();
}

async function train() {
    const perJudgement = 15000; // milliseconds
    let steps = 1, judged = performance.now();
    while (running && !finished) {
        const from = program.web_done(), began = performance.now();
        const all = check(program.web_train(steps)), done = program.web_done();
        const took = performance.now() - began;
        const losses = new Float32Array(program.memory.buffer, program.web_losses(), done - from).slice();
        finished = done >= all;
        postMessage({say: "trained", from, losses, all, milliseconds: took});
        steps = Math.max(1, Math.round(500 * (done - from) / took));
        if (finished || performance.now() - judged > perJudgement) {
            judge();
            judged = performance.now();
        }
        await new Promise(resolve => setTimeout(resolve)); // lets a message in
    }
    running = false;
    postMessage({say: finished ? "finished" : "stopped"});
}

async function hear(m) {
    if (m.do === "start") {
        running = true; // a stop that comes while the program is loaded ends the run before its first step
        await loaded();
        method = m.method;
        write(`${m.method} ${m.settings}`);
        check(program.web_start(m.images, m.epochs, m.seed));
        finished = false;
        if (method !== "vae") {
            check(program.web_views(method === "simclr" ? m.crop : 0));
            postMessage({say: "picture", name: "views", bytes: files.get("out/views.png")});
        }
        judge(); // the untrained encoder
        await train();
    } else if (m.do === "stop") running = false;
    else if (m.do === "continue" && !running && !finished) {
        running = true;
        await train();
    } else if (m.do === "save") {
        check(program.web_save());
        postMessage({say: "saved", bytes: files.get("out/encoder.safetensors")});
    }
}
onmessage = e => hear(e.data).catch(error => {
    running = false;
    finished = true;
    postMessage({say: "error", text: error.message});
});

// Drives the page of docs/web in a headless Chromium and compares what it learns with the native program:
//
//     node tests/web.mjs build/web build/web/native          needs `make web build/web/native`
//
// The last line is "N passed, N failed".
import {execFileSync, spawn} from "child_process";
import {createServer} from "http";
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from "fs";
import {tmpdir} from "os";
import path from "path";

const [folder, native] = process.argv.slice(2);
let passed = 0, failed = 0;
function check(name, ok, why = "") {
    if (ok) passed++;
    else failed++;
    if (!ok) console.log(`FAILED ${name} ${why}`);
}
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

// --- static files ---
const types = {".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm"};
const server = createServer((ask, answer) => {
    const name = path.normalize(new URL(ask.url, "http://x").pathname).replace(/\/$/, "/index.html");
    try {
        const bytes = readFileSync(path.join(folder, name));
        answer.writeHead(200, {"content-type": types[path.extname(name)] || "application/octet-stream"}).end(bytes);
    } catch {
        answer.writeHead(404).end();
    }
});
await new Promise(resolve => server.listen(0, "127.0.0.1", resolve));

// --- the browser, by its debugging pipe: JSON, ended by a zero byte ---
const scratch = mkdtempSync(path.join(tmpdir(), "ssl-web-"));
const browser = spawn("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
    `--user-data-dir=${scratch}`, "about:blank"], {stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]});
let over = false;
browser.on("exit", code => {
    if (over) return;
    console.log(`FAILED the browser ended with code ${code}\n${passed} passed, ${failed + 1} failed`);
    process.exit(1);
});
const waiting = new Map();
let said = "", last = 0;
browser.stdio[4].on("data", bytes => {
    said += bytes.toString();
    const messages = said.split("\0");
    said = messages.pop();
    for (const m of messages.map(m => JSON.parse(m))) if (waiting.has(m.id)) waiting.get(m.id)(m);
});
function command(method, params = {}, sessionId) {
    browser.stdio[3].write(JSON.stringify({id: ++last, method, params, sessionId}) + "\0");
    return new Promise((resolve, reject) => waiting.set(last, m =>
        m.error ? reject(new Error(`${method}: ${m.error.message}`)) : resolve(m.result)));
}
const {targetId} = await command("Target.createTarget", {url: `http://127.0.0.1:${server.address().port}/`});
const {sessionId} = await command("Target.attachToTarget", {targetId, flatten: true});
async function page(expression) {
    const r = await command("Runtime.evaluate", {expression, awaitPromise: true, returnByValue: true}, sessionId);
    if (r.exceptionDetails) throw new Error(r.exceptionDetails.exception?.description || r.exceptionDetails.text);
    return r.result.value;
}
async function until(expression, seconds, name) {
    for (let i = 0; i < 10 * seconds; i++) {
        if (await page(expression).catch(() => false)) return true;
        await sleep(100);
    }
    check(name, false, `after ${seconds} s: ${await page("document.body.innerText")}`);
    return false;
}
const press = name => page(`document.getElementById("form").elements[${JSON.stringify(name)}].click()`);
const fill = values => page(`for (const [k, v] of Object.entries(${JSON.stringify(values)})) {
    const f = document.getElementById("form").elements[k]; f.value = v; f.dispatchEvent(new Event("change")); }`);
const state = name => `document.body.dataset.state === "${name}"`;

// --- each method: the same numbers, the same file ---
const runs = [
    ["simclr", "batch=64 temperature=0.5 views=simclr:0.2", {temperature: 0.5, crop: 0.2}, ["views", "filters", "map"]],
    ["rotation", "batch=64", {}, ["views", "filters", "map"]],
    ["vae", "batch=64 latent=8 beta=0.5", {latent: 8, beta: 0.5}, ["rebuilt", "samples", "map"]],
];
try {
    await until(state("ready"), 60, "the page is there");
    for (const [method, settings, fields, pictures] of runs) {
        await fill({method, images: 512, epochs: 2, batch: 64, seed: 3, ...fields});
        await press("start");
        if (method === "simclr") { // interrupted twice: the pieces of a run do not change it
            await press("stop"); // while the program and the images are loaded
            await until(state("stopped"), 60, "stops before the first step");
            check("no step after that stop", await page("window.losses.length === 0"));
            await press("continue");
            await until("window.losses && window.losses.length > 0", 120, "the first step");
            await press("stop");
            await until(`${state("stopped")} || ${state("finished")}`, 60, "stops");
            if (await page(state("stopped"))) await press("continue");
        }
        if (!await until(state("finished"), 300, `${method} finishes`)) continue;
        const out = execFileSync(native, ["examples/data", scratch, `${method} ${settings}`, "512", "2", "3", "16"],
                                 {encoding: "utf8"}).trim().split("\n").map(Number);
        const share = Math.fround(out.pop()), losses = await page("window.losses");
        check(`${method}: 16 steps`, losses.length === 16 && out.length === 16, `${losses.length} ${out.length}`);
        check(`${method}: the losses of the native program`, out.every((v, i) => Math.fround(v) === losses[i]),
              `${losses} and ${out}`);
        const judged = await page("window.judged");
        check(`${method}: its neighbours`, Math.abs(judged.at(-1)[1] - 100 * share) < 1e-9,
              `${judged.at(-1)[1]} ${100 * share}`);
        check(`${method}: judged before and after`, judged.length >= 2 && judged[0][0] === 0);
        for (const name of pictures) // shown, and more than one colour
            check(`${method}: ${name}`, await page(`(async () => {
                const img = document.getElementById("${name}");
                await img.decode();
                const c = new OffscreenCanvas(img.naturalWidth, img.naturalHeight).getContext("2d");
                c.drawImage(img, 0, 0);
                const p = c.getImageData(0, 0, img.naturalWidth, img.naturalHeight).data;
                return !img.parentElement.hidden && p.some((v, i) => i % 4 < 3 && v !== p[i % 4]);
            })()`));
        await page("window.saved = null");
        await press("save");
        await until("window.saved", 60, `${method}: the file`);
        const bytes = Buffer.from(await page("Array.from(window.saved)"));
        check(`${method}: the file of the native program`,
              bytes.equals(readFileSync(path.join(scratch, "encoder.safetensors"))), `${bytes.length} bytes`);
        writeFileSync(path.join(folder, `${method}.safetensors`), bytes);
    }
    // what cannot be trained says why, and the page goes on
    await fill({method: "simclr", temperature: 0.2, batch: 64, images: 512, epochs: 1, crop: 7});
    await page(`document.getElementById("form").noValidate = true`);
    await press("start");
    await until(state("error"), 60, "a crop of 7 is refused");
    check("the error names the setting", /views=simclr:7/.test(await page("document.getElementById('status').textContent")),
          await page("document.getElementById('status').textContent"));
    await fill({method: "rotation"});
    await press("start");
    await until(state("finished"), 120, "goes on after an error");
    check("goes on after an error", await page(state("finished")));
} catch (error) {
    check("the browser", false, error.stack);
}
over = true;
browser.kill();
server.close();
await sleep(500);
rmSync(scratch, {recursive: true, force: true, maxRetries: 5});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

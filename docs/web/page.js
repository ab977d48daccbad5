// The page: controls, two charts, and the pictures that the worker sends.
const form = document.getElementById("form"), field = form.elements;
const status = document.getElementById("status");
const worker = new Worker("worker.js", {type: "module"});
let losses = [], judged = [], all = 1, spent = 0;

function state(name, said) { // ready, running, stopped, finished, error
    document.body.dataset.state = name;
    field.start.disabled = field.save.disabled = name === "running";
    field.stop.disabled = name !== "running";
    field.continue.disabled = name !== "stopped";
    if (name === "ready" || name === "error") field.save.disabled = true;
    status.className = name === "error" ? "error" : "";
    status.textContent = said;
}

// A line through points [x, y] with x in 0 .. most; the axis of y reaches from the least to the largest value.
function chart(id, points, most) {
    const canvas = document.getElementById(id), g = canvas.getContext("2d");
    const left = 48, bottom = 24, w = canvas.width - left - 8, h = canvas.height - bottom - 8;
    const y = points.map(p => p[1]), low = Math.min(...y), range = Math.max(...y) - low || 1;
    g.clearRect(0, 0, canvas.width, canvas.height);
    g.font = "12px system-ui, sans-serif";
    g.fillStyle = "#555";
    g.textAlign = "right";
    for (let i = 0; i <= 4; i++) {
        const at = 8 + h - h * i / 4;
        g.fillText((low + range * i / 4).toPrecision(3), left - 6, at + 4);
        g.fillRect(left, at, w, 0.3);
    }
    g.fillText(`${most} steps`, left + w, canvas.height - 6);
    g.strokeStyle = "#2563eb";
    g.beginPath();
    for (const [x, v] of points) g.lineTo(left + w * x / most, 8 + h - h * (v - low) / range);
    g.stroke();
}

worker.onmessage = e => {
    const m = e.data;
    if (m.say === "trained") {
        losses.push(...m.losses);
        all = m.all;
        spent += m.milliseconds;
        const every = Math.ceil(losses.length / 2000), points = []; // more points than the chart has are not drawn
        for (let i = 0; i < losses.length; i += every) points.push([i + 1, losses[i]]);
        chart("loss", points, all);
        const left = spent / losses.length * (all - losses.length) / 1000;
        status.textContent = `step ${losses.length} of ${all}, loss ${losses.at(-1).toFixed(3)}, `
            + `${Math.round(1000 * losses.length * field.batch.value / spent)} images/s, ${Math.round(left)} s left`;
    } else if (m.say === "judged") {
        judged.push([m.step, 100 * m.share]);
        chart("share", judged, all > 1 ? all : 1);
    } else if (m.say === "picture") {
        const img = document.getElementById(m.name);
        if (img.src) URL.revokeObjectURL(img.src);
        img.src = URL.createObjectURL(new Blob([m.bytes], {type: "image/png"}));
        img.parentElement.hidden = false;
    } else if (m.say === "stopped") state("stopped", "stopped: continue goes on where it was");
    else if (m.say === "finished") {
        const first = judged[0][1].toFixed(1), last = judged.at(-1)[1].toFixed(1);
        state("finished", `finished in ${(spent / 1000).toFixed(0)} s: neighbours of the same kind ${first} % before, `
            + `${last} % after`);
    } else if (m.say === "saved") {
        window.saved = m.bytes;
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([m.bytes]));
        link.download = "encoder.safetensors";
        link.click();
    } else if (m.say === "error") state("error", m.text);
};
worker.onerror = e => state("error", e.message || "the worker did not start");

form.onsubmit = e => {
    e.preventDefault();
    const v = name => Number(field[name].value), method = field.method.value;
    let settings = `batch=${v("batch")}`;
    if (method === "simclr") settings += ` temperature=${v("temperature")} views=simclr:${v("crop")}`;
    if (method === "vae") settings += ` latent=${v("latent")} beta=${v("beta")}`;
    losses = window.losses = [];
    judged = window.judged = [];
    all = 1;
    spent = 0;
    for (const img of document.querySelectorAll("img")) img.parentElement.hidden = true;
    state("running", "loading");
    worker.postMessage({do: "start", method, settings, images: v("images"), epochs: v("epochs"), seed: v("seed"),
                        crop: v("crop")});
};
field.stop.onclick = () => worker.postMessage({do: "stop"});
field.continue.onclick = () => {
    state("running", "going on");
    worker.postMessage({do: "continue"});
};
field.save.onclick = () => worker.postMessage({do: "save"});
field.method.onchange = () => {
    for (const name of ["simclr", "vae"])
        for (const label of document.querySelectorAll("." + name)) label.hidden = field.method.value !== name;
};
state("ready", "ready");

// Runs a program compiled for wasm32-wasi in the current folder: node --no-warnings wasi.mjs PROGRAM ARGUMENTS..
import {readFileSync} from "fs";
import {WASI} from "wasi";

const args = process.argv.slice(2);
const wasi = new WASI({version: "preview1", args, env: process.env, preopens: {".": "."}});
const module = await WebAssembly.compile(readFileSync(args[0]));
process.exit(wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject())));

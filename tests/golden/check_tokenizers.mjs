// Tokens as npm's @huggingface/tokenizers has them, for tests/golden/make_tokenizers.py:
//
//     node check_tokenizers.mjs NODE_MODULES JOB.json      prints the lists of tokens of JOB.lines as JSON
import fs from 'fs';
import path from 'path';
import { pathToFileURL } from 'url';

const [modules, job] = process.argv.slice(2);
const file = path.join(modules, '@huggingface/tokenizers/dist/tokenizers.mjs');
const { Tokenizer } = await import(pathToFileURL(file).href);
const { config, lines } = JSON.parse(fs.readFileSync(job, 'utf8'));
const tokenizer = new Tokenizer(config, {});
const out = lines.map((line) => Array.from(tokenizer.encode(line, { add_special_tokens: false }).ids));
process.stdout.write(JSON.stringify(out));

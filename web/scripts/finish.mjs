// After `next build`: compresses the export once, so that the daemon never has
// to, and refuses a page whose first load needs too much JavaScript.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, extname } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const out = join(import.meta.dirname, '..', 'out');
const limit = 200_000; // bytes of gzip, of every script that a page loads at first

// Next exports its 404 twice; the daemon serves 404.html.
for (const name of ['_not-found.html', '_not-found.txt', '_not-found']) rmSync(join(out, name), { recursive: true, force: true });

const names = readdirSync(out, { recursive: true, withFileTypes: true })
  .filter((e) => e.isFile() && !['.br', '.gz'].includes(extname(e.name)))
  .map((e) => join(e.parentPath, e.name));

const compressed = new Map(); // path below out: bytes of gzip
for (const name of names) {
  if (!['.html', '.css', '.js', '.txt', '.json', '.svg', '.webmanifest'].includes(extname(name))) continue;
  const body = readFileSync(name);
  const gz = gzipSync(body, { level: 9 });
  compressed.set(name.slice(out.length), gz.length);
  if (gz.length > body.length * 0.9) continue;
  writeFileSync(`${name}.gz`, gz);
  writeFileSync(`${name}.br`, brotliCompressSync(body, {
    params: { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT, [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
  }));
}

let worst = 0;
for (const name of names.filter((n) => extname(n) === '.html')) {
  const page = readFileSync(name, 'utf8');
  const scripts = new Set();
  for (const [tag, src] of page.matchAll(/<script\b[^>]*\bsrc="([^"]+)"[^>]*>/g)) {
    if (!/\bnomodule\b/i.test(tag)) scripts.add(src.split('?')[0]);
  }
  if (scripts.size === 0) throw new Error(`${name} loads no script`);
  let bytes = 0;
  for (const src of scripts) {
    const size = compressed.get(src);
    if (size === undefined) throw new Error(`${name} loads ${src}, which is not in the export`);
    bytes += size;
  }
  worst = Math.max(worst, bytes);
  console.log(`${String(Math.round(bytes / 1000)).padStart(4)} kB of JavaScript  ${name.slice(out.length)}`);
}
if (worst > limit) {
  console.error(`a page's first load needs ${worst} bytes of compressed JavaScript; at most ${limit} are allowed`);
  process.exit(1);
}

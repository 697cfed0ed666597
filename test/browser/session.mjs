// What the browser tests need beside the page: VS Code's terminal, the host's
// files and the daemon's own socket.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

export const patience = 240_000; // milliseconds

export const assert = (ok, text) => { if (!ok) throw new Error(text); };

/** until something is so, or fail with text. */
export async function until(so, text) {
  for (const end = Date.now() + patience; !so();) {
    assert(Date.now() < end, text);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** writeInTerminal types a command until the host sees what it does. */
export async function writeInTerminal(page, command, done) {
  await page.waitForSelector('.monaco-workbench .part.editor', { timeout: patience });
  const terminal = page.locator('.xterm-helper-textarea').first();
  for (let tries = 0; (await terminal.count()) === 0; tries++) {
    assert(tries < 40, 'no terminal opens');
    await page.keyboard.press('Control+Shift+Backquote');
    await terminal.waitFor({ state: 'attached', timeout: 5_000 }).catch(() => {});
  }
  await terminal.focus();
  for (let tries = 0; !done(); tries++) {
    assert(tries < 40, `the terminal did not do: ${command}`);
    await page.keyboard.insertText(command);
    await page.keyboard.press('Enter');
    for (let wait = 0; wait < 30 && !done(); wait++) await page.waitForTimeout(100);
  }
}

/** workspaceHas counts the sessions with this file: DATA_DIR/workspaces/USER/SESSION/workspace/NAME. */
export function workspaceHas(dataDir, name, text) {
  const below = (dir) => (existsSync(dir) ? readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => join(dir, e.name)) : []);
  const files = below(join(dataDir, 'workspaces')).flatMap(below).map((dir) => join(dir, 'workspace', name));
  return files.filter((file) => existsSync(file) && readFileSync(file, 'utf8').trim() === text).length;
}

/** onSocket asks the daemon's unix socket, as root's command line does. */
export function onSocket(socketPath, method, path, body) {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, method, path, headers: { Host: 'medforge', 'Content-Type': 'application/json' } }, (res) => {
      res.resume();
      res.on('end', () => (res.statusCode < 300 ? resolve() : reject(new Error(`${method} ${path}: ${res.statusCode}`))));
    });
    req.on('error', reject);
    req.end(JSON.stringify(body));
  });
}

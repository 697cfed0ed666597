// Opens a one-time link in Chromium as a person would, waits for VS Code's
// workbench, opens its terminal and types one command there.
//
//   node workbench.mjs LINK COMMAND [SCREENSHOT]
//
// Prints the page's URL after signing in. MEDFORGE_CHROMIUM names the browser.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [link, command, screenshot] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'medforge-chromium-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.MEDFORGE_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1280, height: 800 },
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
try {
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(240_000);
  await page.goto(link, { waitUntil: 'domcontentloaded' });
  await page.waitForSelector('.monaco-workbench .part.editor');
  const url = new URL(page.url());
  if (url.search.includes('ticket') || url.pathname.startsWith('/.medforge')) {
    throw new Error(`the ticket stays in the address: ${page.url()}`);
  }
  const cookies = await context.cookies();
  for (const c of cookies.filter((c) => c.name.includes('medforge'))) {
    if (!c.httpOnly || c.domain.startsWith('.') || c.domain !== url.hostname) {
      throw new Error(`cookie ${c.name} is not for this host alone: ${JSON.stringify({ ...c, value: '' })}`);
    }
  }
  if (command) {
    // Create New Terminal, by its key. Keys count only once the workbench has
    // loaded its key bindings, so it is pressed until a terminal is there.
    const terminal = page.locator('.xterm-helper-textarea').first();
    for (let tries = 0; (await terminal.count()) === 0; tries++) {
      if (tries === 40) throw new Error('no terminal opens');
      await page.keyboard.press('Control+Shift+Backquote');
      await terminal.waitFor({ state: 'attached', timeout: 5_000 }).catch(() => {});
    }
    await terminal.focus();
    // What is typed before the shell reads is lost, and nothing in the page
    // says when it does. So the command is typed again until the caller, who
    // looks at the host for what it did, closes our input.
    let done = false;
    process.stdin.once('end', () => { done = true; }).resume();
    process.stdout.write('typing\n');
    while (!done) {
      await page.keyboard.insertText(command); // as a paste: at once
      await page.keyboard.press('Enter');
      for (let wait = 0; wait < 30 && !done; wait++) await page.waitForTimeout(100);
    }
  }
  if (screenshot) {
    await page.screenshot({ path: screenshot });
  }
  process.stdout.write(`${url.href}\n`);
} catch (err) {
  if (screenshot) {
    await context.pages()[0]?.screenshot({ path: screenshot }).catch(() => {});
  }
  throw err;
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(0);

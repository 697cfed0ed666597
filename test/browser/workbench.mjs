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
  page.setDefaultTimeout(120_000);
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
    // The terminal's own command in the palette needs no layout or key map.
    await page.keyboard.press('F1');
    const box = page.locator('.quick-input-widget input');
    await box.waitFor();
    await box.fill('>Terminal: Create New Terminal');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Create New Terminal' }).first().waitFor();
    await page.keyboard.press('Enter');
    const terminal = page.locator('.terminal-wrapper.active .xterm-helper-textarea, .xterm-helper-textarea').first();
    await terminal.waitFor({ state: 'attached' });
    await terminal.focus();
    // Until the shell's prompt is there, what is typed could get lost.
    await page.waitForFunction(() => {
      const rows = document.querySelector('.xterm');
      return rows !== null && rows.classList.contains('focus');
    });
    await page.keyboard.type(command);
    await page.keyboard.press('Enter');
  }
  if (screenshot) {
    await page.waitForTimeout(3000); // for the eye only: let the picture settle
    await page.screenshot({ path: screenshot });
  }
  // The caller looks at the host for what the command did.
  if (command) {
    process.stdout.write('typed\n');
    await new Promise((done) => process.stdin.once('data', done).once('end', done));
  }
  process.stdout.write(`${url.href}\n`);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(0);

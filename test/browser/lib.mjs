// What the browser tests share: a Chromium that notes every complaint of a page,
// axe, and what else is asked of every page. keyboard.mjs goes through them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const launch = () => chromium.launch({
  executablePath: process.env.MEDFORGE_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

/** Watch collects what pages of MedForge's own host complain about. */
export class Watch {
  complaints = [];
  allowed = [];

  constructor(origin) {
    this.origin = origin;
  }

  /** follow a context's pages, those to come included. Nobody may use a mouse on MedForge's own. */
  async follow(context) {
    await context.addInitScript((origin) => {
      if (location.origin !== origin) return;
      addEventListener('pointerdown', (e) => e.isTrusted && console.error(`a mouse was used on ${e.target.outerHTML?.slice(0, 120)}`), true);
    }, this.origin);
    context.on('page', (page) => {
      page.on('console', (m) => {
        if (!['error', 'warning'].includes(m.type()) || !(m.location().url || page.url()).startsWith(this.origin)) return;
        this.note(`console ${m.type()}: ${m.text()} (${m.location().url})`);
      });
      page.on('pageerror', (err) => page.url().startsWith(this.origin) && this.note(`error: ${err.message} on ${page.url()}`));
      page.on('request', (r) => {
        const url = new URL(r.url());
        if (page.url().startsWith(this.origin) && url.protocol.startsWith('http') && url.hostname !== new URL(this.origin).hostname && !r.isNavigationRequest()) {
          this.note(`a request to another host: ${r.url()}`);
        }
      });
    });
  }

  note(text) {
    // A network interface of the machine came or went, a session's for one; the page asks again.
    if (text.includes('ERR_NETWORK_CHANGED')) {
      this.networkChanged = true;
      return;
    }
    // What the page's own policy forbids is never on purpose.
    if (/content security policy/i.test(text) || !this.allowed.some((re) => re.test(text))) this.complaints.push(text);
  }

  /** during lets what is provoked on purpose be complained of: a browser logs every status from 400 on. */
  async during(re, act) {
    this.allowed.push(re);
    try {
      return await act();
    } finally {
      this.allowed.pop();
    }
  }

  check() {
    // Next's own word for it: it then goes where it was to go by an ordinary load.
    if (this.networkChanged) this.complaints = this.complaints.filter((text) => !text.includes('Failed to fetch RSC payload'));
    if (this.complaints.length) throw new Error(`pages complained:\n${this.complaints.join('\n')}`);
  }
}

/** axe fails on any violation. The page's policy forbids scripts of others, so it is put in by the debugger. */
export async function axe(page, what) {
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const r = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return r.violations.map((v) => `${v.id}: ${v.help}\n    ${v.nodes.map((n) => `${n.html.slice(0, 200)}\n      ${n.any.concat(n.all).map((c) => c.message).join('; ')}`).join('\n    ')}`);
  });
  if (violations.length) throw new Error(`axe on ${what}:\n  ${violations.join('\n  ')}`);
}

/** settled waits until nothing on the page is being loaded. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('main [role=status] > .sr-only')?.textContent?.includes('Loading') && document.querySelector('main h1'));
  await page.getByText('Live', { exact: true }).waitFor();
}

/** still waits until every transition has ended; what turns for ever is left alone. */
export async function still(page) {
  await page.evaluate(async () => {
    for (let quiet = 0; quiet < 2;) {
      await new Promise((done) => requestAnimationFrame(done));
      const moving = document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity);
      quiet = moving.length ? 0 : quiet + 1;
      await Promise.allSettled(moving.map((a) => a.finished));
    }
  });
}

/** fits fails when a page is wider than the window. */
export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) throw new Error(`${what} is ${over} px wider than its window`);
}

/** scripts counts the bytes of JavaScript, as they are sent, that a page loads until settled. Call it, load, then ask. */
export async function scripts(page) {
  const devtools = await page.context().newCDPSession(page);
  const ours = new Set();
  let bytes = 0;
  devtools.on('Network.responseReceived', (e) => e.type === 'Script' && ours.add(e.requestId));
  devtools.on('Network.loadingFinished', (e) => { if (ours.has(e.requestId)) bytes += e.encodedDataLength; });
  await devtools.send('Network.enable');
  await devtools.send('Network.setCacheDisabled', { cacheDisabled: true });
  return async () => {
    await devtools.detach();
    return bytes;
  };
}

// What the browser tests share: a Chromium that notes every complaint of a page,
// axe, and a walk through a page by the Tab key.
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

  /** follow a context's pages, those to come included. */
  follow(context) {
    context.on('page', (page) => {
      page.on('console', (m) => {
        if (!['error', 'warning'].includes(m.type()) || !m.location().url.startsWith(this.origin)) return;
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
    if (!this.allowed.some((re) => re.test(text))) this.complaints.push(text);
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

/** byKeyboard: the Tab key reaches whatever can be used, and shows where it is. */
export async function byKeyboard(page, what) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    window.scrollTo(0, 0);
    const all = [...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')];
    const seen = (el) => el.checkVisibility() && !el.disabled && el.type !== 'hidden' && getComputedStyle(el).visibility !== 'hidden';
    globalThis.toReach = new Set(all.filter(seen));
    globalThis.shown = [];
  });
  const total = await page.evaluate(() => globalThis.toReach.size);
  for (let i = 0; i <= total + 2; i++) {
    await page.keyboard.press('Tab');
    await page.evaluate(() => {
      const el = document.activeElement;
      if (!el || el === document.body) return;
      globalThis.toReach.delete(el);
      // A file input is seen by its label, which carries the outline.
      const frame = el.type === 'file' ? el.closest('label') : el;
      const css = getComputedStyle(frame);
      if (css.outlineStyle === 'none' || css.outlineWidth === '0px') globalThis.shown.push(el.outerHTML.slice(0, 160));
    });
  }
  const [left, hidden] = await page.evaluate(() => [[...globalThis.toReach].map((e) => e.outerHTML.slice(0, 160)), globalThis.shown]);
  if (left.length) throw new Error(`${what}: Tab does not reach\n${left.join('\n')}`);
  if (hidden.length) throw new Error(`${what}: the focus is not seen on\n${hidden.join('\n')}`);
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

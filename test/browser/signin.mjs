// Visits a session's host signed out in Chromium, as a person would: lands on
// MedForge's sign-in, mistypes the password once, signs in, and must come back
// to the address it wanted. What scripts of that session's page can then do to
// another session's host and to MedForge itself is tried too.
//
//   node signin.mjs URL EMAIL PASSWORD OTHER-URL MAIN-URL
//
// Prints a JSON object of what was seen. MEDFORGE_CHROMIUM names the browser.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [wanted, email, password, other, main] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'medforge-chromium-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.MEDFORGE_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
const seen = { refused: [] };
try {
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(60_000);
  page.on('console', (m) => {
    if (m.text().includes('Content Security Policy')) seen.refused.push(m.text());
  });
  await page.goto(wanted);
  seen.signIn = page.url();
  const enter = async (typed) => {
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password').fill(typed);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  await enter('not the password');
  seen.mistyped = await page.getByText('password is wrong').first().textContent();
  await enter(password);
  await page.waitForURL(wanted);
  seen.page = await page.textContent('body');
  seen.cookies = (await context.cookies()).map(({ name, domain, httpOnly, sameSite }) => ({ name, domain, httpOnly, sameSite }));
  // The visitor is signed in on the other session's host as well. Both are one
  // site to the browser, so its cookies would go along.
  const second = await context.newPage();
  await second.goto(other);
  seen.otherPage = second.url();
  seen.hijack = await page.evaluate(async ([other, main]) => {
    const tried = {};
    tried.ownSocket = await new Promise((done) => {
      const ws = new WebSocket(location.origin.replace('http', 'ws') + '/probe/echo');
      ws.onopen = () => { ws.close(); done('open'); };
      ws.onerror = () => done('refused');
    });
    tried.socket = await new Promise((done) => {
      const ws = new WebSocket(other.replace('http', 'ws') + 'probe/echo');
      ws.onopen = () => done('open');
      ws.onerror = () => done('refused');
    });
    const status = (url, o) => fetch(url, { credentials: 'include', mode: 'no-cors', ...o }).then((r) => r.type, () => 'failed');
    tried.post = await status(other + 'probe/say', { method: 'POST', body: 'hijacked' });
    tried.signOut = await status(main + '/api/v1/auth/logout', { method: 'POST' });
    document.cookie = 'medforge_session=planted; domain=medforge.localhost; path=/';
    document.cookie = 'medforge_ide=planted; domain=medforge.localhost; path=/';
    return tried;
  }, [other, main]);
  seen.still = (await page.goto(`${main}/api/v1/me`)).status(); // the sign-out from another page did nothing
  await page.goto(wanted);
  seen.afterPlanting = page.url();
  process.stdout.write(`${JSON.stringify(seen)}\n`);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(0);

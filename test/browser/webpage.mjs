// Goes through MedForge's web page as people do, by keyboard alone, on a real
// daemon:
//
//   node webpage.mjs ORIGIN DATA_DIR SOCKET PREDICTIONS [SCREENSHOTS]
//
// DATA_DIR is the daemon's, to look at what a session's terminal wrote; SOCKET
// its unix socket, to make an admin; PREDICTIONS a good submission to the
// Titanic competition. "@kill" and "@up" on standard output ask for the daemon's
// sudden end and for a new one; a line on standard input says that it is done.
// Ends with status 0 when all is as it should be.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { launch, settled, Watch } from './lib.mjs';
import { choose, fill, press, tabTo } from './keyboard.mjs';
import { Look } from './look.mjs';
import { assert, onSocket, patience, until, workspaceHas, writeInTerminal } from './session.mjs';

const [origin, dataDir, socket, predictions, shots] = process.argv.slice(2);
const titanic = '/competitions/titanic-survival';
const password = 'correct horse battery';
const step = (text) => process.stdout.write(`${text}\n`);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const daemon = async (what) => {
  step(`@${what}`);
  await answers.next();
};

const browser = await launch();
const watch = new Watch(origin);
const look = new Look(origin, watch, shots);

async function person() {
  const context = await browser.newContext({ colorScheme: 'light', viewport: { width: 1280, height: 900 } });
  await watch.follow(context);
  return { context, page: await tab(context) };
}

async function tab(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  return page;
}

const button = (on, name) => on.getByRole('button', { name, exact: true });
const link = (on, name) => on.getByRole('link', { name, exact: true });
const room = (page, name) => link(page.getByRole('navigation', { name: 'Main' }), name);
const part = (page, name) => link(page.getByRole('navigation', { name: 'Competition' }), name);

async function signUp(page, name, email) {
  await page.goto(origin);
  await settled(page);
  await press(page, link(page, 'Make an account'));
  await fill(page, page.getByLabel('Name'), name);
  await fill(page, page.getByLabel('Email'), email);
  await fill(page, page.getByLabel('Password'), password);
  await press(page, button(page, 'Sign up'));
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
}

/** signIn mistypes the password once. */
async function signIn(page, email) {
  await fill(page, page.getByLabel('Email'), email);
  await fill(page, page.getByLabel('Password'), `${password}?`);
  await watch.during(/status of 401/, async () => {
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'The email address or the password is wrong' }).waitFor();
  });
  await fill(page, page.getByLabel('Password'), password);
  await press(page, button(page, 'Sign in'), 'Space');
}

/** back waits until the focus is on target again. */
async function back(page, target, text) {
  const el = await target.elementHandle();
  await page.waitForFunction((e) => e === document.activeElement, el).catch(() => assert(false, text));
}

/** dialog opens one from its button, looks at it, leaves it by Escape, and opens it again. */
async function dialog(page, trigger, name, role = 'dialog') {
  const box = page.getByRole(role, { name });
  await press(page, trigger);
  await box.waitFor();
  await look.at(page, `dialog ${name.replace(/[a-z2-7]{8}\?/, 'S')}`);
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'hidden' });
  await back(page, trigger, `the focus does not come back from: ${name}`);
  await page.keyboard.press('Enter');
  await box.waitFor();
  return box;
}

/** running waits for a session's page to say so; its stages are there before. */
async function running(page) {
  await page.waitForURL(/\/sessions\/[a-z2-7]{8}$/);
  await page.getByRole('list', { name: 'Stages of the start' }).or(link(page, 'Open VS Code')).first().waitFor();
  await link(page, 'Open VS Code').waitFor({ timeout: patience });
  return new URL(page.url()).pathname.split('/')[2];
}

async function startSession(page) {
  await press(page, room(page, 'Dashboard'));
  const start = await dialog(page, button(page, 'Start a session'), 'Start a session');
  await press(page, button(start, 'Start'));
  return running(page);
}

async function submitPredictions(ann, bob) {
  await bob.page.goto(`${origin}${titanic}/leaderboard`);
  await bob.page.getByText('Nobody yet').waitFor();
  await settled(bob.page);

  const page = ann.page;
  await press(page, room(page, 'Competitions'));
  await press(page, page.getByRole('link', { name: /^Titanic/ }));
  await press(page, part(page, 'Submit'));
  const file = page.locator('input[type=file]');
  await choose(page, file, { name: 'bad.csv', mimeType: 'text/csv', buffer: Buffer.from('PassengerId,Survived\n892,7\n892,x\n') });
  await watch.during(/status of 422/, async () => {
    await press(page, button(page, 'Submit'));
    await page.getByRole('table', { name: 'Mistakes in the file' }).waitFor();
  });
  const mistakes = await page.getByRole('table', { name: 'Mistakes in the file' }).innerText();
  assert(/duplicate|already|twice|more than once/i.test(mistakes) && mistakes.includes('Survived'), `the mistakes are not told: ${mistakes}`);
  await look.at(page, 'mistakes');

  await choose(page, file, predictions);
  await fill(page, page.getByLabel('Message'), 'women survive');
  await press(page, button(page, 'Submit'), 'Space');
  await page.getByText(/^Scored 0\.\d{5}$/).waitFor();
  await page.getByRole('table', { name: 'Your submissions' }).getByText('women survive').waitFor();

  // The other browser has not been touched since.
  await bob.page.getByRole('table', { name: 'Leaderboard' }).getByRole('rowheader', { name: 'Ann' }).waitFor();
  step('the board changed in the second browser by itself');

  // A second one, dropped on the page as a mouse would: then there is a history.
  await drop(page, predictions);
  await press(page, button(page, 'Submit'));
  await page.getByText(/^Scored 0\.\d{5}$/).waitFor();
  await page.getByRole('img', { name: /^Your scores/ }).waitFor();

  await press(page, part(page, 'Leaderboard'));
  const [csv] = await Promise.all([page.waitForEvent('download'), press(page, button(page, 'Download CSV'))]);
  const board = readFileSync(await csv.path(), 'utf8');
  assert(/^rank,.*\n1,.*Ann/.test(board), `the board as CSV: ${board}`);
}

/** drop a file on the page. */
async function drop(page, path) {
  const transfer = await page.evaluateHandle(([text]) => {
    const t = new DataTransfer();
    t.items.add(new File([text], 'dropped.csv', { type: 'text/csv' }));
    return t;
  }, [readFileSync(path, 'utf8')]);
  await page.dispatchEvent('label:has(input[type=file])', 'drop', { dataTransfer: transfer });
  await page.getByText('dropped.csv').first().waitFor();
}

/** lostDaemon: what is shown stays and says that it may be old, and goes on by itself. */
async function lostDaemon(page, others, slug) {
  // A page in the background can come back to the new daemon late, which refuses to go on after an event that only the old one knew.
  for (const other of others) await other.goto('about:blank');
  await page.goto(`${origin}/sessions/${slug}`);
  await settled(page);
  await watch.during(/Failed to load resource|ERR_/, async () => {
    await daemon('kill');
    await page.getByText('No connection to MedForge').waitFor();
    await look.at(page, 'lost');
    await press(page, button(page, 'Stop'));
    const box = page.getByRole('alertdialog');
    await press(page, button(box, 'Stop the session'));
    await box.getByRole('alert').filter({ hasText: 'MedForge cannot be reached' }).waitFor();
    await look.at(page, 'dialog that failed');
    await page.keyboard.press('Escape');
    await daemon('up');
    await page.getByText('Live', { exact: true }).waitFor();
  });
  await page.getByText('No connection to MedForge').waitFor({ state: 'detached' });
  await link(page, 'Open VS Code').waitFor();
  step('the daemon was lost and came back under an open page');
}

async function refused(bob, slug, ide) {
  await watch.during(/status of 40[34]/, async () => {
    await bob.page.goto(`${origin}/sessions/${slug}`);
    await bob.page.getByRole('alert').filter({ hasText: slug }).waitFor();
    await look.at(bob.page, 'somebody else’s session');
    const answer = await bob.page.goto(ide);
    assert(answer.status() === 403, `another user got ${answer.status()} from the session's host`);
    await look.at(bob.page, 'somebody else’s IDE');
  });
  step('another user is refused');
}

async function signOutEndsBoth(ann, ide) {
  const code = await tab(ann.context);
  const sockets = [];
  code.on('websocket', (ws) => sockets.push(ws));
  await code.goto(ide);
  await code.waitForSelector('.monaco-workbench .part.editor', { timeout: patience });
  await until(() => sockets.some((ws) => !ws.isClosed()), 'VS Code has no connection');
  const second = await tab(ann.context);
  await second.goto(`${origin}/account`);
  await settled(second);

  const open = sockets.filter((ws) => !ws.isClosed());
  await watch.during(/status of 401/, async () => {
    await press(ann.page, button(ann.page, 'Sign out'));
    await ann.page.waitForURL(`${origin}/signin`);
    await until(() => open.every((ws) => ws.isClosed()), 'VS Code stays connected after signing out');
    await second.waitForURL(/\/signin\?next=/);
    const status = await ann.page.evaluate(async () => (await fetch('/api/v1/me')).status);
    assert(status === 401, `signed out, and GET me answers ${status}`);
    await second.close();
  });
  // Whoever follows the old address signs in, and arrives there.
  await code.goto(ide);
  await code.waitForURL(/\/signin\?return=/);
  await signIn(code, 'ann@example.org');
  await code.waitForURL((u) => u.href.startsWith(ide));
  await code.waitForSelector('.monaco-workbench .part.editor', { timeout: patience });
  await code.close();
  step('signing out ends both; signing in leads back into the session');
}

async function stopSession(page, slug, again) {
  await press(page, room(page, 'Sessions'));
  await press(page, link(page, slug));
  const stop = button(page, 'Stop');
  let box = page.getByRole('alertdialog');
  if (again) await press(page, stop);
  else box = await dialog(page, stop, `Stop session ${slug}?`, 'alertdialog');
  await press(page, button(box, 'Stop the session'));
  await page.getByText(`Session ${slug} is stopped`).waitFor({ state: 'attached', timeout: patience });
  await page.getByRole('table', { name: `Snapshots of session ${slug}` }).getByText(/^stop-\d+$/).waitFor();
}

async function startFrom(page, slug) {
  await press(page, button(page, 'Start from this'));
  const box = page.getByRole('dialog', { name: 'Start a session' });
  await box.getByRole('option', { name: `${slug}, ` }).waitFor({ state: 'attached' }); // the list has come in
  assert((await box.getByLabel('Files').inputValue()) === slug, 'the dialog does not begin with the session it was opened from');
  await press(page, button(box, 'Start'));
  const next = await running(page);
  assert(next !== slug, 'no new session was started');
  await press(page, button(page, 'Show'));
  await tabTo(page, page.getByRole('region', { name: `Log of session ${next}` }));
  await look.at(page, 'log');
  return next;
}

/** account: a token is made, seen once, and revoked; another browser is signed out. */
async function account(page, other) {
  await press(page, page.getByRole('link', { name: 'Account of Ann' }));
  const make = await dialog(page, button(page, 'New token'), 'New token');
  await fill(page, make.getByLabel('Name'), 'laptop');
  await press(page, button(make, 'Make the token'));
  await make.getByLabel('Token').waitFor();
  await look.at(page, 'dialog Token is shown');
  await press(page, button(make, 'Done'));
  const sure = await dialog(page, button(page, 'Revoke'), 'Revoke laptop?', 'alertdialog');
  await press(page, button(sure, 'Revoke'));
  await page.getByText('No tokens').waitFor();

  await other.goto(`${origin}/signin`);
  await settled(other);
  await signIn(other, 'ann@example.org');
  await other.getByRole('heading', { name: 'Dashboard' }).waitFor();
  const others = await dialog(page, button(page, 'Sign out all others'), 'Sign every other browser out?', 'alertdialog');
  await watch.during(/status of 401/, async () => {
    await press(page, button(others, 'Sign them out'));
    await link(other, 'Make an account').waitFor(); // what the first page shows to who is signed out
    await other.close();
  });
  await others.waitFor({ state: 'detached' });
  await back(page, page.locator('#content'), 'the focus is lost with the button that asked');
}

/** admins are asked before what is hard to take back, too. */
async function admin(page) {
  await press(page, room(page, 'Admin'));
  const rooms = page.getByRole('navigation', { name: 'Admin' });
  await press(page, link(rooms, 'Users'));
  await dialog(page, button(page, 'Edit Bob'), 'Bob');
  await page.keyboard.press('Escape');
  const make = await dialog(page, button(page, 'New user'), 'New user');
  await fill(page, make.getByLabel('Email'), 'cy@example.org');
  await press(page, button(make, 'Make the account'));
  await make.getByLabel('Password').waitFor();
  await look.at(page, 'dialog Password is shown');
  await press(page, button(make, 'Done'));
  await page.getByRole('table', { name: 'Accounts' }).getByText('cy@example.org').waitFor();
  await press(page, link(rooms, 'GPUs'));
  const disable = button(page, 'Disable').last();
  const sure = await dialog(page, disable, 'Disable GPU 6?', 'alertdialog');
  await press(page, button(sure, 'Disable'));
  await sure.waitFor({ state: 'detached' });
  const enable = button(page, 'Enable');
  await enable.waitFor();
  await back(page, enable, 'the focus is lost when a GPU is disabled');
  const again = await dialog(page, enable, 'Enable GPU 6?', 'alertdialog');
  await press(page, button(again, 'Enable'));
  await again.waitFor({ state: 'detached' });
  await enable.waitFor({ state: 'detached' });

  await press(page, link(rooms, 'Packs'));
  const use = async (pack, box) => {
    await press(page, button(box, 'Use it'));
    await page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: pack }) }).getByText('in use').waitFor();
    await box.waitFor({ state: 'detached' });
  };
  await use(/^minipack /, await dialog(page, button(page, 'Use'), 'Use minipack', 'alertdialog'));
  await press(page, button(page, 'Use')); // the default one is what later sessions need
  await use(/^default /, page.getByRole('alertdialog', { name: 'Use default' }));
}

/** broken: what the page shows when it fails itself, which only an answer that no daemon gives brings about. */
async function broken(page) {
  const wrongly = async (path, answer, heading) => {
    await page.route(path, (route) => route.fulfill({ json: answer }));
    await watch.during(/./, async () => {
      await page.goto(`${origin}/gpus`);
      await page.getByRole('heading', { name: heading }).waitFor({ state: 'attached' });
      await look.at(page, heading);
    });
    await page.unroute(path);
  };
  await wrongly('**/api/v1/gpus?*', { data: [null] }, 'This page failed');
  await wrongly('**/api/v1/auth', { data: { user: { name: {}, role: 'user' }, signup: 'open' } }, "MedForge's page failed");
  await page.goto(origin);
  await settled(page);
}

/** starting is over before axe has looked, so the daemon's answer is held there. */
async function starting(page, slug) {
  const path = `**/api/v1/sessions/${slug}`;
  const { data } = await page.evaluate(async (s) => (await fetch(`/api/v1/sessions/${s}`)).json(), slug);
  await page.route(path, (route) => route.fulfill({ json: { data: { ...data, status: 'starting' } } }));
  await page.goto(`${origin}/sessions/${slug}`);
  await page.getByRole('list', { name: 'Stages of the start' }).waitFor();
  await look.at(page, 'starting');
  await page.unroute(path);
}

const everybody = ['/', '/signin', '/signup', '/competitions', titanic, `${titanic}/data`, `${titanic}/submissions`, `${titanic}/leaderboard`, '/competitions/no-such', '/datasets', '/datasets/titanic-kaggle', '/datasets/no-such', '/no-such/page'];
const signedIn = (slug) => ['/', '/sessions', `/sessions/${slug}`, '/sessions/no-such', '/competitions', titanic, `${titanic}/data`, `${titanic}/submissions`, `${titanic}/leaderboard`, '/datasets', '/datasets/titanic-kaggle', '/gpus', '/account',
  '/admin', '/admin/users', '/admin/sessions', '/admin/gpus', '/admin/packs', '/admin/queue', '/no-such/page'];

try {
  if (shots) mkdirSync(shots, { recursive: true });
  const [ann, bob, nobody] = [await person(), await person(), await person()];
  await look.pages(nobody.page, everybody, 'nobody');
  await signUp(ann.page, 'Ann', 'ann@example.org');
  await signUp(bob.page, 'Bob', 'bob@example.org');
  step('two people signed up');

  const slug = await startSession(ann.page);
  await press(ann.page, link(ann.page, 'Open VS Code'));
  const has = (n) => workspaceHas(dataDir, 'by-ann.txt', 'from the page') >= n;
  await writeInTerminal(ann.page, 'echo from the page > /workspace/by-ann.txt', () => has(1));
  const ide = ann.page.url().split('?')[0];
  step(`session ${slug}: a file written in VS Code's terminal`);

  await ann.page.goto(origin);
  await settled(ann.page);
  await submitPredictions(ann, bob);
  await refused(bob, slug, ide);
  await lostDaemon(ann.page, [bob.page, nobody.page], slug);
  await signOutEndsBoth(ann, ide);
  await onSocket(socket, 'PATCH', '/api/v1/admin/users/ann@example.org', { role: 'admin' });
  await ann.page.goto(origin);
  await settled(ann.page);
  await account(ann.page, nobody.page);
  await admin(ann.page);
  await starting(ann.page, slug);
  await broken(ann.page);
  await look.pages(ann.page, signedIn(slug), 'admin');
  await stopSession(ann.page, slug);
  await look.at(ann.page, 'stopped');
  step('the session is stopped, and its snapshot is there');
  const next = await startFrom(ann.page, slug);
  await until(() => has(2), 'the new session does not have the files');
  await stopSession(ann.page, next, true);
  step('another one had its files');
  watch.check();
  step(`no complaint of any page; at most ${look.heaviest} bytes of JavaScript in a first load`);
} catch (err) {
  const pages = browser.contexts().flatMap((c) => c.pages());
  process.stderr.write(`${watch.complaints.join('\n')}\n`);
  for (const [i, p] of pages.entries()) {
    process.stderr.write(`page ${i}: ${p.url()}\n`);
    if (shots) await p.screenshot({ path: join(shots, `failed-${i}.png`) }).catch(() => {});
  }
  throw err;
} finally {
  await browser.close();
  process.stdin.destroy();
}

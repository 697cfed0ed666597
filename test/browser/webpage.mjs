// Goes through MedForge's web page as people do, on a real daemon:
//
//   node webpage.mjs ORIGIN DATA_DIR SOCKET PREDICTIONS [SCREENSHOTS]
//
// DATA_DIR is the daemon's, to look at what a session's terminal wrote; SOCKET
// its unix socket, to make an admin; PREDICTIONS a good submission to the
// Titanic competition. Ends with status 0 when all is as it should be.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { axe, byKeyboard, fits, launch, settled, still, Watch } from './lib.mjs';

const [origin, dataDir, socket, predictions, shots] = process.argv.slice(2);
const titanic = '/competitions/titanic-survival';
const password = 'correct horse battery';
const patience = 240_000;
const step = (text) => process.stdout.write(`${text}\n`);
const assert = (ok, text) => { if (!ok) throw new Error(text); };

const browser = await launch();
const watch = new Watch(origin);

async function person(colorScheme = 'light') {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 900 } });
  watch.follow(context);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  return { context, page };
}

/** signUp by keyboard alone. */
async function signUp(page, name, email) {
  await page.goto(`${origin}/signup`);
  await settled(page);
  await page.getByLabel('Name').focus();
  for (const text of [name, email, password]) {
    await page.keyboard.type(text);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter'); // on the button
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
}

async function signIn(page, email) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function startSession(page) {
  await page.goto(`${origin}/`);
  const start = page.getByRole('button', { name: 'Start a session' });
  await start.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Start a session' });
  await dialog.waitFor();
  await axe(page, 'the dialog that starts a session');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert(await start.evaluate((el) => el === document.activeElement), 'the focus does not come back from the dialog');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Start', exact: true }).click();
  await page.waitForURL(/\/sessions\/[a-z2-7]{8}$/);
  const slug = new URL(page.url()).pathname.split('/')[2];
  // Its stages are there while it starts; a quick host may be done already.
  await page.getByRole('list', { name: 'Stages of the start' }).or(page.getByRole('link', { name: 'Open VS Code' })).first().waitFor();
  await page.getByRole('link', { name: 'Open VS Code' }).waitFor({ timeout: patience });
  return slug;
}

/** writeInTerminal types a command until the host sees what it does. */
async function writeInTerminal(page, command, done) {
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

/** workspaces are the folders of all sessions' files: DATA_DIR/workspaces/USER/SESSION/workspace. */
function workspaces() {
  const below = (dir) => (existsSync(dir) ? readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => join(dir, e.name)) : []);
  return below(join(dataDir, 'workspaces')).flatMap(below).map((dir) => join(dir, 'workspace'));
}

/** onSocket asks the daemon's unix socket, as root's command line does. */
function onSocket(method, path, body) {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: socket, method, path, headers: { Host: 'medforge', 'Content-Type': 'application/json' } }, (res) => {
      res.resume();
      res.on('end', () => (res.statusCode < 300 ? resolve() : reject(new Error(`${method} ${path}: ${res.statusCode}`))));
    });
    req.on('error', reject);
    req.end(JSON.stringify(body));
  });
}

async function submitPredictions(ann, bob) {
  await bob.page.goto(`${origin}${titanic}/leaderboard`);
  await bob.page.getByText('Nobody yet').waitFor();
  await settled(bob.page);

  await ann.page.goto(`${origin}${titanic}/submissions`);
  await settled(ann.page);
  const file = ann.page.locator('input[type=file]');
  await file.setInputFiles({ name: 'bad.csv', mimeType: 'text/csv', buffer: Buffer.from('PassengerId,Survived\n892,7\n892,x\n') });
  await watch.during(/status of 422/, async () => {
    await ann.page.getByRole('button', { name: 'Submit', exact: true }).click();
    await ann.page.getByRole('table', { name: 'Mistakes in the file' }).waitFor();
  });
  const mistakes = await ann.page.getByRole('table', { name: 'Mistakes in the file' }).innerText();
  assert(/duplicate|already|twice|more than once/i.test(mistakes) && mistakes.includes('Survived'), `the mistakes are not told: ${mistakes}`);
  await axe(ann.page, 'the table of mistakes');

  await drop(ann.page, predictions);
  await ann.page.getByLabel('Message').fill('women survive');
  await ann.page.getByRole('button', { name: 'Submit', exact: true }).click();
  await ann.page.getByText(/^Scored 0\.\d{5}$/).waitFor();
  await ann.page.getByRole('table', { name: 'Your submissions' }).getByText('women survive').waitFor();

  // The other browser has not been touched since.
  await bob.page.getByRole('table', { name: 'Leaderboard' }).getByRole('rowheader', { name: 'Ann' }).waitFor();
  step('the board changed in the second browser by itself');
}

/** drop a file on the page as a mouse would. */
async function drop(page, path) {
  const transfer = await page.evaluateHandle(([text]) => {
    const t = new DataTransfer();
    t.items.add(new File([text], 'predictions.csv', { type: 'text/csv' }));
    return t;
  }, [readFileSync(path, 'utf8')]);
  await page.dispatchEvent('label:has(input[type=file])', 'drop', { dataTransfer: transfer });
  await page.getByText('predictions.csv').first().waitFor();
}

async function refused(bob, slug, ide) {
  await watch.during(/status of 40[34]/, async () => {
    await bob.page.goto(`${origin}/sessions/${slug}`);
    await bob.page.getByRole('alert').filter({ hasText: slug }).waitFor();
    const answer = await bob.page.goto(ide);
    assert(answer.status() === 403, `another user got ${answer.status()} from the session's host`);
  });
  step('another user is refused');
}

async function signOutEndsBoth(ann, code, ide) {
  await ann.page.goto(origin);
  await ann.page.getByRole('button', { name: 'Sign out' }).click();
  await ann.page.waitForURL(`${origin}/signin`);
  const status = await watch.during(/status of 401.*\/api\/v1\/me\)/, async () => {
    const answer = await ann.page.evaluate(async () => (await fetch('/api/v1/me')).status);
    await ann.page.waitForTimeout(200); // the browser's own line about it comes a little later
    return answer;
  });
  assert(status === 401, `signed out, and GET me answers ${status}`);
  // Whoever follows the old address signs in, and arrives there.
  await code.goto(ide);
  await code.waitForURL(/\/signin\?return=/);
  await signIn(code, 'ann@example.org');
  await code.waitForURL((u) => u.href.startsWith(ide));
  await code.waitForSelector('.monaco-workbench .part.editor', { timeout: patience });
  step('signing out ends both; signing in leads back into the session');
}

async function stopSession(page, slug) {
  await page.goto(`${origin}/sessions/${slug}`);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Stop the session' }).click();
  await page.getByText(`Session ${slug} is stopped`).waitFor({ state: 'attached', timeout: patience });
  await page.getByRole('table', { name: `Snapshots of session ${slug}` }).getByText(/^stop-\d+$/).waitFor();
  await page.getByRole('button', { name: 'Start from this' }).waitFor();
  step('the session is stopped, and its snapshot is there');
}

const everybody = ['/', '/signin', '/signup', '/competitions', titanic, `${titanic}/data`, `${titanic}/submissions`, `${titanic}/leaderboard`, '/datasets', '/datasets/titanic-kaggle', '/no/such/page'];
const signedIn = (slug) => ['/', '/sessions', `/sessions/${slug}`, titanic, `${titanic}/data`, `${titanic}/submissions`, `${titanic}/leaderboard`, '/datasets', '/gpus', '/account',
  '/admin', '/admin/users', '/admin/sessions', '/admin/gpus', '/admin/packs', '/admin/queue'];

/** look at pages: axe in both schemes, three widths, and the keyboard. */
async function look(page, paths, as) {
  const wrong = [];
  const tell = async (check) => check.catch((err) => wrong.push(err.message));
  for (const path of paths) {
    await watch.during(/status of 404.*no\/such\/page/, async () => {
      await page.goto(`${origin}${path}`);
      await settled(page);
    });
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      await still(page); // axe must not meet a colour on its way
      for (const width of [390, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await tell(fits(page, `${path} at ${width}`));
        if (width !== 768) await tell(axe(page, `${path}, ${as}, ${scheme}, ${width}`));
        if (shots) await page.screenshot({ path: join(shots, `${as}${path.replaceAll('/', '_')}-${width}-${scheme}.png`) });
      }
    }
    await tell(byKeyboard(page, `${path}, ${as}`));
    await page.emulateMedia({ colorScheme: 'light' });
  }
  assert(wrong.length === 0, wrong.join('\n'));
  step(`${as}: ${paths.length} pages in both schemes, three widths and by keyboard`);
}

try {
  if (shots) mkdirSync(shots, { recursive: true });
  const [ann, bob, nobody] = [await person(), await person(), await person()];
  await look(nobody.page, everybody, 'nobody');
  await signUp(ann.page, 'Ann', 'ann@example.org');
  await signUp(bob.page, 'Bob', 'bob@example.org');
  step('two people signed up');

  const slug = await startSession(ann.page);
  const ide = new URL(await ann.page.getByRole('link', { name: 'Open VS Code' }).getAttribute('href'), origin).searchParams.get('return');
  const code = await ann.context.newPage();
  code.setDefaultTimeout(60_000);
  await code.goto(`${origin}/open?${new URLSearchParams({ return: ide })}`);
  const wrote = () => workspaces().some((dir) => existsSync(join(dir, 'by-ann.txt')) && readFileSync(join(dir, 'by-ann.txt'), 'utf8').trim() === 'from the page');
  await writeInTerminal(code, 'echo from the page > /workspace/by-ann.txt', wrote);
  step(`session ${slug}: a file written in VS Code's terminal`);

  await submitPredictions(ann, bob);
  await refused(bob, slug, ide);
  await signOutEndsBoth(ann, code, ide);
  await code.close();
  await onSocket('PATCH', '/api/v1/admin/users/ann@example.org', { role: 'admin' });
  await ann.page.goto(origin);
  await look(ann.page, signedIn(slug), 'admin');
  await stopSession(ann.page, slug);
  await look(ann.page, [`/sessions/${slug}`], 'stopped');
  watch.check();
  step('no complaint of any page');
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
}

// Going through a page by keyboard alone, and seeing at every stop where one is.

/** ringsBefore notes how everything that can be used looks without the focus. */
const ringsBefore = (page) => page.evaluate(() => {
  // A file input is seen by its label, which carries the outline.
  const frame = (el) => (el.type === 'file' ? el.closest('label') : el);
  globalThis.ring = (el) => {
    const css = getComputedStyle(frame(el));
    return `${css.outlineStyle === 'none' ? '' : `${css.outlineStyle} ${css.outlineWidth}`} ${css.boxShadow}`;
  };
  globalThis.rings ??= new WeakMap();
  for (const el of document.querySelectorAll('a[href], button, input, select, textarea, [tabindex]')) {
    if (el !== document.activeElement) globalThis.rings.set(el, globalThis.ring(el));
  }
});

/** stop says what is wrong with where the focus is now, or nothing. */
const stop = (page) => page.evaluate(async () => {
  await new Promise((done) => requestAnimationFrame(done)); // a dialog leads the focus back in a moment later
  const el = document.activeElement;
  if (!el || el === document.body) return '';
  globalThis.toReach?.delete(el);
  const name = el.outerHTML.slice(0, 160);
  const before = globalThis.rings.get(el);
  if (before !== undefined && before === globalThis.ring(el)) return `the focus is not seen on ${name}`;
  // Seen, too, is what is not below the window's edge or under something else.
  const box = (el.type === 'file' ? el.closest('label') : el).getBoundingClientRect();
  if (box.bottom <= 0 || box.right <= 0 || box.top >= innerHeight || box.left >= innerWidth) return `the focus is out of sight on ${name}`;
  return '';
});

const focused = (target) => target.evaluate((el) => el === document.activeElement);

/** tabTo goes on by Tab until target has the focus, and fails if a stop on the way does not show it. */
export async function tabTo(page, target) {
  await target.waitFor({ state: 'attached' });
  for (let i = 0; !(await focused(target)); i++) {
    if (i > 200) throw new Error(`Tab does not reach ${target} on ${page.url()}`);
    await ringsBefore(page);
    await page.keyboard.press('Tab');
    const wrong = await stop(page);
    if (wrong) throw new Error(`${page.url()}: ${wrong}`);
  }
}

/** press reaches target by Tab and presses a key there. */
export async function press(page, target, key = 'Enter') {
  await tabTo(page, target);
  await page.keyboard.press(key);
}

/** fill reaches a field by Tab and types over what is in it. */
export async function fill(page, target, text) {
  await tabTo(page, target);
  await page.keyboard.press('Control+A');
  await page.keyboard.type(text);
}

/** choose answers the file chooser that Space opens on a file input. */
export async function choose(page, target, files) {
  // Asked for before the way there: the browser has to be told to hand its
  // choosers over, and nobody says when it was.
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), press(page, target, 'Space')]);
  await chooser.setFiles(files);
}

/** byKeyboard: the Tab key reaches whatever can be used, and shows where it is. An open dialog is all that can be used. */
export async function byKeyboard(page, what) {
  const total = await page.evaluate(() => {
    const box = document.querySelector('[role=dialog], [role=alertdialog]');
    if (!box) {
      document.activeElement?.blur();
      window.scrollTo(0, 0);
    }
    const root = box ?? document;
    const all = [...root.querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')];
    const seen = (el) => el.checkVisibility() && !el.disabled && el.type !== 'hidden' && getComputedStyle(el).visibility !== 'hidden' && !el.closest('[aria-hidden=true]');
    globalThis.toReach = new Set(all.filter(seen));
    return globalThis.toReach.size;
  });
  const wrong = new Set();
  for (let i = 0; i <= total + 2; i++) {
    await ringsBefore(page);
    await page.keyboard.press('Tab');
    const said = await stop(page);
    if (said) wrong.add(said);
  }
  const left = await page.evaluate(() => [...globalThis.toReach].map((e) => e.outerHTML.slice(0, 160)));
  if (left.length) wrong.add(`Tab does not reach\n${left.join('\n')}`);
  if (wrong.size) throw new Error(`${what}: ${[...wrong].join('\n')}`);
}

// Looking at pages: axe in both schemes at three widths, that they fit, the
// keyboard, and how much JavaScript the first load needs.
import { join } from 'node:path';
import { axe, fits, scripts, settled, still } from './lib.mjs';
import { byKeyboard } from './keyboard.mjs';

const firstLoad = 200_000; // bytes of JavaScript as sent, whatever is loaded later by itself included

export class Look {
  /** shots is a folder for pictures, or nothing. */
  constructor(origin, watch, shots) {
    Object.assign(this, { origin, watch, shots, heaviest: 0 });
  }

  /** at what a page shows now: a page, or a dialog that is open on it. */
  async at(page, name) {
    const wrong = [];
    const tell = (check) => check.catch((err) => wrong.push(err.message));
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const width of [390, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await still(page); // axe must not meet a colour on its way
        await tell(fits(page, `${name} at ${width}`));
        // At 768 both schemes have the colours that they have at 390 or 1440.
        if (width !== 768 || scheme === 'light') await tell(axe(page, `${name}, ${scheme}, ${width}`));
        if (this.shots) await page.screenshot({ fullPage: true, path: join(this.shots, `${name.replaceAll('/', '_')}-${width}-${scheme}.png`) });
      }
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 900 });
    await tell(byKeyboard(page, name));
    if (wrong.length) throw new Error(wrong.join('\n'));
  }

  /** pages are loaded and looked at one by one; what is wrong with any is told together. */
  async pages(page, paths, as) {
    const wrong = [];
    for (const path of paths) {
      try {
        // What does not exist answers 404, and a browser logs that.
        await this.watch.during(path.includes('no-such') ? /status of 404/ : /^$/, async () => {
          const weigh = await scripts(page);
          await page.goto(`${this.origin}${path}`);
          await settled(page);
          const bytes = await weigh();
          this.heaviest = Math.max(this.heaviest, bytes);
          if (bytes === 0 || bytes > firstLoad) wrong.push(`${path}, ${as}: the first load needs ${bytes} bytes of JavaScript; at most ${firstLoad} are allowed`);
        });
        await this.at(page, `${as}${path}`);
      } catch (err) {
        wrong.push(err.message);
      }
    }
    if (wrong.length) throw new Error(wrong.join('\n'));
  }
}

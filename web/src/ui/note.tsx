'use client';

import type { ReactNode } from 'react';
import { Problem } from '@/api/client';
import { sentence } from '@/lib/words';
import { Button } from './button';
import { cx } from './cx';

/** Note is a message in place, of a tone. */
export function Note({ tone = 'plain', title, children }: { tone?: 'ok' | 'warn' | 'bad' | 'plain'; title?: string; children?: ReactNode }) {
  const look = { ok: 'bg-ok-soft border-ok/40', warn: 'bg-warn-soft border-warn/40', bad: 'bg-bad-soft border-bad/40', plain: 'bg-sunken border-line' }[tone];
  return (
    <div role={tone === 'bad' ? 'alert' : undefined} className={cx('rounded-lg border px-4 py-3 text-sm', look)}>
      {title && <p className="font-medium">{title}</p>}
      {children && <div className={title ? 'mt-1' : undefined}>{children}</div>}
    </div>
  );
}

/** ErrorNote says what a failure was, with its name in the daemon's log. What was refused stays refused: no button tries that again. */
export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!error) return null;
  const p = error instanceof Problem ? error : null;
  const refused = p !== null && p.status >= 400 && p.status < 500 && p.status !== 429;
  return (
    <Note tone="bad">
      <p className="wrap-anywhere">{p ? sentence(p.message) : 'Something in this page failed. Load it again.'}</p>
      {p && p.errors.length > 0 && (
        <ul className="mt-2 list-disc pl-5">
          {p.errors.map((e, i) => <li key={i}>{e.loc}: {e.msg}</li>)}
        </ul>
      )}
      {p?.requestId && p.status >= 500 && <p className="mt-1">In the daemon&apos;s log: <code>{p.requestId}</code></p>}
      {retry && !refused && <Button className="mt-3" onClick={retry}>Try again</Button>}
    </Note>
  );
}

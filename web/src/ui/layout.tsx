import type { ReactNode } from 'react';
import { cx } from './cx';

/** PageHeader is a page's title with what can be done there. */
export function PageHeader({ title, lead, actions, above }: { title: ReactNode; lead?: ReactNode; actions?: ReactNode; above?: ReactNode }) {
  return (
    <header className="mb-6 flex flex-wrap items-end justify-between gap-x-6 gap-y-4">
      <div className="min-w-0">
        {above && <div className="text-muted mb-1 text-sm">{above}</div>}
        <h1 className="wrap-anywhere">{title}</h1>
        {lead && <div className="text-muted mt-1 max-w-[70ch]">{lead}</div>}
      </div>
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </header>
  );
}

/** Card is one thing of a page, under a heading of its own. */
export function Card({ title, actions, children, flush, className, id }: { title?: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean; className?: string; id?: string }) {
  return (
    <section id={id} className={cx('bg-surface border-line min-w-0 rounded-xl border', className)}>
      {(title || actions) && (
        <div className="border-line flex min-h-14 flex-wrap items-center justify-between gap-2 border-b px-4 py-2.5 sm:px-5">
          <h2>{title}</h2>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
      )}
      <div className={flush ? 'overflow-hidden rounded-b-xl' : 'p-4 sm:p-5'}>{children}</div>
    </section>
  );
}

/** Facts is a list of names and values. */
export function Facts({ rows, columns = 1 }: { rows: [name: string, value: ReactNode, wide?: 'wide'][]; columns?: 1 | 2 }) {
  return (
    <dl className={cx('grid gap-x-8 gap-y-3', columns === 2 && 'sm:grid-cols-2')}>
      {rows.map(([name, value, wide]) => (
        <div key={name} className={cx('min-w-0', wide && 'sm:col-span-full')}>
          <dt className="text-muted text-sm">{name}</dt>
          <dd className="wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Empty says that there is nothing yet, and what would change that. */
export function Empty({ title, children, actions }: { title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-10 text-center">
      <p className="font-medium">{title}</p>
      {children && <div className="text-muted max-w-[52ch] text-sm">{children}</div>}
      {actions && <div className="mt-3 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

/** Skeleton holds the place of what is being loaded. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div role="status" className="space-y-3 p-4">
      <span className="sr-only">Loading</span>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} aria-hidden="true" className={cx('bg-sunken h-4 animate-pulse rounded', i === lines - 1 && 'w-2/3')} />
      ))}
    </div>
  );
}

type Tone = 'ok' | 'warn' | 'bad' | 'plain' | 'accent';

const tones: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  accent: 'bg-accent-soft text-accent',
  plain: 'bg-sunken text-muted',
};

export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return <span className={cx('inline-flex items-center rounded-full px-2.5 py-0.5 text-xs font-medium whitespace-nowrap', tones[tone])}>{children}</span>;
}

const statusTones: Record<string, Tone> = {
  running: 'ok', scored: 'ok', free: 'ok', ok: 'ok',
  starting: 'accent', scoring: 'accent', in_use: 'accent',
  stopping: 'warn', queued: 'warn', quarantined: 'warn', warn: 'warn', degraded: 'warn',
  error: 'bad', failed: 'bad', faulty: 'bad', fail: 'bad',
};

/** Status is a state in its own word and colour. */
export function Status({ of }: { of: string }) {
  return <Badge tone={statusTones[of] ?? 'plain'}>{of.replaceAll('_', ' ')}</Badge>;
}

/** Meter shows a part of a whole. */
export function Meter({ label, value, text }: { label: string; value: number; text?: string }) {
  return (
    <div className="flex items-center gap-2">
      <progress aria-label={label} max={100} value={value}
        className="bg-sunken h-2 w-20 shrink-0 appearance-none overflow-hidden rounded-full [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-sunken [&::-webkit-progress-value]:bg-accent" />
      <span className="text-sm whitespace-nowrap tabular-nums">{text ?? `${value} %`}</span>
    </div>
  );
}

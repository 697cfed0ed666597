'use client';

import { Button as BaseButton } from '@base-ui/react/button';
import type { ComponentProps, ReactNode } from 'react';
import { cx } from './cx';
import { Link } from './link';

type Look = 'primary' | 'secondary' | 'danger' | 'quiet';

const looks: Record<Look, string> = {
  primary: 'bg-accent text-on-accent border-transparent hover:bg-accent-hover',
  secondary: 'bg-surface text-ink border-strong-line/60 hover:border-strong-line hover:bg-sunken',
  danger: 'bg-surface text-bad border-bad/60 hover:bg-bad-soft hover:border-bad',
  quiet: 'text-muted border-transparent hover:bg-sunken hover:text-ink',
};

const shape = 'inline-flex min-h-9 items-center justify-center gap-2 rounded-lg border px-3.5 text-sm font-medium whitespace-nowrap transition-colors data-disabled:cursor-not-allowed data-disabled:opacity-60';

export const buttonClass = (look: Look = 'secondary', more?: string): string => cx(shape, looks[look], more);

/** Button; busy while what it began goes on: it stays focusable and does nothing more. */
export function Button({ look, busy, className, children, disabled, ...rest }: Omit<ComponentProps<'button'>, 'ref'> & { look?: Look; busy?: boolean }) {
  return (
    <BaseButton type="button" {...rest} disabled={disabled || busy} focusableWhenDisabled={busy} aria-busy={busy || undefined} className={buttonClass(look, className)}>
      {busy && <Spinner />}
      {children}
    </BaseButton>
  );
}

/** LinkButton is a link that looks like a button. An address outside the page's own routes is loaded whole. */
export function LinkButton({ href, look, children, outside, download }: { href: string; look?: Look; children: ReactNode; outside?: boolean; download?: boolean }) {
  if (outside) return <a href={href} download={download} className={buttonClass(look)}>{children}</a>;
  return <Link href={href} className={buttonClass(look)}>{children}</Link>;
}

export function Spinner() {
  return <span aria-hidden="true" className="size-3.5 animate-spin rounded-full border-2 border-current border-r-transparent" />;
}

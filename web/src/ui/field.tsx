'use client';

import { Field as BaseField } from '@base-ui/react/field';
import type { ComponentProps, ReactNode } from 'react';
import { cx } from './cx';

export const inputClass = 'bg-surface border-strong-line min-h-10 w-full rounded-lg border px-3 text-base sm:text-sm data-invalid:border-bad disabled:opacity-60';

/** Field is a labelled input with its help and its mistake. */
export function Field({ label, help, error, className, ...input }: Omit<ComponentProps<'input'>, 'ref' | 'defaultValue' | 'value'> & { label: ReactNode; help?: ReactNode; error?: string; defaultValue?: string; value?: string }) {
  return (
    <BaseField.Root invalid={error ? true : undefined} name={input.name} className={className}>
      <BaseField.Label className="mb-1 block text-sm font-medium">{label}</BaseField.Label>
      <BaseField.Control {...input} className={inputClass} />
      {help && <BaseField.Description className="text-muted mt-1 text-sm">{help}</BaseField.Description>}
      <BaseField.Error match={error ? true : undefined} className="text-bad mt-1 text-sm">{error}</BaseField.Error>
    </BaseField.Root>
  );
}

/** Choice is a labelled select: the browser's own, which every keyboard and reader knows. */
export function Choice({ label, help, children, className, ...select }: ComponentProps<'select'> & { label: string; help?: ReactNode }) {
  return (
    <label className={cx('block', className)}>
      <span className="mb-1 block text-sm font-medium">{label}</span>
      <select {...select} className={inputClass}>{children}</select>
      {help && <span className="text-muted mt-1 block text-sm">{help}</span>}
    </label>
  );
}

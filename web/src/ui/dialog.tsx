'use client';

import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as BaseDialog } from '@base-ui/react/dialog';
import { type ReactNode, useState } from 'react';
import { Button } from './button';
import { ErrorNote } from './note';

const backdrop = 'fixed inset-0 bg-black/40 transition-opacity data-ending-style:opacity-0 data-starting-style:opacity-0';
const popup = 'bg-surface border-line fixed top-1/2 left-1/2 max-h-[90dvh] w-[min(32rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-xl border p-5 shadow-xl transition-opacity data-ending-style:opacity-0 data-starting-style:opacity-0 sm:p-6';

/** Dialog holds a form or something to read. */
export function Dialog({ open, onOpen, title, children }: { open: boolean; onOpen: (open: boolean) => void; title: string; children: ReactNode }) {
  return (
    <BaseDialog.Root open={open} onOpenChange={onOpen}>
      <BaseDialog.Portal>
        <BaseDialog.Backdrop className={backdrop} />
        <BaseDialog.Popup className={popup}>
          <BaseDialog.Title className="mb-4 text-lg font-semibold">{title}</BaseDialog.Title>
          {children}
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  );
}

/** refocus: what a question was asked from may be gone with its row, and the focus with it. A reader then goes on from the content. */
function refocus() {
  if (document.activeElement === document.body) document.getElementById('content')?.focus({ preventScroll: true });
}

interface Question {
  look?: 'danger' | 'secondary' | 'quiet';
  title: string;
  children: ReactNode;
  action: string;
  act: () => Promise<unknown>;
}

/**
 * Confirm asks before something that cannot be taken back. act rejects with why
 * it failed. What was asked when it opened is what is done: the row behind it
 * may change meanwhile, and "Enable" stand where "Disable" did.
 */
export function Confirm({ trigger, ...question }: Question & { trigger: ReactNode }) {
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<Question>(question);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const show = (o: boolean) => {
    if (o) setAsked(question);
    setOpen(o);
    setError(null);
  };
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      await asked.act();
      setOpen(false);
      requestAnimationFrame(refocus);
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={show}>
      <AlertDialog.Trigger render={<Button look={question.look ?? 'danger'} />}>{trigger}</AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={backdrop} />
        <AlertDialog.Popup className={popup}>
          <AlertDialog.Title className="text-lg font-semibold">{asked.title}</AlertDialog.Title>
          <AlertDialog.Description render={<div />} className="text-muted mt-2">{asked.children}</AlertDialog.Description>
          {error !== null && <div className="mt-4"><ErrorNote error={error} /></div>}
          <div className="mt-6 flex flex-wrap justify-end gap-2">
            <AlertDialog.Close render={<Button />}>Cancel</AlertDialog.Close>
            <Button look={(asked.look ?? 'danger') === 'danger' ? 'danger' : 'primary'} busy={busy} onClick={() => void run()}>{asked.action}</Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

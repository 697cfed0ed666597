'use client';

import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { type FormEvent, useState } from 'react';
import { api, data, type Session } from '@/api/client';
import { sessionsQuery } from '@/api/queries';
import { moment } from '@/lib/format';
import { openURL } from '@/lib/where';
import { Button, LinkButton } from '@/ui/button';
import { Confirm, Dialog } from '@/ui/dialog';
import { Choice } from '@/ui/field';
import { ErrorNote } from '@/ui/note';

/** useStart starts a session and goes to its page, where the stages are. */
function useStart() {
  const client = useQueryClient();
  const router = useRouter();
  return useMutation({
    mutationFn: (from: string) => data(api.POST('/api/v1/sessions', { body: { tier: 'public', from: from || undefined } })),
    onSuccess: ({ session }) => {
      client.setQueryData(['sessions', 'one', session.slug], session);
      void client.invalidateQueries({ queryKey: ['sessions'] });
      router.push(`/sessions/${session.slug}`);
    },
  });
}

/** StartSession asks what files the session begins with. */
export function StartSession({ from }: { from?: string }) {
  const [open, setOpen] = useState(false);
  const start = useStart();
  const show = (o: boolean) => {
    setOpen(o);
    start.reset();
  };
  return (
    <>
      <Button look={from ? 'secondary' : 'primary'} onClick={() => show(true)}>{from ? 'Start from this' : 'Start a session'}</Button>
      <Dialog open={open} onOpen={show} title="Start a session">
        {open && <StartForm from={from} busy={start.isPending} error={start.error} start={start.mutate} cancel={() => show(false)} />}
      </Dialog>
    </>
  );
}

function StartForm({ from: first, busy, error, start, cancel }: { from?: string; busy: boolean; error: unknown; start: (from: string) => void; cancel: () => void }) {
  // Kept here, not by the browser: it would fall back to the first choice when the list comes in.
  const [from, setFrom] = useState(first ?? '');
  const sessions = useInfiniteQuery(sessionsQuery(false));
  const ended = (sessions.data?.pages ?? []).flatMap((p) => p.data).filter((s) => s.status === 'stopped' || s.status === 'error');
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    start(from);
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      <p className="text-muted text-sm">VS Code with a terminal and one GPU to yourself. The files of an earlier session can come along, from its newest snapshot or from the one that you chose.</p>
      <Choice label="Files" name="from" value={from} onChange={(e) => setFrom(e.currentTarget.value)}>
        <option value="">An empty workspace</option>
        {first && !ended.some((s) => s.slug === first) && <option value={first}>{first}</option>}
        {ended.map((s) => <option key={s.id} value={s.slug}>{s.slug}, {moment(s.stopped_at ?? s.created_at)}</option>)}
      </Choice>
      <ErrorNote error={error} />
      <div className="flex flex-wrap justify-end gap-2 pt-2">
        <Button onClick={cancel}>Cancel</Button>
        <Button type="submit" look="primary" busy={busy}>Start</Button>
      </div>
    </form>
  );
}

/** SessionActions are what can be done with a session in its state. */
export function SessionActions({ session: s }: { session: Session }) {
  const client = useQueryClient();
  const stop = async () => {
    await data(api.POST('/api/v1/sessions/{ref}/stop', { params: { path: { ref: s.slug } } }));
    await client.invalidateQueries({ queryKey: ['sessions'] });
  };
  return (
    <>
      {s.status === 'running' && <LinkButton href={openURL(s.url)} look="primary" outside>Open VS Code</LinkButton>}
      {(s.status === 'running' || s.status === 'starting') && (
        <Confirm trigger="Stop" title={`Stop session ${s.slug}?`} action="Stop the session" act={stop}>
          Programs that run in it end. The files stay: a snapshot is taken, and a new session can start from it.
        </Confirm>
      )}
      {(s.status === 'stopped' || s.status === 'error') && <StartSession from={s.slug} />}
    </>
  );
}

'use client';

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useRef, useState } from 'react';
import { api, type Browser, data, type Me } from '@/api/client';
import { browsersQuery } from '@/api/queries';
import { browserName } from '@/lib/agent';
import { ago } from '@/lib/format';
import { useNow, useRequired } from '@/lib/hooks';
import { Button } from '@/ui/button';
import { Confirm } from '@/ui/dialog';
import { Field } from '@/ui/field';
import { Badge, Card, Facts, PageHeader, Skeleton } from '@/ui/layout';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';
import { Tokens } from './tokens';

export function AccountPage() {
  const me = useRequired();
  if (!me) return <Skeleton />;
  return (
    <>
      <PageHeader title="Account" />
      <div className="space-y-6">
        <div className="grid items-start gap-6 lg:grid-cols-2">
          <Profile me={me} />
          <Password email={me.email} />
        </div>
        <Tokens />
        <Browsers />
      </div>
    </>
  );
}

function Profile({ me }: { me: Me }) {
  return (
    <Card title="You">
      <Facts columns={2} rows={[
        ['Name', me.name || '–'],
        ['Role', me.role],
        ['Email', me.email || '–', 'wide'],
        ['Unix user', me.unix_name ? <code key="u">{me.unix_name}</code> : '–'],
        ['Sessions at once', me.session_limit > 0 ? String(me.session_limit) : "The host's default"],
        ['Id', <code key="i" className="text-xs">{me.user_id}</code>, 'wide'],
      ]} />
    </Card>
  );
}

function Password({ email }: { email: string }) {
  const client = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [differ, setDiffer] = useState(false);
  const change = useMutation({
    mutationFn: (body: { current: string; new: string }) => data(api.POST('/api/v1/me/password', { body })),
    onSuccess: () => {
      form.current?.reset();
      void client.invalidateQueries({ queryKey: ['account'] });
    },
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const f = new FormData(e.currentTarget);
    const same = f.get('new') === f.get('again');
    setDiffer(!same);
    if (same) change.mutate({ current: String(f.get('current')), new: String(f.get('new')) });
  };
  return (
    <Card title="Password">
      <form ref={form} onSubmit={submit} className="space-y-4">
        <input type="email" name="email" autoComplete="username" defaultValue={email} hidden readOnly />
        <Field label="Present password" name="current" type="password" autoComplete="current-password" maxLength={128} required />
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="New password" name="new" type="password" autoComplete="new-password" minLength={8} maxLength={128} required />
          <Field label="Once more" name="again" type="password" autoComplete="new-password" maxLength={128} required error={differ ? 'It is not the same as the one beside it.' : undefined} />
        </div>
        <ErrorNote error={change.error} />
        <div aria-live="polite">{change.data && <Note tone="ok">{change.data.message}</Note>}</div>
        <Button type="submit" busy={change.isPending}>Change password</Button>
      </form>
    </Card>
  );
}

function Browsers() {
  const client = useQueryClient();
  const browsers = useQuery(browsersQuery);
  const now = useNow(10_000);
  const rows = browsers.data ?? [];
  const end = async (id?: string) => {
    if (id) await data(api.DELETE('/api/v1/me/sessions/{id}', { params: { path: { id } } }));
    else await data(api.DELETE('/api/v1/me/sessions'));
    await client.invalidateQueries({ queryKey: ['account', 'browsers'] });
    await client.invalidateQueries({ queryKey: ['me'] });
  };
  return (
    <Card title="Signed-in browsers" flush actions={rows.length > 1 && (
      <Confirm trigger="Sign out all others" title="Sign every other browser out?" action="Sign them out" act={() => end()}>Tokens stay. This browser stays signed in.</Confirm>
    )}>
      {browsers.isPending && <Skeleton />}
      {browsers.error && <div className="p-4"><ErrorNote error={browsers.error} /></div>}
      {rows.length > 0 && (
        <Table caption="Browsers that you are signed in with" rows={rows} id={(b) => b.id} columns={[
          { title: 'Browser', head: true, cell: (b) => <Agent b={b} /> },
          { title: 'Signed in', wide: true, cell: (b) => ago(b.created_at, now) },
          { title: 'Last seen', cell: (b) => <span className="whitespace-nowrap">{ago(b.last_used, now)}</span> },
          { title: 'Action', right: true, cell: (b) => <Button aria-label={`Sign out ${browserName(b.agent)}`} onClick={() => void end(b.id)}>Sign out</Button> },
        ]} />
      )}
    </Card>
  );
}

function Agent({ b }: { b: Browser }) {
  return (
    <span className="flex flex-wrap items-center gap-2" title={b.agent}>
      {browserName(b.agent)} {b.current && <Badge tone="accent">this one</Badge>} {b.session_id && <Badge>one session only</Badge>}
    </span>
  );
}

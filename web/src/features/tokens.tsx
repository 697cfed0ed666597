'use client';

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, data } from '@/api/client';
import { tokensQuery } from '@/api/queries';
import { ago, moment } from '@/lib/format';
import { useNow } from '@/lib/hooks';
import { Button } from '@/ui/button';
import { Confirm, Dialog } from '@/ui/dialog';
import { Choice, Field } from '@/ui/field';
import { Card, Empty, Skeleton } from '@/ui/layout';
import { ErrorNote, Note } from '@/ui/note';
import { Table } from '@/ui/table';

/** Tokens are what programs sign in with, the command line from elsewhere for one. */
export function Tokens() {
  const client = useQueryClient();
  const tokens = useQuery(tokensQuery);
  const now = useNow(10_000);
  const [open, setOpen] = useState(false);
  const rows = tokens.data ?? [];
  const revoke = async (id: string) => {
    await data(api.DELETE('/api/v1/me/tokens/{id}', { params: { path: { id } } }));
    await client.invalidateQueries({ queryKey: ['account', 'tokens'] });
  };
  return (
    <Card title="Tokens" flush actions={<Button onClick={() => setOpen(true)}>New token</Button>}>
      <Dialog open={open} onOpen={setOpen} title="New token">{open && <NewToken close={() => setOpen(false)} />}</Dialog>
      {tokens.isPending && <Skeleton lines={4} />}
      {tokens.error && <div className="p-4"><ErrorNote error={tokens.error} /></div>}
      {tokens.data && rows.length === 0 && <Empty title="No tokens">Programs sign in with one. <code>medforge login URL</code> makes its own.</Empty>}
      {rows.length > 0 && (
        <Table caption="Your tokens" rows={rows} id={(t) => t.id} columns={[
          { title: 'Token', head: true, cell: (t) => <span className="wrap-anywhere">{t.label}</span> },
          { title: 'Made', wide: true, cell: (t) => ago(t.created_at, now) },
          { title: 'Last used', cell: (t) => (t.last_used ? <span className="whitespace-nowrap">{ago(t.last_used, now)}</span> : 'never') },
          { title: 'Ends', wide: true, cell: (t) => (t.expires_at ? moment(t.expires_at) : 'never') },
          { title: 'Action', right: true, cell: (t) => <Confirm trigger="Revoke" title={`Revoke ${t.label}?`} action="Revoke" act={() => revoke(t.id)}>Whatever signs in with it is refused from then on.</Confirm> },
        ]} />
      )}
    </Card>
  );
}

function NewToken({ close }: { close: () => void }) {
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: (body: { label: string; expires_at?: string }) => data(api.POST('/api/v1/me/tokens', { body })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['account', 'tokens'] }),
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    const days = Number(form.get('days'));
    make.mutate({ label: String(form.get('label')), expires_at: days ? new Date(Date.now() + days * 86_400_000).toISOString() : undefined });
  };
  if (make.data) return <Secret secret={make.data.secret} close={close} />;
  return (
    <form onSubmit={submit} className="space-y-4">
      <Field label="Name" name="label" maxLength={100} required autoComplete="off" help="Where it will be used." />
      <Choice label="Ends" name="days" defaultValue="90">
        <option value="7">after 7 days</option>
        <option value="90">after 90 days</option>
        <option value="365">after a year</option>
        <option value="0">never</option>
      </Choice>
      <ErrorNote error={make.error} />
      <div className="flex flex-wrap justify-end gap-2 pt-2">
        <Button onClick={close}>Cancel</Button>
        <Button type="submit" look="primary" busy={make.isPending}>Make the token</Button>
      </div>
    </form>
  );
}

/** Secret is shown once: only its hash is kept. */
export function Secret({ secret, close, what = 'token' }: { secret: string; close: () => void; what?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(secret);
    setCopied(true);
  };
  return (
    <div className="space-y-4">
      <Note tone="warn" title={`This ${what} is shown only now`}>Keep it where it is needed. Whoever has it can do what you can.</Note>
      <Field label={what === 'token' ? 'Token' : 'Password'} readOnly value={secret} onFocus={(e) => e.currentTarget.select()} />
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={() => void copy()} disabled={typeof navigator === 'undefined' || !navigator.clipboard}>{copied ? 'Copied' : 'Copy'}</Button>
        <Button look="primary" onClick={close}>Done</Button>
      </div>
    </div>
  );
}
